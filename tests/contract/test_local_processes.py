"""What this machine as a Host does where a process is not ours to end: sudo's are root's."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jvmdiag.hosts.docker_exec import _END_MARKED, _MARK
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.ssh_dial import ProxyCommand

# Long enough to outlast every bound; each test ends its own.
_LIVES_ON = 'trap "" TERM; echo $$ >"$1"; exec sleep 30'


@pytest.fixture
def nobody_obeys() -> Iterator[None]:
    """No signal reaches a process group, as where it belongs to another user."""

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "killpg", refuse)
        yield


def lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def pid_in(path: Path) -> int:
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return int(path.read_text())


def ended_by_its_mark(script: str, told: Path) -> int:
    """The pid of a shell that was ended as an abandoned command of a container is; it has told that it began."""
    token = secrets.token_hex(8)
    with subprocess.Popen(["sh", "-c", script, "sh", str(told)], env={**os.environ, _MARK: token}) as process:
        pid_in(told)
        subprocess.run(["sh", "-c", _END_MARKED, "sh", token], check=True, timeout=60)
    return process.returncode


def test_an_abandoned_shell_has_time_to_end_what_it_began(tmp_path: Path) -> None:
    """Killed before that, it would leave its children to a PID 1 that may reap nobody."""
    heeds = 'trap "sleep 1; exit 143" TERM; echo $$ >"$1"; while :; do sleep 0.05; done'
    assert ended_by_its_mark(heeds, tmp_path / "heeds") == 143
    ignores = 'trap "" TERM; echo $$ >"$1"; while :; do sleep 0.05; done'
    assert ended_by_its_mark(ignores, tmp_path / "ignores") == -signal.SIGKILL


def test_a_command_that_cannot_be_ended_is_not_waited_for(tmp_path: Path, nobody_obeys: None) -> None:
    told = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="sh did not end"):
        LocalHost().run(["sh", "-c", _LIVES_ON, "sh", str(told)], timeout_s=0.5)
    pid = pid_in(told)
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_stream_that_cannot_be_ended_is_let_go(tmp_path: Path, nobody_obeys: None) -> None:
    told = tmp_path / "pid"
    with LocalHost().stream(["sh", "-c", _LIVES_ON, "sh", str(told)]):
        pid = pid_in(told)
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_proxy_command_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    script = f'trap "" TERM; echo $$ >"$1"; sleep 30; touch {tmp_path}/lived'
    proxy = ProxyCommand(f"sh -c '{script}' sh {told}")
    pid = pid_in(told)
    proxy.close()
    assert not lives(pid)
    assert not (tmp_path / "lived").exists()


def test_a_proxy_command_that_cannot_be_ended_is_not_waited_for(tmp_path: Path, nobody_obeys: None) -> None:
    told = tmp_path / "pid"
    proxy = ProxyCommand(f"sh -c '{_LIVES_ON}' sh {told}")
    pid = pid_in(told)
    proxy.close()
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)
