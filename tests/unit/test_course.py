"""What the real tests hold a rate to, where the second source was read all along."""

from __future__ import annotations

import time
from math import exp

import pytest

from tests.real.course import Between, Course, Sample, rate_of, told


def course_of(*samples: tuple[float, float]) -> Course:
    course = Course(dict)
    course.samples = [Sample(at, at, {"n": n, "all": 10 * at}) for at, n in samples]
    return course


def test_an_even_rate_is_one_number_wherever_the_look_was() -> None:
    course = course_of((0, 0), (1, 5), (2.5, 12.5), (6, 30))
    for seconds in (0.3, 2, 6):
        rate = course.rate("n", seconds)
        assert rate.low == pytest.approx(5)
        assert rate.high == pytest.approx(5)


def test_of_an_uneven_one_every_time_of_that_length_counts() -> None:
    course = course_of((0, 0), (2, 0), (3, 6), (5, 6))
    assert course.rate("n", 1) == Between(0, 6)
    assert course.rate("n", 3) == Between(2, 2)
    assert course.share("n", "all", 3) == Between(0.2, 0.2)
    assert course.valued("n") == Between(0, 6)
    with pytest.raises(AssertionError, match=r"5\.0 s were watched"):
        course.rate("n", 5.5)


def test_what_takes_long_to_read_is_known_less_well() -> None:
    course = Course(dict)
    course.samples = [Sample(at, at + 1, {"n": 5.0 * at}) for at in range(0, 20, 2)]
    assert course.rate("n", 10) == Between(4.5, 5.5)
    # In no time that was looked at did it grow before it was read first, or behind the last.
    with pytest.raises(AssertionError, match=r"17\.0 s were watched"):
        course.rate("n", 17.5)


def test_a_number_is_read_before_during_and_after() -> None:
    read = iter(range(1000))
    with Course(lambda: {"n": next(read)}, every_s=0.001) as course:
        while len(course.samples) < 3:
            pass
    assert course.valued("n") == Between(0, len(course.samples) - 1)


def test_what_is_told_of_the_time_before_is_known_behind_it() -> None:
    talk = "echo since it booted; while :; do echo 0.25; sleep 0.05; done"
    shares = {"since it booted\n": {"n": 1.0}, "0.25\n": {"n": 0.25}}
    with told(["sh", "-c", talk], shares.get) as course:
        over = time.monotonic()
    assert course.samples[0].values == {"n": 0.0}
    assert course.samples[-1].at > over
    rate = course.rate("n", 0.04)
    assert rate.low == pytest.approx(0.25)
    assert rate.high == pytest.approx(0.25)


def test_an_error_of_the_reader_is_told() -> None:
    given = iter([{"n": 1.0}])
    with pytest.raises(StopIteration), Course(lambda: next(given), every_s=0.001) as course:
        course._going.exception()


def test_a_mean_of_ten_is_made_every_two_seconds_nobody_says_when() -> None:
    course = course_of((0, 0), (20, 20))
    since_the_start = course.mean_of_ten("n", before=0.0, since=0.0)
    assert since_the_start.low == 0
    assert since_the_start.high == pytest.approx(1 - exp(-22 / 10))
    shortly = course_of((0, 0), (2, 2)).mean_of_ten("n", before=0.0, since=1.95)
    assert shortly.low == 0
    assert shortly.high == pytest.approx(1 - exp(-4 / 10))
    # What was before is forgotten.
    late = course_of((0, 5), (30, 5)).mean_of_ten("n", before=1.0, since=28.0)
    assert late.low == pytest.approx(exp(-3) - 0.01, rel=0.25)
    assert late.high == pytest.approx(exp(-2.6), rel=0.25)


def test_events_are_counted_with_those_on_the_ends_and_without() -> None:
    every_second = [(float(at), 2.0) for at in range(10)]
    assert rate_of(every_second, 2) == Between(1.0, 3.0)
    with pytest.raises(AssertionError, match="nothing was logged"):
        rate_of(every_second[:2], 2)
