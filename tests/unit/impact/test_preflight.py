"""The price before it is paid: each cause gives its finding, and a refusal its error and its way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.errors import (
    DumpUnderWay,
    JvmHung,
    LocalDiskFull,
    NoMethod,
    PauseTooLong,
    ReadOnlyTarget,
    WouldBeKilled,
)
from jvmdiag.impact.around import DumpThere, Surroundings
from jvmdiag.impact.disk import Room
from jvmdiag.impact.finding import Finding, Level, Subject, require_allowed
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.history import Measured
from jvmdiag.impact.preflight import Intent, Known, Local, Preflight, weigh
from jvmdiag.impact.way import Way
from jvmdiag.model import HealthProbe
from tests.unit.jvm.probe_case import the_jvm_of

TOMCAT = the_jvm_of("tomcat-inside")
GIB = 1 << 30
DISK = Room("/tmp", "overlay", writable=True, free_bytes=99 * GIB, in_memory=False)
FINE = Known(
    jvm=TOMCAT,
    around=Surroundings(rooms=(DISK,), cpus=2.0),
    methods=(("direct", ""), ("tools", "no jcmd"), ("jdk-image", ""), ("quit", "threads only")),
    estimate_bytes=GIB,
    now_s=1e9,
)
DUMP = Intent(Operation.HEAP_DUMP)


def of(subject: Subject, price: Preflight) -> tuple[Finding, ...]:
    return tuple(f for f in price.findings if f.subject is subject)


def test_a_target_with_nothing_against_it_has_every_subject_and_no_refusal() -> None:
    price = weigh(DUMP, replace(FINE, local=Local("/here", 5, 9)))
    assert {f.subject for f in price.findings} == set(Subject) - {Subject.MEMORY}
    assert require_allowed(price.findings, ()) == ()
    assert price.room == DISK
    [jvm] = of(Subject.JVM, price)
    assert jvm.advice == ("not by tools: no jcmd", "not by quit: threads only")
    assert "17.0" in jvm.what and "G1" in jvm.what and "by direct, jdk-image" in jvm.what


def test_a_histogram_writes_nothing_and_needs_no_disk() -> None:
    price = weigh(Intent(Operation.HISTOGRAM), replace(FINE, around=Surroundings(rooms=())))
    assert of(Subject.DISK, price) == ()
    assert price.room is None


def test_without_disk_a_full_one_is_no_matter_and_the_way_is_in_the_forecast() -> None:
    full = replace(DISK, free_bytes=0)
    memory = Room("/dev/shm", "tmpfs", writable=True, free_bytes=0, in_memory=True)
    known = replace(FINE, around=replace(FINE.around, rooms=(full, memory)))
    plain = weigh(DUMP, known)
    [refusal] = of(Subject.DISK, plain)
    assert refusal.level is Level.REFUSED
    assert any("--no-disk" in line for line in refusal.advice)
    price = weigh(replace(DUMP, no_disk=True), replace(known, way=Way(1e6, 0)))
    assert require_allowed(price.findings, ()) == ()
    assert of(Subject.MEMORY, price) == ()
    assert price.room == memory
    assert price.forecast.low_s > GIB / 1e6 / 2 > plain.forecast.low_s
    with pytest.raises(PauseTooLong):
        limited = replace(DUMP, no_disk=True, max_pause_s=60)
        require_allowed(weigh(limited, replace(known, way=Way(1e6, 0))).findings, ())


def test_without_disk_a_fifo_still_has_to_stand_somewhere() -> None:
    closed = replace(FINE, around=replace(FINE.around, rooms=(replace(DISK, writable=False),)))
    [refusal] = of(Subject.DISK, weigh(replace(DUMP, no_disk=True), closed))
    assert refusal.error is ReadOnlyTarget


def watched(*, kills: bool, silent_s: float) -> Known:
    return replace(FINE, probes=(HealthProbe("its HEALTHCHECK", silent_s, "is restarted", kills),))


def measured(pause_s: float, *, at_s: float = 0.0) -> Measured:
    return Measured(at_s, "docker://web", "Main", "heap dump", False, GIB, pause_s, 1.0, 2.0)


def growing(age_s: float, path: str = "/tmp/x.hprof") -> Known:
    return replace(FINE, around=replace(FINE.around, dumps=(DumpThere(path, 5_000_000, age_s),)))


@pytest.mark.parametrize(
    ("subject", "known", "intent", "error"),
    [
        (Subject.JVM, replace(FINE, methods=(("direct", "no"),)), DUMP, NoMethod),
        (Subject.JVM, replace(FINE, hung="no word in 30 s"), DUMP, JvmHung),
        (Subject.HEALTH, watched(kills=True, silent_s=0.1), DUMP, WouldBeKilled),
        (Subject.PAUSE, FINE, replace(DUMP, max_pause_s=0.01), PauseTooLong),
        (Subject.OTHERS, replace(FINE, around=replace(FINE.around, locked=True)), DUMP, DumpUnderWay),
        (Subject.OTHERS, growing(1.0), DUMP, DumpUnderWay),
        (Subject.HERE, replace(FINE, local=Local("/here", 9, 5)), DUMP, LocalDiskFull),
    ],
)
def test_what_would_do_harm_is_refused_and_only_its_own_name_forces_it(
    subject: Subject, known: Known, intent: Intent, error: type[Exception]
) -> None:
    price = weigh(intent, known)
    with pytest.raises(error) as caught:
        require_allowed(price.findings, set(Subject) - {subject})
    assert f"--force {subject.value} " in getattr(caught.value, "advice", [""])[-1]
    [overridden] = require_allowed(price.findings, {subject})
    assert overridden.level is Level.REFUSED


def test_a_check_that_only_marks_is_a_risk_and_one_that_is_patient_is_none() -> None:
    [marked] = of(Subject.HEALTH, weigh(DUMP, watched(kills=False, silent_s=0.1)))
    [patient] = of(Subject.HEALTH, weigh(DUMP, watched(kills=True, silent_s=3600)))
    assert (marked.level, patient.level) == (Level.RISKY, Level.OK)
    assert "is restarted after 100 ms" in marked.what and "the forecast pause is" in marked.what


@pytest.mark.parametrize(
    ("age_s", "path", "words"),
    [
        (240, "/tmp/x.hprof", "fetch TARGET /tmp/x.hprof"),
        (9000, "/tmp/.jvmdiag-01.hprof", "--remove"),
        (9000, "/tmp/x.hprof", ""),
    ],
)
def test_a_dump_that_lies_there_is_mentioned_where_it_is_fresh_or_ours(
    age_s: float, path: str, words: str
) -> None:
    [found] = of(Subject.OTHERS, weigh(DUMP, growing(age_s, path)))
    assert found.level is (Level.RISKY if words else Level.OK)
    assert words in " ".join(found.advice)


def test_one_that_was_brought_here_minutes_ago_is_mentioned() -> None:
    [found] = of(Subject.OTHERS, weigh(DUMP, replace(FINE, past=(measured(1.0, at_s=1e9 - 120),))))
    assert found.level is Level.RISKY and "2m 0s ago" in found.what


def test_what_was_measured_there_before_moves_the_forecast() -> None:
    plain = weigh(DUMP, FINE).forecast
    slow = weigh(DUMP, replace(FINE, past=(measured(60.0),) * 3)).forecast
    assert slow.low_s < 60 < slow.high_s
    assert slow.high_s > plain.high_s
    # Another operation says nothing of this one.
    assert (
        weigh(Intent(Operation.HEAP_DUMP, live=True), replace(FINE, past=(measured(60.0),))).forecast.high_s
        < 60
    )


def test_a_busy_machine_makes_it_longer() -> None:
    busy = weigh(DUMP, replace(FINE, around=replace(FINE.around, contention=4.0))).forecast
    assert busy.high_s == pytest.approx(2.5 * weigh(DUMP, FINE).forecast.high_s)
    assert "4.0 wanting each CPU" in busy.basis


def test_a_heap_dump_is_always_asked_for_and_a_histogram_where_it_is_felt() -> None:
    histogram = Intent(Operation.HISTOGRAM)
    assert weigh(DUMP, replace(FINE, estimate_bytes=1 << 20)).worth_asking
    assert not weigh(histogram, replace(FINE, estimate_bytes=1 << 20)).worth_asking
    assert weigh(histogram, replace(FINE, estimate_bytes=20 * GIB)).worth_asking


def test_a_trigger_of_a_failed_attempt_is_mentioned() -> None:
    price = weigh(DUMP, replace(FINE, jvm=replace(TOMCAT, stale_trigger=".attach_pid7 in /tmp")))
    assert ".attach_pid7 in /tmp" in of(Subject.JVM, price)[1].what
