"""The JVM by its own counters (hsperfdata): heap, collections, safepoints, threads. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from jvmdiag.jvm.perfdata import Counters, collector_of, heap_of, parse_perfdata
from jvmdiag.metrics.cgroup import frozen
from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.look import Look

_FILE = "the JVM's performance data"
# Which collector of sun.gc.collector.N does what, with every collector of 11 to 25 that has more than one.
_GENERATIONS = {0: "minor", 1: "major", 2: "concurrent"}


def jvm_group(before: Look, after: Look, major: int | None) -> Group:
    """`major` is its Java version. Empty, with why, where there is no JVM or it keeps no such file."""
    if after.pid is None:
        return Group("jvm", (), ("no JVM was found here",))
    earlier, later = (parse_perfdata(look.sections.get("perfdata", b"")) for look in (before, after))
    still = (
        figure("jvm.stopped", after.stat[:1] in (("T",), ("t",))),
        figure("jvm.frozen", frozen(after)),
    )
    if not later:
        return Group(
            "jvm",
            still,
            ("heap and collections: no performance data to be read (-XX:-UsePerfData, or of another user)",),
        )
    seconds = after.at_s - before.at_s
    parts = (
        still,
        _heap(later),
        _collections(earlier, later, seconds),
        _safepoints(earlier, later, seconds, major),
        _rest(earlier, later, seconds),
    )
    return Group("jvm", flat(parts))


def _heap(later: Counters) -> tuple[Figure, ...]:
    heap = heap_of(later)
    spaces = (
        (
            maybe("jvm.heap.used", heap.used_bytes),
            maybe("jvm.heap.committed", heap.committed_bytes),
            maybe("jvm.heap.max", heap.max_bytes),
            maybe("jvm.heap.used_share", heap.used_bytes / heap.max_bytes if heap.max_bytes else None),
        )
        if heap
        else ()
    )
    return present(
        *spaces,
        maybe("jvm.metaspace.used", _number(later, "sun.gc.metaspace.used")),
        maybe("jvm.metaspace.committed", _number(later, "sun.gc.metaspace.capacity")),
    )


def _number(counters: Counters, name: str) -> int | None:
    value = counters.get(name)
    return value if isinstance(value, int) else None


def _grown(earlier: Counters, later: Counters, name: str) -> int | None:
    a, b = _number(earlier, name), _number(later, name)
    return None if a is None or b is None else max(b - a, 0)


def _collections(earlier: Counters, later: Counters, seconds: float) -> Iterator[Figure]:
    frequency = _number(later, "sun.os.hrt.frequency")
    if seconds <= 0 or not frequency:
        return
    for number, generation in _GENERATIONS.items():
        prefix = f"sun.gc.collector.{number}."
        count, ticks = _grown(earlier, later, prefix + "invocations"), _grown(earlier, later, prefix + "time")
        if count is None or ticks is None:
            continue
        name = str(later.get(prefix + "name", collector_of(later) or ""))
        yield figure(f"jvm.gc.{generation}.collections", count / seconds, collector=name)
        yield figure(f"jvm.gc.{generation}.time", ticks / frequency / seconds, collector=name)


def _safepoints(earlier: Counters, later: Counters, seconds: float, major: int | None) -> Iterator[Figure]:
    frequency = _number(later, "sun.os.hrt.frequency")
    at, reaching, times = (
        _grown(earlier, later, f"sun.rt.{n}") for n in ("safepointTime", "safepointSyncTime", "safepoints")
    )
    if seconds <= 0 or not frequency or at is None or reaching is None or times is None or major is None:
        return
    yield figure("jvm.safepoint.count", times / seconds)
    # safepointTime holds the time until all have stopped on 11, and does not from 17 on; 12 to 16 were not measured.
    if major == 11 or major >= 17:
        yield figure("jvm.safepoint.time", (at if major == 11 else at + reaching) / frequency / seconds)


def _rest(earlier: Counters, later: Counters, seconds: float) -> tuple[Figure, ...]:
    started = _grown(earlier, later, "java.threads.started")
    return present(
        maybe("jvm.threads", _number(later, "java.threads.live")),
        maybe("jvm.threads.peak", _number(later, "java.threads.livePeak")),
        maybe("jvm.threads.started", started / seconds if seconds > 0 and started is not None else None),
        maybe("jvm.classes", _classes(later)),
    )


def _classes(later: Counters) -> int | None:
    """Those of the archive (class data sharing), which most JDKs come with, are counted apart."""
    names = ("loaded", "sharedLoaded", "unloaded", "sharedUnloaded")
    loaded, shared, unloaded, shared_unloaded = (_number(later, f"java.cls.{name}Classes") for name in names)
    if loaded is None:
        return None
    return loaded + (shared or 0) - (unloaded or 0) - (shared_unloaded or 0)
