"""From figures to what it cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.impact.prober import Probed
from jvmdiag.impact.sample import Sample
from jvmdiag.impact.toll import Seen, cost_of, grown, is_back, probe_toll
from jvmdiag.impact.traffic import Timed


def test_the_probe_waits_as_long_as_the_pause() -> None:
    probed = [Probed(n / 10, 0.002, 200) for n in range(20)]
    probed += [Probed(2.0, 1.502, 200), Probed(3.502, 0.002, 503), Probed(3.6, 0.002, None)]
    toll = probe_toll(probed, 2.0)
    assert toll is not None
    assert toll.stopped_s == pytest.approx(1.5)
    assert toll.errors == 2
    assert probe_toll(probed[20:], 2.0) is None


def sampled(at_s: float, segments: int, cpu_s: float = 0.0) -> Timed:
    return Timed(at_s, Sample(at_s, cpu_s, segments, 0, 0, 0, 0.0, 1, 0, 1))


def still_from_4_to_6() -> tuple[Timed, ...]:
    """400 segments a second from 0 s to 12 s, none from 4 s to 6 s; half a CPU, and one and a half meanwhile."""
    times = [n / 4 for n in range(49)]
    return tuple(
        sampled(
            at,
            round(400 * (min(at, 4) + max(at - 6, 0))),
            at / 2 + min(max(at - 4, 0), 2),
        )
        for at in times
    )


# The clock here is the Unix time less 1000 s; the log begins in the middle of its first second.
LOGGED = {995: 17, **dict.fromkeys(range(996, 1004), 200), **dict.fromkeys(range(1006, 1012), 200)}


def test_requests_come_from_the_log_and_their_time_from_the_segments() -> None:
    seen = Seen(
        timed=still_from_4_to_6(),
        log_path="/log",
        requests=LOGGED,
        errors={1002: 5, 1006: 3},
        unix_ahead_s=1000.0,
        until_s=12.2,
    )
    cost = cost_of(seen, 4.0, 6.0)
    assert cost is not None and cost.traffic is not None
    assert cost.source == "access log /log, timed by TCP segments"
    assert cost.traffic.before_per_s == pytest.approx(200)
    assert cost.traffic.during_per_s == 0
    assert cost.traffic.still_s == pytest.approx(2.0)
    assert cost.traffic.recovered_s == pytest.approx(2.0)
    assert cost.errors == 3
    assert cost.cpu_before == pytest.approx(0.5)
    assert cost.cpu_during == pytest.approx(1.5)
    assert [second.at_s for second in cost.logged] == [n - 4.0 for n in range(11)]
    assert cost.samples[0].at_s == -4.0
    assert is_back(seen, 4.0, 6.0)


def test_where_our_own_copy_goes_over_the_same_network_the_log_alone_counts() -> None:
    seen = Seen(
        timed=still_from_4_to_6(),
        segments_count=False,
        log_path="/log",
        requests=LOGGED,
        unix_ahead_s=1000.0,
        until_s=12.2,
    )
    cost = cost_of(seen, 4.0, 6.0)
    assert cost is not None and cost.traffic is not None
    assert cost.source == "access log /log"
    assert (cost.traffic.before_per_s, cost.traffic.still_s) == (200, 2)
    without = cost_of(replace(seen, requests={}, unix_ahead_s=None), 4.0, 6.0)
    assert without is not None
    assert (without.traffic, without.errors) == (None, None)


def test_without_a_log_segments_are_what_is_counted() -> None:
    cost = cost_of(Seen(timed=still_from_4_to_6(), until_s=12.0), 4.0, 6.0)
    assert cost is not None and cost.traffic is not None
    assert (cost.unit, cost.traffic.before_per_s) == ("segments", 400)
    assert not is_back(Seen(timed=still_from_4_to_6()[:24], until_s=5.9), 4.0, 6.0)


def test_a_log_that_falls_silent_is_complete_eleven_seconds_later() -> None:
    early = Seen(requests={1000: 5}, unix_ahead_s=1000.0, until_s=5.0)
    assert (early.log_until, replace(early, until_s=20.0).log_until) == (1000, 1009)


def test_a_counter_that_was_not_seen_at_both_ends_is_not_guessed() -> None:
    timed = still_from_4_to_6()
    assert grown(timed, 4.0, 6.0, lambda s: s.cpu_s) == pytest.approx(3.0)
    assert grown(timed, 4.0, 13.0, lambda s: s.cpu_s) is None
    assert grown(timed, -1.0, 6.0, lambda s: s.cpu_s) is None
    assert grown(timed, 4.0, 6.0, lambda s: None) is None


def test_nothing_seen_is_no_cost() -> None:
    assert cost_of(Seen(), 4.0, 6.0) is None


def test_of_a_long_capture_a_reader_gets_a_thousand_samples() -> None:
    timed = tuple(sampled(n / 4, n) for n in range(5000))
    cost = cost_of(Seen(timed=timed, until_s=1250.0), 600.0, 1000.0)
    assert cost is not None
    assert 900 < len(cost.samples) <= 1200


def test_a_log_that_is_late_leaves_the_segments() -> None:
    early = dict.fromkeys((997, 998, 999), 200)
    cost = cost_of(
        Seen(timed=still_from_4_to_6(), requests=early, unix_ahead_s=1000.0, until_s=7.0), 4.0, 6.0
    )
    assert cost is not None and cost.traffic is not None
    assert cost.unit == "segments"


def test_errors_that_are_not_in_the_log_yet_are_not_none_of_them() -> None:
    seen = Seen(timed=still_from_4_to_6(), requests={1000: 100, 1001: 100}, unix_ahead_s=1000.0, until_s=7.0)
    cost = cost_of(seen, 4.0, 6.0)
    assert cost is not None
    assert cost.errors is None


def test_usual_errors_stand_beside_and_those_of_much_later_do_not_count() -> None:
    requests = dict.fromkeys(range(980, 1100), 200)
    errors = {995: 2, 1005: 7, 1090: 1000}
    seen = Seen(
        timed=still_from_4_to_6(), requests=requests, errors=errors, unix_ahead_s=1000.0, until_s=99.0
    )
    cost = cost_of(seen, 4.0, 6.0)
    assert cost is not None
    assert (cost.errors_before, cost.errors) == (2, 7)


def test_a_watch_that_was_cut_says_so_and_nothing_of_what_it_did_not_see() -> None:
    cost = cost_of(Seen(timed=still_from_4_to_6()[:20], until_s=30.0), 4.0, 6.0)
    assert cost is not None
    assert cost.cut
    assert cost.traffic is None


def test_a_probe_that_got_no_answer_says_why() -> None:
    seen = Seen(probed=(Probed(1.0, 0.1, None),), probe_trouble="the probe got no answer: refused")
    cost = cost_of(seen, 4.0, 6.0)
    assert cost is not None
    assert (cost.probe, cost.probe_note) == (None, "the probe got no answer: refused")
