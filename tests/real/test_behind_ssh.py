"""Containers on an SSH host, as a user runs it: exec over `docker system dial-stdio`, with sudo and without."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.real.containers import Containers, SshHost, home_of, left_behind, snapshot, start_ssh_host
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer, cases
from tests.real.jvmdiag import argv, environment, jvmdiag
from tests.real.sshd import Sshd
from tests.real.terminal import on_a_terminal, read_until

PASSWORD = "s3cret pass"


@dataclass(frozen=True)
class Behind:
    """A host with the docker command, whose engine only root may use, and a container of that engine."""

    ssh: SshHost
    container: Container

    def target(self, user: str) -> str:
        return f"{self.ssh.target(user)}/docker/{self.container.name}"


@pytest.fixture(scope="module")
def behind(
    engine: Engine,
    session_containers: Containers,
    shared: Callable[[str], Container],
    tmp_path_factory: pytest.TempPathFactory,
) -> Behind:
    docker_command = shutil.which("docker")
    if docker_command is None or not engine.url.startswith("unix://"):
        pytest.fail("it takes the docker command and an engine of this machine")
    mounts = {
        docker_command: {"bind": "/usr/local/bin/docker", "mode": "ro"},
        engine.url.removeprefix("unix://"): {"bind": "/var/run/docker.sock", "mode": "rw"},
    }
    ssh = start_ssh_host(session_containers, "ssh-jre", tmp_path_factory.mktemp("behind"), volumes=mounts)
    return Behind(ssh, shared("tomcat-jre"))


@pytest.mark.parametrize("user", cases("dev", long=("ops",)))
def test_sudo_to_a_container_behind_ssh(behind: Behind, user: str, tmp_path: Path) -> None:
    home, out = home_of(behind.ssh, tmp_path), tmp_path / "out"
    before = snapshot(behind.container)
    arguments = ["threaddump", behind.target(user), "--sudo", "-v", "-o", str(out)]
    code, shown = on_a_terminal(arguments, home, "sudo password", PASSWORD)
    assert code == 0, shown
    assert shown.count("sudo password") == (1 if user == "dev" else 0)
    assert PASSWORD not in shown
    assert re.search(r"as 0:0\] docker system dial-stdio  \((exit 0|closed), \d+ ms\)", shown), shown
    assert len(list(out.glob("*.txt.gz"))) == 1
    assert left_behind(behind.container, before) == []


def test_a_sudo_that_refuses_is_what_is_said_of_a_container_behind_ssh(
    behind: Behind, tmp_path: Path
) -> None:
    home = home_of(behind.ssh, tmp_path)
    run = jvmdiag("threaddump", behind.target("dev"), "--sudo", home=home)
    assert (run.exit_code, "no terminal" in run.err) == (27, True), run.err
    code, shown = on_a_terminal(["ps", behind.target("dev"), "--sudo"], home, "sudo password", "not it")
    assert (code, "does not take that password" in shown) == (27, True), shown


def test_ctrl_c_at_the_sudo_prompt_of_a_container_behind_ssh_gives_the_terminal_back(
    behind: Behind, tmp_path: Path
) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        argv("ps", behind.target("dev"), "--sudo"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(home_of(behind.ssh, tmp_path)),
        start_new_session=True,
    )
    read_until(leader, "sudo password")
    until = time.monotonic() + 60
    while echoes(follower):
        assert time.monotonic() < until, "it is shown what is typed"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    read_until(leader, "interrupted")
    assert process.wait(60) == 130
    assert echoes(follower)
    os.close(leader)
    os.close(follower)


def echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def test_an_engine_that_the_login_may_not_use_is_told_in_the_hosts_own_words(
    behind: Behind, tmp_path: Path
) -> None:
    run = jvmdiag("threaddump", behind.target("ops"), home=home_of(behind.ssh, tmp_path))
    assert run.exit_code == 20
    assert "permission denied" in run.err.lower()
    assert "add --sudo" in run.err


def test_a_host_without_the_docker_command_says_so(ssh_jre: SshHost, tmp_path: Path) -> None:
    run = jvmdiag("threaddump", f"{ssh_jre.target('ops')}/docker/web", home=home_of(ssh_jre, tmp_path))
    assert run.exit_code == 20
    assert "docker: not found" in run.err
    assert "needs the docker command" in run.err


def test_a_container_behind_ssh(engine: Engine, run_container: RunContainer, tmp_path: Path) -> None:
    """The engine's host is reached over SSH: by its /proc, and by exec over `docker system dial-stdio`."""
    container = run_container("tomcat-jre")
    settings = (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with Sshd(folder, config=settings) as sshd:
        ssh = sshd.options()
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "known_hosts").write_text(Path(ssh.known_hosts[0]).read_text())
        target = f"{sshd.target()}/docker/{container.name}"
        key = ("-i", str(ssh.identity_files[0]))
        before = snapshot(container)
        for view in ("host", "inside"):
            run = jvmdiag(
                "heapdump",
                target,
                *key,
                "--yes",
                "--view",
                view,
                "-o",
                str(tmp_path / view),
                "--json",
                home=tmp_path,
            )
            assert run.exit_code == 0, run.err
            assert jvmdiag("verify", run.document["artifact"]["path"], home=tmp_path).exit_code == 0
        missing = jvmdiag("threaddump", f"{target}x", *key, home=tmp_path)
        assert missing.exit_code == 10
        assert str(container.name) in missing.err
    assert left_behind(container, before) == []
