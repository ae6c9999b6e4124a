"""The pause of a question of ours, from counters that were read before and after."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.errors import ConnectionLost
from jvmdiag.impact.pause import (
    MeteredSpeaker,
    SafepointCounters,
    counters_of,
    pause_between,
    takes_safepoints,
)
from jvmdiag.jvm.perfdata import parse_perfdata
from jvmdiag.model import Pause
from tests.fakes import FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.jvm.test_perfdata import made

JVM = replace(the_jvm_of("jdk17-listening-host"), perfdata="/tmp/hsperfdata_app/1")
PATH = ("cat", "/proc/7/root/tmp/hsperfdata_app/1")
NS = 1_000_000_000


def perfdata(count: int, at_ns: int, reaching_ns: int, **more: int) -> bytes:
    return made(
        {
            "sun.rt.safepoints": count,
            "sun.rt.safepointTime": at_ns,
            "sun.rt.safepointSyncTime": reaching_ns,
            "sun.os.hrt.frequency": NS,
            **{f"sun.gc.collector.0.{name}": value for name, value in more.items()},
        }
    )


class Answering(Speaker):
    method, detail = "direct", "by a fake"

    def __init__(self, reach: Reach | None) -> None:
        self.reach = reach

    def ask(self, line: str, timeout_s: float) -> bytes:
        return b"the answer"


def metered(*readings: bytes | Exception, settles_within_s: float = 1.0) -> tuple[MeteredSpeaker, FakeHost]:
    left = list(readings)

    def read(_asked: object) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    host = FakeHost({PATH: read})  # type: ignore[dict-item]
    speaker = Answering(Reach(host, "/proc/7/root", None))
    return MeteredSpeaker(speaker, JVM, settles_within_s=settles_within_s), host


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
    ("line", "major", "takes"),
    [
        ("GC.heap_dump -all /x", 17, 1),
        ("GC.class_histogram", 25, 1),
        ("Thread.print -l", 11, 3),
        ("Thread.print", 17, 3),
        ("Thread.print", 21, 2),
        ("Thread.print", 25, 2),
    ],
)
def test_a_question_takes_as_many_safepoints_as_were_measured(line: str, major: int, takes: int) -> None:
    assert takes_safepoints(line, major) == takes


BEFORE = SafepointCounters(10, 1.0, 0.25)


def test_a_pause_is_what_lies_between_two_readings() -> None:
    assert pause_between(BEFORE, SafepointCounters(11, 3.0, 0.5), 1, 2.1) == Pause(2.0, 0.25, 1, True)


@pytest.mark.parametrize(
    ("before", "safepoints", "asked_s"),
    [
        (BEFORE, 2, 9.0),  # more than it takes
        (replace(BEFORE, collecting=True), 1, 9.0),  # counted before, its time comes after
        (BEFORE, 1, 1.5),  # more time than the question took
    ],
)
def test_what_may_hold_the_applications_own_stops_is_at_most(
    before: SafepointCounters, safepoints: int, asked_s: float
) -> None:
    pause = pause_between(before, SafepointCounters(10 + safepoints, 3.0, 0.5), 1, asked_s)
    assert pause is not None and (pause.seconds, pause.exact) == (2.0, False)


@pytest.mark.parametrize("after", [BEFORE, SafepointCounters(11, 1.0, 0.25), SafepointCounters(3, 0.5, 0.1)])
def test_counters_that_did_not_move_are_no_pause_of_nothing(after: SafepointCounters) -> None:
    assert pause_between(BEFORE, after, 1, 9.0) is None


@pytest.mark.parametrize(("entry", "exit_", "collecting"), [(5, 4, True), (5, 6, False), (0, 0, False)])
def test_a_collection_under_way_is_seen(entry: int, exit_: int, collecting: bool) -> None:
    data = perfdata(5, NS, 0, lastEntryTime=entry, lastExitTime=exit_)
    found = counters_of(parse_perfdata(data), 17)
    assert found is not None and found.collecting is collecting


def test_it_reads_before_and_after_the_question() -> None:
    speaker, _ = metered(perfdata(5, NS, 0), perfdata(6, NS + NS // 2000, NS // 10000))
    assert speaker.ask("GC.heap_dump /x", 9) == b"the answer"
    assert speaker.pause is not None
    assert speaker.pause.seconds == pytest.approx(0.0006)
    assert speaker.pause.reaching_s == pytest.approx(0.0001)
    assert (speaker.pause.safepoints, speaker.pause.exact) == (1, True)


def test_a_safepoint_that_has_begun_and_not_ended_is_waited_for() -> None:
    begun = perfdata(6, NS, 0)
    speaker, host = metered(perfdata(5, NS, 0), begun, begun, begun, perfdata(6, 2 * NS, 0))
    speaker.ask("GC.heap_dump /x", 9)
    assert speaker.pause is not None and speaker.pause.seconds == 1.0
    assert len(host.asked) == 6


def test_a_later_safepoint_of_the_same_question_is_waited_for() -> None:
    speaker, _ = metered(
        perfdata(5, NS, 0), perfdata(6, NS + 1000, 0), perfdata(8, NS + 1000, 0), perfdata(8, NS + 9000, 0)
    )
    speaker.ask("Thread.print", 9)
    assert speaker.pause is not None
    assert speaker.pause.safepoints == 3
    assert speaker.pause.seconds == pytest.approx(9e-6)


def test_a_file_that_never_moves_gives_none_within_a_bound() -> None:
    speaker, host = metered(perfdata(5, NS, 0), settles_within_s=0.3)
    started = time.monotonic()
    assert speaker.ask("GC.heap_dump /x", 9) == b"the answer"
    assert speaker.pause is None
    assert len(host.asked) >= 3
    assert time.monotonic() - started < 10


def test_a_reading_ahead_is_that_of_the_next_question_only() -> None:
    speaker, host = metered(perfdata(5, NS, 0), perfdata(6, 2 * NS, 0), settles_within_s=0.1)
    speaker.read_ahead()
    assert len(host.asked) == 1
    speaker.ask("GC.heap_dump /x", 9)
    assert speaker.pause is not None and speaker.pause.seconds == 1.0
    speaker.ask("GC.heap_dump /x", 9)
    assert speaker.pause is None


@pytest.mark.parametrize(
    "readings",
    [
        (done("", 1),),
        (b"no perfdata",),
        (ConnectionLost("gone"),),
        (perfdata(5, 1, 1), TimeoutError()),
        (perfdata(5, 1, 1), OSError("no file descriptor")),
        (perfdata(5, 1, 1), RuntimeError("can't start new thread")),
    ],
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
