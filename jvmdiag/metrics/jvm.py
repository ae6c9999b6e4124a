"""The JVM by its own counters (hsperfdata), which cost it nothing to be read: heap, collections, safepoints, threads. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from jvmdiag.jvm.perfdata import Counters, collector_of, heap_of, parse_perfdata
from jvmdiag.metrics.catalogue import Described
from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.look import Look

_FILE = "the JVM's performance data"
# Which collector of sun.gc.collector.N does what, with every collector of 11 to 25 that has more than one.
_GENERATIONS = {0: "minor", 1: "major", 2: "concurrent"}
DESCRIBED = (
    Described(
        name="jvm.stopped",
        unit="processes",
        source="/proc/PID/stat",
        formula="1 where the state is T or t: stopped by a signal, or by a debugger",
    ),
    Described(
        name="jvm.heap.used",
        unit="bytes",
        source=_FILE,
        formula="sum of sun.gc.generation.*.space.*.used; G1 brings it up to date at a collection",
        datadog="jvm.heap_memory",
    ),
    Described(
        name="jvm.heap.committed",
        unit="bytes",
        source=_FILE,
        formula="sum of sun.gc.generation.*.capacity",
        datadog="jvm.heap_memory_committed",
    ),
    Described(
        name="jvm.heap.max",
        unit="bytes",
        source=_FILE,
        formula="sun.gc.generation.*.maxCapacity",
        datadog="jvm.heap_memory_max",
    ),
    Described(name="jvm.heap.used_share", unit="share", source=_FILE, formula="used / max"),
    Described(
        name="jvm.metaspace.used",
        unit="bytes",
        source=_FILE,
        formula="sun.gc.metaspace.used",
        datadog="jvm.non_heap_memory",
    ),
    Described(
        name="jvm.metaspace.committed",
        unit="bytes",
        source=_FILE,
        formula="sun.gc.metaspace.capacity",
        datadog="jvm.non_heap_memory_committed",
    ),
    Described(
        name="jvm.gc.minor.collections",
        unit="per second",
        source=_FILE,
        formula="sun.gc.collector.0.invocations between the looks / time",
        labels=("collector",),
        datadog="jvm.gc.minor_collection_count",
    ),
    Described(
        name="jvm.gc.minor.time",
        unit="seconds per second",
        source=_FILE,
        formula="sun.gc.collector.0.time between the looks / time",
        labels=("collector",),
        datadog="jvm.gc.minor_collection_time",
        datadog_factor=1000.0,
    ),
    Described(
        name="jvm.gc.major.collections",
        unit="per second",
        source=_FILE,
        formula="sun.gc.collector.1.invocations between the looks / time",
        labels=("collector",),
        datadog="jvm.gc.major_collection_count",
    ),
    Described(
        name="jvm.gc.major.time",
        unit="seconds per second",
        source=_FILE,
        formula="sun.gc.collector.1.time between the looks / time",
        labels=("collector",),
        datadog="jvm.gc.major_collection_time",
        datadog_factor=1000.0,
    ),
    Described(
        name="jvm.gc.concurrent.collections",
        unit="per second",
        source=_FILE,
        formula="sun.gc.collector.2.invocations between the looks / time",
        labels=("collector",),
    ),
    Described(
        name="jvm.gc.concurrent.time",
        unit="seconds per second",
        source=_FILE,
        formula="sun.gc.collector.2.time between the looks / time",
        labels=("collector",),
    ),
    Described(
        name="jvm.safepoint.time",
        unit="seconds per second",
        source=_FILE,
        formula="sun.rt.safepointTime, from 17 on with safepointSyncTime, between the looks / time: every thread stood still",
    ),
    Described(
        name="jvm.safepoint.count",
        unit="per second",
        source=_FILE,
        formula="sun.rt.safepoints between the looks / time",
    ),
    Described(
        name="jvm.threads",
        unit="threads",
        source=_FILE,
        formula="java.threads.live",
        datadog="jvm.thread_count",
    ),
    Described(name="jvm.threads.peak", unit="threads", source=_FILE, formula="java.threads.livePeak"),
    Described(
        name="jvm.threads.started",
        unit="per second",
        source=_FILE,
        formula="java.threads.started between the looks / time",
    ),
    Described(
        name="jvm.classes",
        unit="classes",
        source=_FILE,
        formula="java.cls.loadedClasses - java.cls.unloadedClasses",
        datadog="jvm.loaded_classes",
    ),
)


def jvm_group(before: Look, after: Look, major: int | None) -> Group:
    """`major` is its Java version. Empty, with why, where there is no JVM or it keeps no such file."""
    if after.pid is None:
        return Group("jvm", (), ("no JVM was found here",))
    earlier, later = (parse_perfdata(look.sections.get("perfdata", b"")) for look in (before, after))
    stopped = figure("jvm.stopped", after.stat[:1] in (("T",), ("t",)))
    if not later:
        return Group(
            "jvm",
            (stopped,),
            (
                "heap and collections: the JVM has no performance data to be read (-XX:-UsePerfData, or of another user)",
            ),
        )
    seconds = after.at_s - before.at_s
    parts = (
        (stopped,),
        _heap(later),
        _collections(earlier, later, seconds),
        _safepoints(earlier, later, seconds, major),
        _rest(earlier, later, seconds),
    )
    return Group("jvm", flat(parts))


def _heap(later: Counters) -> tuple[Figure, ...]:
    heap = heap_of(later)
    return present(
        maybe("jvm.heap.used", heap and heap.used_bytes),
        maybe("jvm.heap.committed", heap and heap.committed_bytes),
        maybe("jvm.heap.max", heap and heap.max_bytes),
        maybe("jvm.heap.used_share", heap.used_bytes / heap.max_bytes if heap and heap.max_bytes else None),
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
    loaded, unloaded = (_number(later, f"java.cls.{n}Classes") for n in ("loaded", "unloaded"))
    return present(
        maybe("jvm.threads", _number(later, "java.threads.live")),
        maybe("jvm.threads.peak", _number(later, "java.threads.livePeak")),
        maybe("jvm.threads.started", started / seconds if seconds > 0 and started is not None else None),
        maybe("jvm.classes", loaded - (unloaded or 0) if loaded is not None else None),
    )
