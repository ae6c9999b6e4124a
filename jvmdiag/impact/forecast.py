"""How long a question will stop the JVM: a range, from measurements of other JVMs or of the same one. Pure.

docs/explanation/forecast.md has the model, how it was measured, and how often it was right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import or_
from statistics import median

from jvmdiag.model import Forecast
from jvmdiag.units import size

_GB = 1e9


class Operation(str, Enum):
    HEAP_DUMP = "heap dump"
    HISTOGRAM = "histogram"
    LOCKS = "thread dump with --locks"
    THREADS = "thread dump"


@dataclass(frozen=True)
class Conditions:
    """What is known beforehand; None is not known.

    `cpus` is what the JVM may use at once, `live` a full collection first, `in_memory` a dump into a tmpfs.
    """

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
    """One earlier measurement of the same operation on the same target."""

    heap_used_bytes: int
    seconds: float


@dataclass(frozen=True)
class _Span:
    """From `low` to `high`: seconds, or seconds for each GB of heap."""

    low: float
    high: float

    def __add__(self, other: _Span) -> _Span:
        return _Span(self.low + other.low, self.high + other.high)

    def __or__(self, other: _Span) -> _Span:
        return _Span(min(self.low, other.low), max(self.high, other.high))

    def times(self, low: float, high: float) -> _Span:
        return _Span(self.low * low, self.high * high)


# Seconds for each GB of heap, by tests/bench/forecast.py: from few big arrays to nothing but small objects.
# The writers of 11 and 17 are slow with small objects; 25 writes segments, and merges them after the pause.
_WRITE = {11: _Span(0.9, 15), 17: _Span(0.55, 11), 21: _Span(0.5, 4.2), 25: _Span(0.55, 5)}
_COUNT = _Span(0.0005, 1.3)
_FIND_LOCKS = _Span(0.0001, 0.65)
_COLLECT = _Span(0.003, 3)
# Counting and finding where the heap cannot be read from its beginning to its end, and is walked along its references.
_WALKS = {"Z": 2.0, "Shenandoah": 2.0, "G1": 1.0, "Parallel": 1.0, "Serial": 1.0}
# Seconds that do not depend on the heap: its classes, the file, a scheduler that is late.
_FIXED = {
    Operation.HEAP_DUMP: _Span(0.005, 0.05),
    Operation.HISTOGRAM: _Span(0.001, 0.01),
    Operation.LOCKS: _Span(0.0005, 0.005),
    Operation.THREADS: _Span(0.0001, 0.01),
}
# For each thread: from an idle pool to 40 frames each.
_THREAD = _Span(1e-6, 1e-4)
_MEASURED = "by measurements of 64 MB to 2 GB"
# Around what was measured before: the next one differs by that factor at most, nine times in ten.
_NEXT = (1.7, 1.5, 1.4)
_LATEST = 10
# A scheduler that is late.
_LATE_S = 0.005
_BUSY = 1.2
# A heap that is said to be smaller is not known.
_LEAST_BYTES = 1_000_000


def forecast(conditions: Conditions, past: Sequence[Past] = ()) -> Forecast:
    """The range in which the pause lies nine times in ten, by `past` (the latest last) where there is any."""
    known = [one for one in past[-_LATEST:] if one.seconds > 0]
    span = _calibrated(conditions, known) if known else _expected(conditions)
    return Forecast(span.low, span.high, f"{_described(conditions)}; {_source(conditions, len(known))}")


def _expected(conditions: Conditions) -> _Span:
    gb = max(conditions.heap_used_bytes, 0) / _GB
    threads = _THREAD.times(conditions.threads, conditions.threads)
    span = _FIXED[conditions.operation] + _for_each_gb(conditions).times(gb, gb)
    if conditions.operation in (Operation.THREADS, Operation.LOCKS):
        span += threads
    return span.times(*_slower(conditions))


def _for_each_gb(conditions: Conditions) -> _Span:
    walks = _WALKS.get(conditions.collector or "", max(_WALKS.values()))
    match conditions.operation:
        case Operation.THREADS:
            return _Span(0, 0)
        case Operation.LOCKS:
            return _FIND_LOCKS.times(1, walks)
        case Operation.HISTOGRAM:
            scan = _COUNT.times(1, walks)
        case Operation.HEAP_DUMP:
            scan = _nearest(conditions.major)
    return scan + _COLLECT if conditions.live else scan


def _nearest(major: int | None) -> _Span:
    """That of the version, of both its neighbours, or of all."""
    if major is None:
        return reduce(or_, _WRITE.values())
    below = max((known for known in _WRITE if known <= major), default=min(_WRITE))
    above = min((known for known in _WRITE if known >= major), default=max(_WRITE))
    return _WRITE[below] | _WRITE[above]


def _slower(conditions: Conditions) -> tuple[float, float]:
    """Factors for a JVM that is throttled or has to wait for its turn: what stops it is one thread's work."""
    # That thread keeps its CPU for a while, so about half of the crowd is felt.
    crowded = (1 + max(conditions.contention, 1)) / 2
    if conditions.cpus is None:
        return 1, 2 * crowded
    throttled = 1 / min(max(conditions.cpus, 0.05), 1)
    return throttled, throttled * crowded


def _calibrated(conditions: Conditions, past: Sequence[Past]) -> _Span:
    """Around what each of `past` would be now, and the wider the less they agree."""
    now = [_scaled(conditions, one) for one in past]
    low, high = (median(ends) for ends in ([n.low for n in now], [n.high for n in now]))
    centre = math.sqrt(low * high)
    apart = sum(abs(math.log(math.sqrt(n.low * n.high) / centre)) for n in now) / len(now)
    factor = _NEXT[min(len(past), len(_NEXT)) - 1] * math.exp(apart)
    return _Span(low / factor, high * factor + _LATE_S)


def _scaled(conditions: Conditions, one: Past) -> _Span:
    """What grows with the heap grew as the heap did; how much of it does not is known within bounds only."""
    if conditions.operation is Operation.THREADS:
        return _Span(one.seconds, one.seconds)
    growth = max(conditions.heap_used_bytes, _LEAST_BYTES) / max(one.heap_used_bytes, _LEAST_BYTES)
    fixed = _FIXED[conditions.operation]
    parts = (min(one.seconds, fixed.low), min(one.seconds, fixed.high))
    return _Span(*sorted(part + (one.seconds - part) * growth for part in parts))


def _described(conditions: Conditions) -> str:
    """1.2 GB of heap, G1, JVM 17, 2 CPUs"""
    cpus, major = conditions.cpus, conditions.major
    words = (
        f"{size(max(conditions.heap_used_bytes, 0))} of heap",
        conditions.collector,
        f"JVM {major}" if major else None,
        f"{cpus:g} CPU{'s' if cpus != 1 else ''}" if cpus else None,
        f"{conditions.contention:.1f} wanting each CPU" if conditions.contention > _BUSY else None,
    )
    return ", ".join(word for word in words if word)


def _source(conditions: Conditions, known: int) -> str:
    if not known:
        return _MEASURED
    if known == 1:
        return "by an earlier one of this target"
    what = conditions.operation.value
    return (
        f"by {known} earlier {what.replace('dump', 'dumps') if 'dump' in what else f'{what}s'} of this target"
    )
