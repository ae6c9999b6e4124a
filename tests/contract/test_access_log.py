"""look.sh and its reader on logs that this process has open, as a JVM has its own."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import pytest

from jvmdiag.metrics.access_log import AccessLog
from jvmdiag.metrics.look import look_sh, parse_look
from jvmdiag.metrics.requests import History, requests_group, widths_of

TOKEN = "0123456789abcdef"
NAME = 'it\'s "the" access $(id) log -> .txt'


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(shutil.which(str(request.param)))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[BinaryIO]:
    with (tmp_path / NAME).open("ab", buffering=0) as file:
        yield file


def look_at(
    follower: AccessLog, shell: str, path: str | None = None, conf: str = "", prefix: str = ""
) -> dict[str, float]:
    pid = str(os.getpid())
    argv = [shell, "-c", look_sh(), "sh", TOKEN, pid, pid, prefix, "", "", follower.wanted, conf]
    environment = {"PATH": path or os.environ["PATH"]}
    done = subprocess.run(argv, capture_output=True, check=True, env=environment)
    assert done.stderr == b""
    follower.take(parse_look(done.stdout, TOKEN, int(pid)).sections["access"])
    group = requests_group(follower, History(), widths_of(1.0, single=True), served=True)
    return {one.name: one.value for one in group.figures}


def lines(per_s: int, first: int, last: int) -> bytes:
    stamps = (datetime.fromtimestamp(second, timezone.utc) for second in range(first, last))
    return b"".join(
        f'10.0.0.1 - - [{one:%d/%b/%Y:%H:%M:%S %z}] "GET / HTTP/1.1" 200 12\n'.encode() * per_s
        for one in stamps
    )


def test_a_log_is_found_and_followed(shell: str, log: BinaryIO, tmp_path: Path) -> None:
    follower, now = AccessLog(), int(time.time())
    log.write(lines(10, now - 600, now + 1))
    found = look_at(follower, shell)
    assert found["requests.rate"] == found["requests.before"] == 10
    assert found["requests.age"] < 10
    assert follower.path == str(tmp_path / NAME) and follower.unseen == ()
    assert follower.wanted.split()[0] == str(log.fileno())
    log.write(lines(10, now + 1, now + 41) + lines(1, now + 41, now + 102))
    found = look_at(follower, shell)
    assert (found["requests.rate"], found["requests.before"]) == (1, 10)
    # Nothing new.
    assert look_at(follower, shell)["requests.rate"] == 1


def test_how_long_requests_took_is_told_by_the_pattern_of_the_valve(
    shell: str, log: BinaryIO, tmp_path: Path
) -> None:
    # Behind a prefix, as another mount namespace is: its links lead from its own root.
    conf = tmp_path / "etc" / "it's conf"
    conf.mkdir(parents=True)
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "conf").symlink_to("/etc/it's conf")
    (conf / "server.xml").write_text(
        '<Server>\n<Resource password="s3cret" />\n<Valve className="org.apache.catalina.valves.AccessLogValve"\n'
        f'  prefix="{html.escape(NAME[:8])}"\n  pattern="%h %l %u %t &quot;%r&quot; %s %b %D" />\n</Server>\n'
    )
    (conf / "web.xml").write_text(
        '<?xml?>\n<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee"\n version="6.0">\n'
    )
    now = int(time.time())
    log.write(lines(10, now - 100, now).replace(b" 12\n", b" 12 2500\n"))
    follower = AccessLog()
    found = look_at(follower, shell, conf="/base/conf", prefix=str(tmp_path))
    assert found["requests.time.mean"] == pytest.approx(0.0025) == found["requests.time.max"]
    assert "s3cret" not in repr(vars(follower))


def test_of_a_huge_log_the_end_is_read(shell: str, log: BinaryIO) -> None:
    follower, now = AccessLog(), int(time.time())
    # No second of it holds a line: a hole.
    log.truncate(30_000_000_000)
    log.seek(0, os.SEEK_END)
    log.write(lines(1000, now - 80, now + 1))
    assert log.tell() - 30_000_000_000 > 4 << 20
    found = look_at(follower, shell)
    assert found["requests.rate"] == found["requests.before"] == 1000
    assert found["requests.seconds"] == 10


def test_a_log_that_is_rotated_truncated_or_removed(shell: str, log: BinaryIO, tmp_path: Path) -> None:
    follower, now = AccessLog(), int(time.time())
    log.write(lines(10, now - 700, now - 60))
    look_at(follower, shell)
    # As logrotate does with copytruncate, then as Tomcat does at midnight, under the same descriptor.
    log.truncate(0)
    log.write(lines(10, now - 58, now - 30))
    assert look_at(follower, shell)["requests.rate"] == 10
    (tmp_path / NAME).rename(tmp_path / "access log.1.txt")
    with (tmp_path / NAME).open("ab", buffering=0) as other:
        os.dup2(other.fileno(), log.fileno())
    log.write(lines(10, now - 28, now + 40))
    (tmp_path / NAME).unlink()
    found = look_at(follower, shell)
    assert (found["requests.rate"], found["requests.before"]) == (10, 10)
    assert follower.path == f"{tmp_path / NAME} (deleted)"


def test_of_several_logs_the_one_that_is_written_is_counted(
    shell: str, log: BinaryIO, tmp_path: Path
) -> None:
    with (tmp_path / "old_access_log.txt").open("ab") as other, (tmp_path / "access-log.jar").open("ab"):
        os.utime(other.fileno(), (1, 1))
        log.write(lines(1, int(time.time()) - 100, int(time.time())))
        follower = AccessLog()
        look_at(follower, shell)
    assert follower.path == str(tmp_path / NAME)
    assert follower.unseen == (f"1 more access logs are open: {follower.path} alone is counted",)


def test_a_pipe_keeps_what_is_in_it(shell: str, tmp_path: Path) -> None:
    pipe = tmp_path / "access_log"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(descriptor, b"for its reader\n")
        follower = AccessLog()
        assert look_at(follower, shell) == {}
        assert "no access log is among" in follower.unseen[0]
        assert os.read(descriptor, 100) == b"for its reader\n"
    finally:
        os.close(descriptor)


def test_without_the_commands_that_it_takes_it_says_so(shell: str, log: BinaryIO, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to(str(shutil.which("cat")))
    follower = AccessLog()
    log.write(lines(1, 0, 1))
    assert look_at(follower, shell, str(folder)) == {}
    assert "it takes date, stat, ls, dd there" in follower.unseen[0]


def test_a_dd_that_fails_and_a_configuration_that_is_a_pipe_hold_nothing_up(
    shell: str, log: BinaryIO, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "dd").write_text(f'#!{shell}\n{shutil.which("dd")} "$@"\nexit 1\n')
    (folder / "dd").chmod(0o755)
    os.mkfifo(tmp_path / "server.xml")
    now = int(time.time())
    log.write(lines(10, now - 100, now))
    follower, path = AccessLog(), f"{folder}:{os.environ['PATH']}"
    assert look_at(follower, shell, path, conf=str(tmp_path))["requests.rate"] == 10
    log.write(lines(10, now, now + 20))
    # What stands behind the bytes would be taken for some of them.
    assert look_at(follower, shell, path)["requests.rate"] == 10
    assert follower.wanted.split()[2] == str(log.tell())
