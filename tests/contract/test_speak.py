"""The attach protocol as its three clients speak it: in this process, by a python3, by a perl."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.attach import speak
from jvmdiag.attach.direct import client as script_client
from jvmdiag.attach.speak import FORBIDDEN, GONE, HUNG, NO_TMP, SILENT, UNSAFE, Refusal
from tests.contract.pretend_jvm import LARGE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the protocol's paths are those of Linux")

# pid, start ticks, timeout, operation, arguments -> exit code and what was said.
Client = Callable[[int, int, float, str, list[str]], tuple[int, bytes]]


def by_us(pid: int, ticks: int, timeout_s: float, operation: str, arguments: list[str]) -> tuple[int, bytes]:
    try:
        return 0, speak.speak(pid, ticks, timeout_s, operation, arguments)
    except Refusal as refusal:
        return refusal.code, str(refusal).encode()


def by_script(interpreter: str) -> Client:
    def client(
        pid: int, ticks: int, timeout_s: float, operation: str, arguments: list[str]
    ) -> tuple[int, bytes]:
        argv, source = script_client(interpreter)
        words = [str(pid), str(ticks), str(timeout_s), operation, *arguments]
        done = subprocess.run([*argv, *words], input=source, capture_output=True, timeout=60)
        return done.returncode, done.stdout or done.stderr

    return client


def perl() -> Client:
    found = shutil.which("perl")
    if found is None:
        pytest.skip("there is no perl here")
    return by_script(found)


CLIENTS: dict[str, Callable[[], Client]] = {
    "this process": lambda: by_us,
    "python3": lambda: by_script(sys.executable),
    "perl": perl,
}


@pytest.fixture(params=list(CLIENTS))
def ask(request: pytest.FixtureRequest) -> Client:
    return CLIENTS[request.param]()


Start = Callable[[str], int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a pretended JVM of that manner, its working directory one of its own, and gives its pid."""
    started: list[subprocess.Popen[bytes]] = []

    def one(manner: str) -> int:
        argv = [sys.executable, "-S", str(Path(__file__).with_name("pretend_jvm.py")), manner]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=tmp_path)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process.pid

    yield one
    for process in started:
        process.kill()
        process.communicate()
        Path(f"/tmp/.java_pid{process.pid}").unlink(missing_ok=True)


def ticks_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[19])


def triggers_of(pid: int, cwd: Path) -> list[Path]:
    return [path for path in (Path(f"/tmp/.attach_pid{pid}"), cwd / f".attach_pid{pid}") if path.exists()]


def test_a_request_has_the_version_the_operation_and_exactly_three_arguments(
    ask: Client, start: Start
) -> None:
    pid = start("listening")
    code, reply = ask(pid, ticks_of(pid), 5, "jcmd", ["Thread.print -l"])
    assert (code, reply) == (0, b"0\n['1', 'jcmd', 'Thread.print -l', '', '']\n")


def test_a_trigger_that_another_client_has_removed_does_no_harm(ask: Client, start: Start) -> None:
    pid = start("robbed")
    code, reply = ask(pid, ticks_of(pid), 5, "jcmd", ["Thread.print"])
    assert (code, reply[:2]) == (0, b"0\n")


def test_a_word_that_is_no_ascii_arrives_as_utf8(ask: Client, start: Start) -> None:
    pid = start("listening")
    _, reply = ask(pid, ticks_of(pid), 5, "jcmd", ['GC.heap_dump "/tmp/größe $x;`id`"'])
    assert "größe $x;`id`" in reply.decode()


def test_a_jvm_that_would_stream_is_asked_not_to(ask: Client, start: Start) -> None:
    pid = start("streaming")
    _, reply = ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])
    assert reply == b"0\n['1', 'jcmd streaming=0', 'VM.version', '', '']\n"


def test_a_large_binary_reply_comes_whole(ask: Client, start: Start) -> None:
    pid = start("large")
    assert ask(pid, ticks_of(pid), 5, "jcmd", ["x"]) == (0, LARGE)


def test_a_jvm_that_does_not_listen_yet_is_woken_and_the_trigger_is_gone(
    ask: Client, start: Start, tmp_path: Path
) -> None:
    pid = start("asleep")
    code, reply = ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])
    assert (code, reply) == (0, b"0\n['1', 'jcmd', 'VM.version', '', '']\n")
    assert triggers_of(pid, tmp_path) == []


def test_a_trigger_that_somebody_made_a_fifo_is_not_waited_for(
    ask: Client, start: Start, tmp_path: Path
) -> None:
    pid = start("asleep")
    fifo = Path(f"/tmp/.attach_pid{pid}")
    os.mkfifo(fifo)
    try:
        # The working directory takes its place.
        assert ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])[0] == 0
    finally:
        fifo.unlink(missing_ok=True)


def test_a_process_that_sigquit_would_end_gets_none(ask: Client, start: Start, tmp_path: Path) -> None:
    pid = start("unready")
    code, said = ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])
    assert (code, b"would not be caught" in said) == (UNSAFE, True)
    os.kill(pid, 0)
    assert triggers_of(pid, tmp_path) == []


def test_a_connection_closed_without_an_answer_is_no_answer(ask: Client, start: Start) -> None:
    pid = start("rude")
    assert ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])[0] == GONE


def test_a_pid_of_another_process_is_never_spoken_to(ask: Client, start: Start) -> None:
    pid = start("asleep")
    code, said = ask(pid, ticks_of(pid) + 1, 5, "jcmd", ["VM.version"])
    assert (code, b"another process now" in said) == (GONE, True)
    assert not Path(f"/tmp/.java_pid{pid}").exists()


def test_a_process_that_ended_is_gone(ask: Client) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert ask(ended.pid, 1, 5, "jcmd", ["VM.version"])[0] == GONE


def test_a_socket_that_nobody_serves_any_more_is_gone(ask: Client, start: Start) -> None:
    pid = start("asleep")
    orphan = Path(f"/tmp/.java_pid{pid}")
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
            str(orphan),
        ],
        check=True,
    )
    assert ask(pid, ticks_of(pid), 5, "jcmd", ["VM.version"])[0] == GONE


@pytest.mark.parametrize("name", ["this process", "python3"])
def test_a_jvm_that_never_answers_is_given_up_in_time(name: str, start: Start) -> None:
    # perl's alarm counts whole seconds.
    pid = start("mute")
    code, said = CLIENTS[name]()(pid, ticks_of(pid), 0.2, "jcmd", ["VM.version"])
    assert (code, b"did not answer within 0.2 s" in said) == (HUNG, True)


def test_a_jvm_of_another_user_is_refused_by_the_kernel_and_not_called_gone() -> None:
    # perl, which nobody may run wherever this Python lies
    script = Path(speak.__file__).with_name("speak.pl").read_bytes()
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    argv = ["perl", "-", "1", str(ticks_of(1)), "5", "jcmd", "VM.version"]
    done = subprocess.run(argv, input=script, capture_output=True, cwd="/", **nobody)
    assert (done.returncode, b"the kernel refuses" in done.stderr) == (FORBIDDEN, True)


def test_the_codes_are_told_apart_and_are_none_of_the_shells() -> None:
    codes = {FORBIDDEN, NO_TMP, SILENT, HUNG, GONE, UNSAFE}
    assert len(codes) == 6
    assert not codes & {0, 1, 2, 126, 127}


def test_both_scripts_name_the_same_codes() -> None:
    text = Path(speak.__file__).with_name("speak.pl").read_text(encoding="utf-8")
    names = {
        "forbidden": FORBIDDEN,
        "no writable /tmp": NO_TMP,
        "silent": SILENT,
        "hung": HUNG,
        "gone": GONE,
        "unsafe": UNSAFE,
    }
    for name, code in names.items():
        assert f"{code} {name}" in text
