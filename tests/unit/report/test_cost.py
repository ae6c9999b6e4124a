"""The closing line: what a capture really cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.model import Cost, Dip, Forecast, Pause, ProbeToll
from jvmdiag.report.cost import cost_lines, pause_text, sparkline

FORECAST = Forecast(1.5, 3.0, "by a test")
PAUSE = Pause(1.84, 0.01, 1, True)
STILL = Cost(
    source="access log /a",
    unit="requests",
    traffic=Dip(212.0, 20.0, 0.0, 1.9, 2.4),
    rates=(212.0, 0.0, 424.0),
    errors=41,
    took_s=1.9,
    sampling_interval_s=0.25,
    sampled_s=9.0,
)


def test_a_pause_stands_beside_its_forecast() -> None:
    text = pause_text(PAUSE, FORECAST)
    assert text == "paused 1.84 s (forecast 1.5 to 3.0 s; the JVM's own count)"


def test_all_of_it_is_one_line_and_a_row_of_bars() -> None:
    assert cost_lines(PAUSE, FORECAST, STILL, disk="disk +1.1 GB for 9.0 s, now clean") == [
        "paused 1.84 s (forecast 1.5 to 3.0 s; the JVM's own count) · requests 212/s -> 0 for 1.9 s, "
        "back to 95 % after 2.4 s · 41 errors · disk +1.1 GB for 9.0 s, now clean",
        "requests/s ▅▁█ (0 to 424; access log /a)",
    ]
    first, second = cost_lines(PAUSE, FORECAST, STILL, plain=True)
    assert (first + second).isascii()


@pytest.mark.parametrize(
    ("dip", "says"),
    [
        (Dip(212.0, 0.0, 0.0, 1.9, None), "requests 212/s -> 0 for 1.9 s, not yet back"),
        (Dip(212.0, 150.0, 140.0, 0.0, 0.0), "requests 212/s -> 150/s meanwhile"),
        (Dip(212.0, 200.0, 190.0, 0.0, 0.0), "requests 212/s as before"),
    ],
)
def test_a_dip_that_is_none_or_does_not_end(dip: Dip, says: str) -> None:
    assert cost_lines(None, None, replace(STILL, traffic=dip, errors=None))[0] == says


def test_a_probe_and_whatever_else_went_wrong() -> None:
    cost = Cost(
        probe=ProbeToll(0.003, 1.5, 2),
        connections_dropped=3,
        throttled_s=0.4,
        sampling_interval_s=0.25,
        sampled_s=9.0,
    )
    assert cost_lines(None, None, cost) == [
        "3 connections dropped · probe 3 ms -> 1.5 s, 2 failed · held up by its CPU quota for 400 ms"
    ]


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert cost_lines(None, None, None) == []
    assert cost_lines(None, None, Cost(sampling_interval_s=0.25, sampled_s=0.0)) == []


def test_sparklines() -> None:
    assert sparkline([0, 50, 100]) == "▁▅█"
    assert sparkline([0, 50, 100], plain=True) == "_=#"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline(list(range(1000)), width=40)) == 40
