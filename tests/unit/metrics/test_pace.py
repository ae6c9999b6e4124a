"""Now against before."""

from __future__ import annotations

from random import Random

import pytest

from jvmdiag.metrics.pace import Counted, Pace, Span, pace_of, standstill

WIDTHS = (60.0, 30.0, 10.0)


def steady(per_s: float, begin: int, end: int) -> list[Span]:
    return [Span(second, second + 1, per_s) for second in range(begin, end)]


def test_a_minute_is_compared_with_the_minutes_before() -> None:
    pace = pace_of(Counted([*steady(100, 0, 600), *steady(12, 600, 660)]), 660, WIDTHS)
    assert pace is not None
    assert (pace.per_s, pace.seconds, pace.before_per_s) == (12, 60, 100)


def test_one_minute_that_was_different_is_not_what_is_usual() -> None:
    spans = [*steady(100, 0, 300), *steady(9000, 300, 360), *steady(0, 360, 420), *steady(100, 420, 660)]
    pace = pace_of(Counted(spans), 660, WIDTHS)
    assert pace is not None and pace.before_per_s == 100


def test_what_is_longer_ago_than_a_quarter_of_an_hour_does_not_count() -> None:
    pace = pace_of(Counted([*steady(500, 0, 3000), *steady(10, 3000, 4000)]), 4000, WIDTHS)
    assert pace is not None and pace.before_per_s == 10


def test_what_fell_half_an_hour_ago_is_usual_by_now_and_still_less_than_it_was() -> None:
    pace = pace_of(Counted([*steady(118, 0, 1900), *steady(12, 1900, 3700)]), 3700, WIDTHS)
    assert pace == Pace(12, 60, 12, 118)
    # An hour later nobody knows.
    pace = pace_of(Counted([*steady(118, 0, 1900), *steady(12, 1900, 5700)]), 5700, WIDTHS)
    assert pace == Pace(12, 60, 12, 12)


@pytest.mark.parametrize(("known_s", "width"), [(240, 60), (239, 30), (119, 10), (40, 10)])
def test_of_a_log_that_is_read_from_not_long_ago_shorter_times_are_compared(
    known_s: int, width: float
) -> None:
    pace = pace_of(Counted(steady(100, 0, known_s)), known_s, WIDTHS)
    assert pace is not None and pace.seconds == width and pace.before_per_s == 100


@pytest.mark.parametrize(
    ("per_s", "known_s"),
    [(100, 39), (0.9, 900), (0, 900), (5.9, 40)],
    ids=["too little is known", "less than one a second", "none", "less than 60 in ten seconds"],
)
def test_nothing_is_judged_by_too_little(per_s: float, known_s: int) -> None:
    pace = pace_of(Counted(steady(per_s, 0, known_s)), known_s, WIDTHS)
    assert pace is not None and pace.before_per_s is None
    assert pace.per_s == pytest.approx(per_s)


def test_few_requests_take_a_longer_time() -> None:
    pace = pace_of(Counted(steady(2, 0, 900)), 900, (10.0, 30.0, 60.0))
    assert pace is not None and pace.seconds == 30 and pace.before_per_s == 2


def test_what_nobody_looked_at_is_not_nothing() -> None:
    hole = [*steady(100, 0, 300), *steady(100, 400, 700)]
    pace = pace_of(Counted(hole), 700, WIDTHS)
    assert pace is not None and pace.before_per_s == 100
    # The last minute itself is not known.
    assert pace_of(Counted(steady(100, 0, 600)), 661, (60.0,)) is None
    assert pace_of(Counted([]), 100, WIDTHS) is None


def test_spans_need_not_be_seconds() -> None:
    spans = [Span(n * 7.3, (n + 1) * 7.3, 73) for n in range(60)]
    pace = pace_of(Counted(spans), 60 * 7.3, WIDTHS)
    assert pace is not None and pace.per_s == pytest.approx(10) and pace.before_per_s == pytest.approx(10)


@pytest.mark.parametrize(("silent_s", "found"), [(19, True), (0.5, False)])
def test_a_standstill_is_one_in_which_enough_would_have_come(silent_s: float, found: bool) -> None:
    pace = standstill(Counted(steady(10, 0, 900)), 900, 900 + silent_s, WIDTHS)
    assert (pace is not None) == found
    if pace:
        assert (pace.per_s, pace.seconds, pace.before_per_s) == (0, silent_s, 10)


def pages(a_minute: float, begin: int, end: int) -> list[Span]:
    """Callers who ask for a page and for all that is in it, then for none for a while."""
    chance = Random(begin)
    return [Span(s, s + 1, 20 * (chance.random() < a_minute / 60)) for s in range(begin, end)]


@pytest.mark.parametrize("widths", [WIDTHS, (10.0, 30.0, 60.0)], ids=["single", "several"])
def test_requests_that_come_together_are_fewer_by_chance(widths: tuple[float, ...]) -> None:
    spans = pages(12, 0, 4000)
    paces = [pace_of(Counted(spans[:end]), end, widths) for end in range(1000, 4000, 30)]
    shares = [pace.per_s / pace.before_per_s for pace in paces if pace and pace.before_per_s]
    assert len(shares) > len(paces) / 2
    assert min(shares) >= 0.5


def test_requests_that_come_together_and_fall_to_few_are_seen() -> None:
    pace = pace_of(Counted([*pages(40, 0, 2000), *pages(4, 2000, 2120)]), 2120, WIDTHS)
    assert pace is not None and pace.before_per_s is not None
    assert pace.per_s < pace.before_per_s / 2


def test_what_stands_still_now_and_then_stands_still_by_chance() -> None:
    some = [Span(second, second + 1, 1200 * (second % 60 == 0)) for second in range(900)]
    assert standstill(Counted(some), 900, 930, WIDTHS) is None
    assert standstill(Counted(steady(20, 0, 900)), 900, 930, WIDTHS) is not None
