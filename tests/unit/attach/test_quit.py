"""SIGQUIT: to whom it may be sent, and the dump among what else stands in a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.attach.quit import Quit, QuitSpeaker, ended_dump, whole_dump
from jvmdiag.attach.rung import NotReady, Ready, Scene
from jvmdiag.errors import AttachRefused, CommandRefused, JvmGone, JvmHung
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import Jvm, SigQuit, Vm
from tests.fakes import Asked, FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import CONTAINER, EngineClient, facts, in_a_container, on_a_machine

THREADS = Path(__file__).parents[2] / "data" / "threads"
VERSIONS = (11, 17, 21, 25)
TOMCAT = the_jvm_of("tomcat-inside")
NOISE_BEFORE = b"2026-03-01 11:59:59 INFO request 1\nFull thread dump requested by the watchdog\n"
NOISE_BEHIND = b"2026-03-01 12:00:01 INFO request 2\n"


def log_of(version: int) -> bytes:
    return (THREADS / f"jdk{version}-log.txt").read_bytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_dump_is_cut_out_of_the_log_from_its_time_line_to_the_end_of_its_heap(version: int) -> None:
    log = log_of(version)
    dump = whole_dump(NOISE_BEFORE + log + NOISE_BEHIND)
    assert dump is not None
    assert dump in log
    assert dump.startswith(b"2026-")
    assert dump.splitlines()[1].startswith(b"Full thread dump OpenJDK 64-Bit Server VM")
    assert dump.rstrip().splitlines()[-1].startswith(b"  class space    used")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_log_that_is_not_yet_whole_gives_nothing_at_any_line(version: int) -> None:
    lines = log_of(version).rstrip(b"\n").splitlines(keepends=True)
    assert not any(whole_dump(b"".join(lines[:count])) for count in range(len(lines)))
    assert whole_dump(log_of(version)) is not None


def test_of_two_dumps_the_first_is_taken() -> None:
    first, second = log_of(17), log_of(21)
    assert whole_dump(first + second) == whole_dump(first)


def test_a_log_without_a_time_line_begins_with_the_dump_itself() -> None:
    log = log_of(17)
    bare = log[log.index(b"Full thread dump") :]
    assert whole_dump(bare) == bare[: len(bare.rstrip()) + 2]


def test_lines_of_a_terminal_end_the_dump_too() -> None:
    dump = whole_dump(log_of(17).replace(b"\n", b"\r\n"))
    assert dump is not None
    assert dump.startswith(b"2026-")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dump_without_a_class_space_is_known_by_its_heap_block(version: int) -> None:
    log = log_of(version)
    uncompressed = log[: log.index(b"  class space ")]
    assert whole_dump(uncompressed) is None
    dump = ended_dump(uncompressed)
    assert dump is not None
    assert dump.endswith(uncompressed[-40:])


def test_a_dump_without_its_heap_block_has_not_ended() -> None:
    log = log_of(17)
    assert ended_dump(log[: log.index(b"\nHeap\n")]) is None
    assert ended_dump(NOISE_BEFORE) is None
    assert ended_dump(b"") is None


def refusal(scene: Scene, line: str = "Thread.print") -> str:
    answer = Quit().probe(scene, line)
    return answer.reason if isinstance(answer, NotReady) else ""


@pytest.mark.parametrize(
    ("jvm", "line", "reason"),
    [
        (TOMCAT, "GC.heap_dump", "a thread dump and nothing else"),
        (TOMCAT, "Thread.print -l", "without the locks"),
        (replace(TOMCAT, vm=Vm.OPENJ9), "Thread.print", "javacore"),
        (replace(TOMCAT, vm=Vm.UNKNOWN), "Thread.print", "no libjvm.so"),
        (the_jvm_of("xrs-unknown-uid-inside"), "Thread.print", "not caught by it (default): it could end"),
        (replace(TOMCAT, sigquit=SigQuit.IGNORED), "Thread.print", "not caught by it (ignored)"),
        (replace(TOMCAT, sigquit=SigQuit.UNKNOWN), "Thread.print", "not caught by it (unknown)"),
        (the_jvm_of("stopped-stale-trigger-host"), "Thread.print", "stopped (state T)"),
        (the_jvm_of("another-user-inside"), "Thread.print", "belongs to user 1001"),
    ],
)
def test_a_signal_that_could_do_harm_or_no_good_is_not_offered(jvm: Jvm, line: str, reason: str) -> None:
    assert reason in refusal(in_a_container(jvm), line)


def test_a_container_whose_log_the_engine_keeps_is_ready() -> None:
    ready = Quit().probe(in_a_container(TOMCAT), "Thread.print")
    assert isinstance(ready, Ready)
    assert ready.commands[0] == "kill -QUIT 1"
    assert "docker logs" in ready.commands[1]


def test_a_log_that_the_engine_cannot_read_back_is_no_way() -> None:
    assert "log driver syslog" in refusal(
        in_a_container(TOMCAT, about=facts(log_driver="syslog", log_kept=False))
    )


def test_a_log_that_the_engine_turns_out_not_to_have_is_noticed_before_the_signal() -> None:
    class Forgetful(EngineClient):
        def logs(self, container: str, **_: object) -> bytes:
            import docker
            import requests

            answer = requests.Response()
            answer.status_code = 501
            raise docker.errors.APIError("", answer, "configured logging driver does not support reading")

    host = FakeHost({("cat", "/proc/1/stat"): STAT})
    scene = in_a_container(TOMCAT, host=host, client=Forgetful(), about=facts(log_driver="syslog"))
    with pytest.raises(AttachRefused, match="does not support reading"):
        QuitSpeaker(scene).ask("Thread.print", 5)
    assert [asked.argv for asked in host.asked] == [("cat", "/proc/1/stat")]


def test_a_file_is_read_back_wherever_the_jvm_is() -> None:
    jvm = replace(TOMCAT, stdout="/var/log/catalina.out", stdout_is_of_pid1=False, pid=7, nspids=(7,))
    for scene in (on_a_machine(jvm), in_a_container(jvm)):
        ready = Quit().probe(scene, "Thread.print")
        assert isinstance(ready, Ready)
        assert ready.commands == ("kill -QUIT 7", "tail /proc/7/fd/1")


@pytest.mark.parametrize("stdout", ["/dev/null", "/dev/pts/0", "socket:[123]", "pipe:[5]", ""])
def test_what_cannot_be_read_back_is_no_way(stdout: str) -> None:
    assert "nothing could be read back" in refusal(on_a_machine(replace(TOMCAT, stdout=stdout)))


CATALINA = replace(TOMCAT, stdout="/var/log/catalina.out", stdout_is_of_pid1=False, pid=7, nspids=(7,))
STAT = f"7 (java) S {'0 ' * 18}{CATALINA.start_ticks} 0\n".encode()
KILL = ("sh", "-c", 'kill -QUIT "$1"', "sh", "7")


def test_the_dump_is_read_from_where_the_file_ended_before() -> None:
    grows = [b"", log_of(17)[:900], log_of(17) + NOISE_BEHIND]

    def tail(_: Asked) -> bytes:
        return grows.pop(0)

    host = FakeHost(
        {
            ("cat", "/proc/7/stat"): STAT,
            ("sh", "-c", 'wc -c <"$1"', "sh", "/proc/7/fd/1"): b"4000\n",
            KILL: b"",
            ("tail", "-c", "+4001", "/proc/7/fd/1"): tail,
        }
    )
    speaker = QuitSpeaker(on_a_machine(CATALINA, host))
    assert speaker.ask("Thread.print", 5) == whole_dump(log_of(17))
    assert "/var/log/catalina.out" in speaker.detail
    assert sum(asked.argv == KILL for asked in host.asked) == 1


def test_the_dump_is_read_from_the_containers_log_since_its_last_line() -> None:
    client = EngineClient(log=(b"", log_of(21)))
    host = FakeHost({("cat", "/proc/1/stat"): STAT, (*KILL[:-1], "1"): b""})
    speaker = QuitSpeaker(in_a_container(TOMCAT, host=host, client=client))
    assert speaker.ask("Thread.print", 5) == whole_dump(log_of(21))
    assert client.since[0] == pytest.approx(1772366400.25, abs=1e-3)
    assert client.since[0] > 1772366400.25
    assert client.killed == []


def test_where_only_a_sidecar_sees_the_jvm_the_engine_sends_the_signal() -> None:
    client = EngineClient(log=(log_of(21),))
    host = FakeHost({("cat", "/proc/1/stat"): STAT})
    QuitSpeaker(in_a_container(TOMCAT, kind=ViewKind.SIDECAR, host=host, client=client)).ask(
        "Thread.print", 5
    )
    assert client.killed == [(CONTAINER, "SIGQUIT")]


def test_a_pid_that_is_another_process_now_gets_no_signal() -> None:
    host = FakeHost({("cat", "/proc/7/stat"): STAT.replace(b" S ", b" Z ")})
    with pytest.raises(JvmGone):
        QuitSpeaker(on_a_machine(CATALINA, host)).ask("Thread.print", 5)
    assert len(host.asked) == 1


def test_a_file_that_cannot_be_read_is_noticed_before_the_signal() -> None:
    host = FakeHost({("cat", "/proc/7/stat"): STAT, (lambda argv: "wc" in argv[2]): done("", 1, "denied")})
    with pytest.raises(CommandRefused, match="denied"):
        QuitSpeaker(on_a_machine(CATALINA, host)).ask("Thread.print", 5)
    assert KILL not in [asked.argv for asked in host.asked]


@pytest.mark.parametrize(
    ("printed", "says"), [(b"", "printed no thread dump"), (log_of(17)[:900], "began a thread dump")]
)
def test_a_dump_that_does_not_come_or_end_is_a_jvm_that_hangs(printed: bytes, says: str) -> None:
    client = EngineClient(log=(printed,))
    host = FakeHost({("cat", "/proc/1/stat"): STAT, (*KILL[:-1], "1"): b""})
    with pytest.raises(JvmHung, match=says):
        QuitSpeaker(in_a_container(TOMCAT, host=host, client=client)).ask("Thread.print", 0.12)


def test_anything_but_a_plain_thread_dump_is_refused() -> None:
    with pytest.raises(CommandRefused):
        QuitSpeaker(on_a_machine(CATALINA)).ask("Thread.print -l", 5)
