"""The speed of the way, and what it makes of a forecast."""

from __future__ import annotations

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact.way import Way, way_of
from jvmdiag.model import Forecast
from tests.fakes import FakeHost, Streamed
from tests.unit.jvm.probe_case import the_jvm_of

GB, MB = 10**9, 10**6
PLAIN = Forecast(1.0, 4.0, "1.0 GB of heap")


def test_a_way_that_keeps_up_makes_no_pause_longer_and_is_named_all_the_same() -> None:
    slowed = Way(2 * GB, 256 * MB).slows(PLAIN, GB)
    assert (slowed.low_s, slowed.high_s) == (1.0, 4.0)
    assert slowed.basis == "1.0 GB of heap; through a way of 2.0 GB/s, 256 MB are held here"


def test_a_slow_way_is_the_pause() -> None:
    slowed = Way(50 * MB, 250 * MB).slows(PLAIN, GB)
    assert slowed.low_s == pytest.approx(750 / 50 / 1.5)
    assert slowed.high_s == pytest.approx((1200 - 250) / 50 * 2.5)
    crowded = Way(50 * MB, 250 * MB).slows(PLAIN, GB, contention=3)
    assert crowded.low_s == slowed.low_s
    assert crowded.high_s == pytest.approx(2 * slowed.high_s)


def test_what_fits_into_the_memory_here_waits_for_no_way() -> None:
    assert Way(1.0, 2 * GB).slows(PLAIN, GB).high_s == 4.0


def test_it_is_measured_as_a_dump_would_come() -> None:
    jvm = the_jvm_of("tomcat-inside")
    host = LocalHost()
    way = way_of(Reach(FakeHost(elsewhere=host), "", None), jvm, 1)
    assert way.spool_bytes == 1
    assert way.per_s > MB


def test_a_target_that_gives_nothing_is_an_error() -> None:
    reach = Reach(FakeHost({lambda _: True: Streamed(exit_code=127, stderr=b"dd: not found")}), "", None)
    with pytest.raises(CommandRefused, match="dd: not found"):
        way_of(reach, the_jvm_of("tomcat-inside"), 1)
