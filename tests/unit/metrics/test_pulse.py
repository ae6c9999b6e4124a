"""Whether a JVM goes on, by two looks at it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.metrics.pulse import Pulse, pulse_of
from tests.unit.metrics.look_case import look_of, recorded

RUNS = Pulse("S", "", 7, 100)


@pytest.mark.parametrize(
    ("then", "now", "beats"),
    [
        (RUNS, replace(RUNS, safepoints=8), True),
        # A thread that does not come to a safepoint is what the others wait for: CPU time says nothing.
        (RUNS, replace(RUNS, ticks=900), False),
        (replace(RUNS, safepoints=None), replace(RUNS, safepoints=None, ticks=101), True),
        (replace(RUNS, safepoints=None), replace(RUNS, safepoints=None), False),
        (replace(RUNS, stands="stopped"), RUNS, True),
        (RUNS, replace(RUNS, stands="stopped", safepoints=9, ticks=900), False),
    ],
)
def test_a_jvm_goes_on_where_a_safepoint_has_ended(then: Pulse, now: Pulse, beats: bool) -> None:
    assert now.beats_since(then) is beats


def test_a_recorded_look_has_them() -> None:
    before, after = (pulse_of(look) for look in recorded("busy"))
    assert before and after and before.safepoints is not None
    assert (before.state, before.stands) == ("S", "") and after.ticks > before.ticks > 0


def stat(state: str) -> str:
    return f"1 (java) {state} {' '.join(map(str, range(1, 50)))}\n"


def test_what_stands_still_is_told_with_its_reason() -> None:
    stopped = pulse_of(look_of(process=stat("T")))
    assert stopped is not None and "SIGCONT" in stopped.stands
    paused = pulse_of(look_of(process=stat("S"), cgroup="0 cgroup.events frozen 1\n"))
    assert paused is not None and "paused" in paused.stands


def test_of_no_process_there_is_none() -> None:
    assert pulse_of(look_of(pid=None)) is None and pulse_of(look_of()) is None
