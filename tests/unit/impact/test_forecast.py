"""The forecast of a pause: what it grows with, what it does without, what the past does to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.impact.forecast import Conditions, Operation, Past, forecast
from jvmdiag.model import Forecast

MB = 1_000_000
GB = 1_000 * MB
DUMP = Conditions(Operation.HEAP_DUMP, 1_200 * MB, major=17, collector="G1", cpus=2)
OPERATIONS = tuple(Operation)
COLLECTORS = ("G1", "Parallel", "Serial", "Z", "Shenandoah", None)
MAJORS = (8, 11, 14, 17, 21, 24, 25, 26, None)


def of(operation: Operation, heap_used_bytes: int = GB, **more: bool | int) -> Conditions:
    return Conditions(operation, heap_used_bytes, major=17, collector="G1", cpus=2, **more)  # type: ignore[arg-type]


def width(found: Forecast) -> float:
    return found.high_s / found.low_s


def holds(found: Forecast, seconds: float) -> bool:
    return found.low_s <= seconds <= found.high_s


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("operation", [Operation.HEAP_DUMP, Operation.HISTOGRAM, Operation.LOCKS])
def test_a_larger_heap_stops_it_longer(operation: Operation, major: int | None, live: bool) -> None:
    heaps = (0, 64 * MB, 256 * MB, GB, 32 * GB)
    found = [forecast(replace(of(operation, heap, live=live), major=major)) for heap in heaps]
    assert sorted(found, key=lambda f: f.low_s) == sorted(found, key=lambda f: f.high_s) == found
    assert len({f.high_s for f in found}) == len(heaps)


def test_the_heap_is_nothing_to_a_plain_thread_dump_and_its_threads_are() -> None:
    small, large = (forecast(of(Operation.THREADS, heap, threads=30)) for heap in (MB, 32 * GB))
    many = forecast(of(Operation.THREADS, MB, threads=3000))
    assert (small.low_s, small.high_s) == (large.low_s, large.high_s)
    assert small.high_s < 0.1 < many.high_s


@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("operation", [Operation.HEAP_DUMP, Operation.HISTOGRAM])
def test_a_collection_comes_on_top(operation: Operation, collector: str | None) -> None:
    every = forecast(replace(of(operation), collector=collector))
    live = forecast(replace(of(operation, live=True), collector=collector))
    assert live.low_s > every.low_s
    assert live.high_s > every.high_s


@pytest.mark.parametrize("past", [(), (Past(GB, 1.0),)])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_heap_at_all_has_a_forecast(operation: Operation, past: tuple[Past, ...]) -> None:
    for heap in (0, -1):
        found = forecast(of(operation, heap), past)
        assert 0 < found.low_s < found.high_s < 3


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_known_makes_it_wider(operation: Operation) -> None:
    known = of(operation, live=operation in (Operation.HEAP_DUMP, Operation.HISTOGRAM))
    whole = forecast(known)
    for missing in ({"major": None}, {"collector": None}, {"cpus": None}):
        found = forecast(replace(known, **missing))  # type: ignore[arg-type]
        assert found.low_s <= whole.low_s
        assert found.high_s >= whole.high_s
    nothing = forecast(replace(known, major=None, collector=None, cpus=None))
    assert width(nothing) > width(whole)
    assert nothing.basis.startswith("1.0 GB of heap; ")


@pytest.mark.parametrize(("major", "like"), [(8, 11), (11, 11), (18, 17), (26, 25)])
def test_a_version_that_was_not_measured_reaches_as_far_as_its_neighbour(major: int, like: int) -> None:
    found, neighbour = (forecast(replace(DUMP, major=m)) for m in (major, like))
    assert found.low_s <= neighbour.low_s
    assert found.high_s >= neighbour.high_s


def test_a_version_between_two_that_were_measured_has_both_ranges() -> None:
    eleven, between, seventeen = (forecast(replace(DUMP, major=major)) for major in (11, 14, 17))
    assert (between.low_s, between.high_s) == (seventeen.low_s, eleven.high_s)
    assert seventeen.high_s < eleven.high_s


def test_a_quota_below_one_cpu_stretches_it() -> None:
    one, half = (forecast(replace(DUMP, cpus=cpus)) for cpus in (1, 0.5))
    assert (half.low_s, half.high_s) == pytest.approx((2 * one.low_s, 2 * one.high_s))
    assert forecast(replace(DUMP, cpus=0)).high_s < 3600


def test_a_crowded_machine_lengthens_the_high_end_and_is_named() -> None:
    alone, crowded = forecast(DUMP), forecast(replace(DUMP, contention=4))
    assert (crowded.low_s, crowded.high_s) == pytest.approx((alone.low_s, 2.5 * alone.high_s))
    assert "2 CPUs, 4.0 wanting each CPU;" in crowded.basis
    assert "wanting" not in alone.basis


def test_what_was_measured_before_lies_in_the_next_range_and_makes_it_narrower() -> None:
    alone = forecast(DUMP)
    once = forecast(DUMP, [Past(DUMP.heap_used_bytes, 2.0)])
    often = forecast(DUMP, [Past(DUMP.heap_used_bytes, seconds) for seconds in (1.9, 2.0, 2.1)])
    assert holds(once, 2.0)
    assert holds(often, 2.0)
    assert width(alone) > width(once) > width(often)


def test_however_often_it_was_the_same_it_may_be_another_half_more() -> None:
    same = forecast(DUMP, [Past(DUMP.heap_used_bytes, 2.0)] * 50)
    assert holds(same, 2.0 * 1.4)
    assert holds(same, 2.0 / 1.4)


def test_measurements_that_do_not_agree_make_it_wider() -> None:
    agreed = forecast(DUMP, [Past(DUMP.heap_used_bytes, seconds) for seconds in (2.0, 2.0, 2.0)])
    apart = forecast(DUMP, [Past(DUMP.heap_used_bytes, seconds) for seconds in (1.0, 2.0, 4.0)])
    assert width(apart) > width(agreed)


def test_one_that_is_far_off_does_not_carry_the_range_away() -> None:
    seconds = (2.0, 2.0, 60.0, 2.0, 2.0)
    assert holds(forecast(DUMP, [Past(DUMP.heap_used_bytes, s) for s in seconds]), 2.0)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 5.0, 60.0])
def test_a_heap_ten_times_as_large_takes_about_ten_times_as_long(seconds: float) -> None:
    past = Past(200 * MB, seconds)
    assert holds(forecast(replace(DUMP, heap_used_bytes=2 * GB), [past]), seconds * 10)


def test_a_target_that_is_slower_than_any_that_was_measured_stays_so() -> None:
    slow = forecast(DUMP).high_s * 8
    assert holds(forecast(DUMP, [Past(DUMP.heap_used_bytes, slow)]), slow)


def test_a_measurement_of_nothing_is_none() -> None:
    assert forecast(DUMP, [Past(GB, 0.0)]) == forecast(DUMP)


@pytest.mark.parametrize(
    ("conditions", "times", "basis"),
    [
        (DUMP, 0, "1.2 GB of heap, G1, JVM 17, 2 CPUs; by measurements of 64 MB to 2 GB"),
        (
            replace(DUMP, cpus=1),
            1,
            "1.2 GB of heap, G1, JVM 17, 1 CPU; by an earlier one of this target",
        ),
        (DUMP, 3, "1.2 GB of heap, G1, JVM 17, 2 CPUs; by 3 earlier heap dumps of this target"),
        (
            of(Operation.HISTOGRAM),
            2,
            "1.0 GB of heap, G1, JVM 17, 2 CPUs; by 2 earlier histograms of this target",
        ),
        (
            replace(of(Operation.LOCKS), major=None, collector=None, cpus=0.5),
            2,
            "1.0 GB of heap, 0.5 CPUs; by 2 earlier thread dumps with --locks of this target",
        ),
    ],
)
def test_it_says_what_it_goes_by(conditions: Conditions, times: int, basis: str) -> None:
    assert forecast(conditions, [Past(GB, 1.0)] * times).basis == basis
