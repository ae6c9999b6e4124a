"""The pause of a question of ours, from counters that were read before and after."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.errors import ConnectionLost
from jvmdiag.impact.pause import MeteredSpeaker, SafepointCounters, counters_of, pause_between
from tests.fakes import FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of

JVM = replace(the_jvm_of("jdk17-listening-host"), perfdata="/tmp/hsperfdata_app/1")
PATH = ("cat", "/proc/7/root/tmp/hsperfdata_app/1")
NS = 1_000_000_000


def perfdata(count: int, at_ns: int, reaching_ns: int) -> bytes:
    """A file of format 2.0 with the four counters that matter."""
    names = ("sun.rt.safepoints", "sun.rt.safepointTime", "sun.rt.safepointSyncTime", "sun.os.hrt.frequency")
    entries = b""
    for name, value in zip(names, (count, at_ns, reaching_ns, NS), strict=True):
        text = name.encode() + b"\0"
        text += bytes(-len(text) % 8 + 4)
        entries += struct.pack("<iiiBBBBi", 20 + len(text) + 8, 20, 0, ord("J"), 0, 0, 0, 20 + len(text))
        entries += text + struct.pack("<q", value)
    return struct.pack("<4sBBBBiiqii", b"\xca\xfe\xc0\xc0", 1, 2, 0, 1, 0, 0, 0, 32, 4) + entries


class Answering(Speaker):
    method, detail = "direct", "by a fake"

    def __init__(self, reach: Reach | None) -> None:
        self.reach = reach

    def ask(self, line: str, timeout_s: float) -> bytes:
        return b"the answer"


def metered(*readings: bytes | Exception) -> tuple[MeteredSpeaker, FakeHost]:
    left = list(readings)

    def read(_asked: object) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    host = FakeHost({PATH: read})  # type: ignore[dict-item]
    return MeteredSpeaker(Answering(Reach(host, "/proc/7/root", None)), JVM), host


@pytest.mark.parametrize(("major", "stopped_s"), [(11, 2.0), (17, 2.5), (21, 2.5), (25, 2.5)])
def test_what_is_counted_as_stopped_depends_on_the_version(major: int, stopped_s: float) -> None:
    counters = {
        "sun.rt.safepoints": 7,
        "sun.rt.safepointTime": 2 * NS,
        "sun.rt.safepointSyncTime": NS // 2,
        "sun.os.hrt.frequency": NS,
    }
    assert counters_of(counters, major) == SafepointCounters(7, stopped_s, 0.5)


@pytest.mark.parametrize("major", [None, 8, 12, 16])
def test_a_version_whose_counters_were_not_compared_with_its_log_has_none(major: int | None) -> None:
    counters = {
        "sun.rt.safepoints": 7,
        "sun.rt.safepointTime": 2 * NS,
        "sun.rt.safepointSyncTime": NS // 2,
        "sun.os.hrt.frequency": NS,
    }
    assert counters_of(counters, major) is None


def test_counters_that_are_missing_are_none() -> None:
    assert counters_of({"sun.rt.safepoints": 7, "sun.os.hrt.frequency": NS}, 17) is None


@pytest.mark.parametrize(
    ("line", "safepoints", "exact"),
    [
        ("GC.heap_dump", 1, True),
        ("GC.heap_dump", 2, False),
        ("Thread.print -l", 3, True),
        ("Thread.print", 4, False),
    ],
)
def test_more_safepoints_than_the_question_takes_make_it_at_most(
    line: str, safepoints: int, exact: bool
) -> None:
    before, after = SafepointCounters(10, 1.0, 0.25), SafepointCounters(10 + safepoints, 3.0, 0.5)
    pause = pause_between(before, after, line)
    assert (pause.seconds, pause.reaching_s, pause.safepoints, pause.exact) == (2.0, 0.25, safepoints, exact)


def test_it_reads_before_and_after_the_question() -> None:
    speaker, host = metered(perfdata(5, NS, 0), perfdata(6, 3 * NS, NS // 2))
    assert speaker.ask("GC.heap_dump /x", 9) == b"the answer"
    assert speaker.pause is not None
    assert (speaker.pause.seconds, speaker.pause.safepoints) == (2.5, 1)
    assert [asked.argv for asked in host.asked] == [PATH, PATH]


def test_counters_that_the_vm_thread_has_not_written_yet_are_read_again() -> None:
    old = perfdata(5, NS, 0)
    speaker, host = metered(old, old, old, perfdata(6, 2 * NS, 0))
    speaker.ask("GC.heap_dump /x", 9)
    assert speaker.pause is not None and speaker.pause.seconds == 1.0
    assert len(host.asked) == 4


@pytest.mark.parametrize(
    "readings",
    [(done("", 1),), (b"no perfdata",), (ConnectionLost("gone"),), (perfdata(5, 1, 1), TimeoutError())],
)
def test_counters_that_cannot_be_read_cost_the_answer_nothing(
    readings: tuple[bytes | Exception, ...],
) -> None:
    speaker, _ = metered(*readings)
    assert speaker.ask("GC.heap_dump /x", 9) == b"the answer"
    assert speaker.pause is None


def test_without_a_file_or_a_way_to_it_nothing_is_read() -> None:
    host = FakeHost()
    for speaker, jvm in (
        (Answering(None), JVM),
        (Answering(Reach(host, "", None)), replace(JVM, perfdata=None)),
    ):
        one = MeteredSpeaker(speaker, jvm)
        assert one.ask("Thread.print", 9) == b"the answer"
        assert one.pause is None
    assert host.asked == []
