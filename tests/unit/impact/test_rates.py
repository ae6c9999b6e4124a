"""Rates, and the dip in them."""

from __future__ import annotations

import pytest

from jvmdiag.impact.rates import Bin, dip_of, log_bins, segment_bins
from jvmdiag.impact.sample import Sample
from jvmdiag.impact.traffic import Timed


def bins(*rates: float, begin_s: float = 0.0, seconds: float = 0.25) -> list[Bin]:
    return [Bin(begin_s + n * seconds, begin_s + (n + 1) * seconds, rate) for n, rate in enumerate(rates)]


def test_a_pause_that_begins_and_ends_within_bins_is_measured_to_their_shares() -> None:
    # 200/s; still from 2.1 s to 3.9 s.
    rates = [200.0] * 8 + [80.0] + [0.0] * 6 + [80.0] + [200.0] * 8
    dip = dip_of(bins(*rates), 2.0, 4.0)
    assert dip is not None
    assert dip.before_per_s == pytest.approx(200)
    assert dip.lowest_per_s == 0
    assert dip.still_s == pytest.approx(1.8)
    assert dip.during_per_s == pytest.approx(20)  # before 2.1 s, and after 3.9 s
    assert dip.recovered_s == pytest.approx(1.9)  # the first step that is wholly as before begins at 4.0


def test_a_rate_that_never_comes_back_has_no_recovery_and_no_dip_recovers_at_once() -> None:
    gone = dip_of(bins(*[200.0] * 8, *[0.0] * 8), 2.0, 3.0)
    steady = dip_of(bins(*[200.0] * 16), 2.0, 3.0)
    assert gone and steady
    assert gone.recovered_s is None
    assert (steady.still_s, steady.recovered_s) == (0, 0)


def test_where_nobody_was_there_nothing_is_said() -> None:
    assert dip_of(bins(*[0.2] * 16), 2.0, 3.0) is None
    assert dip_of([], 2.0, 3.0) is None


def test_bins_of_samples_and_of_a_log() -> None:
    samples = [Sample(float(at), 0.0, at * 100, 0, 0, None, None, None, None, None) for at in (0, 1, 3)]
    timed = [Timed(sample.uptime_s + 10, sample) for sample in samples]
    assert segment_bins(timed) == (Bin(10, 11, 100), Bin(11, 13, 100))
    assert log_bins({100: 7, 101: 30, 103: 5}, 104, -90.0) == (
        Bin(11, 12, 30),
        Bin(12, 13, 0),
        Bin(13, 14, 5),
    )


def test_a_step_begins_and_ends_with_the_question_and_none_lasts_a_few_milliseconds() -> None:
    times = (0.0, 0.4, 0.8, 0.83, 1.2, 1.55, 1.6, 2.0)
    marks = (0.83, 1.55)
    timed = [Timed(at, Sample(at, 0.0, 100, 0, 0, 0, 0.0, 1, 0, 1), marked=at in marks) for at in times]
    assert [round(b.begin_s, 2) for b in segment_bins(timed)] == [0.0, 0.4, 0.83, 1.2, 1.55]


def test_what_comes_now_and_then_is_not_missed() -> None:
    # Three a second, as they come: no second without one is a standstill of ours.
    rates = [5.0, 2.5, 2.5, 0.0, 5.0, 2.5, 0.0, 0.0, 5.0, 2.5, 2.5, 5.0]
    dip = dip_of(bins(*rates, seconds=0.4), 2.0, 2.005)
    assert dip is not None
    assert (dip.still_s, dip.recovered_s) == (0, 0)


def test_a_lull_that_comes_much_later_is_not_of_the_capture() -> None:
    rates = [200.0] * 20 + [0.0] * 20 + [200.0] * 4
    dip = dip_of(bins(*rates, seconds=0.4), 4.0, 4.02)
    assert dip is not None
    assert (dip.still_s, dip.lowest_per_s) == (0, 200)
