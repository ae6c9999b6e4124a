"""How long an operation will stop the JVM: a range by what was measured elsewhere or on that target. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median

from jvmdiag.model import Forecast
from jvmdiag.units import duration, size


class Operation(str, Enum):
    """What stops the JVM."""

    HEAP_DUMP = "heap dump"
    HISTOGRAM = "histogram"
    LOCKS = "thread dump with --locks"
    THREADS = "thread dump"


@dataclass(frozen=True)
class Conditions:
    """What the forecast goes by. `cpus` is what the JVM may use at once; None where it is not known."""

    operation: Operation
    heap_used_bytes: int
    major: int | None
    collector: str | None
    cpus: float | None
    contention: float = 1.0
    """How many want a CPU for each that there is; 1 at least."""
    live: bool = False
    in_memory: bool = False
    threads: int = 0


@dataclass(frozen=True)
class Past:
    """One earlier measurement on the same target, of the same operation."""

    heap_used_bytes: int
    seconds: float


# Seconds a GB of heap, from few large arrays on a quick disk to small objects on a slow one, and what a full
# collection adds. docs/explanation/forecast.md has the measurements.
_PER_GB = {
    Operation.HEAP_DUMP: (0.3, 4.0),
    Operation.HISTOGRAM: (0.001, 0.6),
    Operation.LOCKS: (0.0005, 1.1),
    Operation.THREADS: (0.0, 0.0),
}
_COLLECTION_PER_GB = (0.005, 1.5)
# The safepoint itself, and a machine that has other things to do.
_FLOOR_S = (0.0002, 0.05)
_A_THREAD_S = (0.00001, 0.0002)
# One core does the work of the collection and the walk; less than one stretches both.
_WHOLE_CPU = 1.0
_BUSY = 1.2
# What one, and what several measurements on the target leave open.
_SPREAD_OF_ONE, _SPREAD_OF_MORE = 2.0, 1.6
_MANY = 3


def forecast(conditions: Conditions, past: Sequence[Past] = ()) -> Forecast:
    """The range in seconds. With `past` it is scaled from what was measured there, by the size of the heap."""
    before = [p for p in past if p.seconds > 0 and p.heap_used_bytes > 0]
    if before and conditions.heap_used_bytes > 0:
        return _by_past(conditions, before)
    gb = conditions.heap_used_bytes / 1e9
    low, high = (
        floor + gb * per_gb + conditions.threads * a_thread
        for floor, per_gb, a_thread in zip(_FLOOR_S, _PER_GB[conditions.operation], _A_THREAD_S, strict=True)
    )
    if conditions.live:
        low, high = low + gb * _COLLECTION_PER_GB[0], high + gb * _COLLECTION_PER_GB[1]
    if conditions.cpus is not None and conditions.cpus < _WHOLE_CPU:
        high /= max(conditions.cpus, 0.01)
    # The walk keeps its core for a while, so about half of the crowd is felt.
    high *= (1 + conditions.contention) / 2
    return Forecast(low, high, _basis(conditions))


def _by_past(conditions: Conditions, before: Sequence[Past]) -> Forecast:
    spread = _SPREAD_OF_MORE if len(before) >= _MANY else _SPREAD_OF_ONE
    # The latest count: a target changes with each release.
    scaled = [p.seconds * conditions.heap_used_bytes / p.heap_used_bytes for p in before[-_MANY:]]
    low, high = min(scaled) / spread, max(scaled) * spread + _FLOOR_S[1]
    times = f"{len(scaled)} earlier ones" if len(scaled) > 1 else "an earlier one"
    return Forecast(low, high, f"by {times} of this target (about {duration(median(scaled))})")


def _basis(conditions: Conditions) -> str:
    known = [f"{size(conditions.heap_used_bytes)} of heap"]
    if conditions.cpus is not None:
        known.append(f"{conditions.cpus:g} CPUs")
    if conditions.contention > _BUSY:
        known.append(f"{conditions.contention:.1f} wanting each CPU")
    return f"by {', '.join(known)}, as measured elsewhere"
