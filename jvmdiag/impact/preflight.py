"""The price of a capture before it is taken: every finding in order, and the forecast. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jvmdiag.errors import JvmHung, LocalDiskFull, NoMethod, PauseTooLong
from jvmdiag.impact.around import Surroundings
from jvmdiag.impact.disk import (
    Room,
    choose_room,
    disk_findings,
    dump_bytes_on_disk,
    fifo_findings,
    fifo_room,
    roomiest,
)
from jvmdiag.impact.finding import Finding, Subject, ok, refused, risky
from jvmdiag.impact.forecast import Conditions, Operation, Past, forecast
from jvmdiag.impact.health import health_findings
from jvmdiag.impact.history import Measured
from jvmdiag.impact.others import others_findings
from jvmdiag.impact.way import Way
from jvmdiag.model import Forecast, HealthProbe, Jvm
from jvmdiag.units import duration, size, span

# Below, no user of the application notices; above, somebody has to say yes.
WORTH_ASKING_S = 1.0


@dataclass(frozen=True)
class Intent:
    """What is about to be done. `max_pause_s` refuses by forecast; None refuses no pause. With `no_disk` a heap dump
    takes none of the target's; `redacted` says what goes from it before it is written here."""

    operation: Operation
    live: bool = False
    max_pause_s: float | None = None
    no_disk: bool = False
    redacted: str = ""


@dataclass(frozen=True)
class Local:
    """This machine: what the copy needs in the output directory, and what is free there, in bytes."""

    directory: str
    need_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Known:
    """What was found out about the target. `methods` holds each with why it would not work (empty: it would);
    `hung` says how the JVM failed to answer."""

    jvm: Jvm
    around: Surroundings
    methods: tuple[tuple[str, str], ...]
    estimate_bytes: int
    probes: tuple[HealthProbe, ...] = ()
    past: tuple[Measured, ...] = ()
    now_s: float = 0.0
    hung: str = ""
    local: Local | None = None
    way: Way | None = None
    """That of a dump which takes no disk."""


@dataclass(frozen=True)
class Preflight:
    """What it will cost, and every finding. `room` is where the dump would go, also where it has too little;
    None where there is none, or nothing is written."""

    intent: Intent
    findings: tuple[Finding, ...]
    forecast: Forecast
    estimate_bytes: int
    room: Room | None

    @property
    def worth_asking(self) -> bool:
        """Whether somebody has to say yes: a heap dump always, the rest where it would be felt."""
        return self.intent.operation is Operation.HEAP_DUMP or self.forecast.high_s >= WORTH_ASKING_S


def weigh(intent: Intent, known: Known) -> Preflight:
    """The preflight of `intent`."""
    writes = intent.operation is Operation.HEAP_DUMP
    room = _room(intent, known) if writes else None
    expected = _forecast(intent, known, room)
    if known.way is not None:
        expected = known.way.slows(expected, known.estimate_bytes, known.around.contention)
    return Preflight(
        intent, tuple(_findings(intent, known, expected, writes=writes)), expected, known.estimate_bytes, room
    )


def _room(intent: Intent, known: Known) -> Room | None:
    rooms = known.around.rooms
    if intent.no_disk:
        return fifo_room(rooms)
    return choose_room(rooms, known.jvm, dump_bytes_on_disk(known.jvm, known.estimate_bytes)) or roomiest(
        rooms
    )


def _findings(intent: Intent, known: Known, expected: Forecast, *, writes: bool) -> Iterator[Finding]:
    yield from jvm_findings(known)
    if writes:
        yield from _disk(intent, known)
        yield from _here(known.local)
    yield pause_finding(intent, expected)
    watching = (*known.probes, *((known.around.watchdog,) if known.around.watchdog else ()))
    yield from health_findings(watching, expected)
    yield from others_findings(known.around, known.past, known.now_s)


def _disk(intent: Intent, known: Known) -> tuple[Finding, ...]:
    around = known.around
    if intent.no_disk:
        return fifo_findings(around.rooms)
    return disk_findings(around.rooms, known.jvm, known.estimate_bytes, around.file_size_limit_bytes)


def _forecast(intent: Intent, known: Known, room: Room | None) -> Forecast:
    same = (
        m for m in known.past if (m.operation, m.live) == (intent.operation.value, intent.live) and m.pause_s
    )
    jvm = known.jvm
    conditions = Conditions(
        operation=intent.operation,
        heap_used_bytes=known.estimate_bytes,
        major=jvm.major,
        collector=jvm.collector,
        cpus=known.around.cpus,
        contention=known.around.contention,
        live=intent.live,
        in_memory=bool(room and room.in_memory),
        threads=jvm.threads,
    )
    return forecast(conditions, [Past(m.heap_used_bytes, m.pause_s) for m in same])


def jvm_findings(known: Known) -> Iterator[Finding]:
    """The JVM itself, and by which methods it can be spoken to."""
    jvm = known.jvm
    ready = [name for name, why in known.methods if not why]
    why_not = tuple(f"not by {name}: {why}" for name, why in known.methods if why)
    if known.hung:
        yield refused(Subject.JVM, JvmHung, f"it does not answer: {known.hung}", *why_not)
    elif not ready:
        yield refused(Subject.JVM, NoMethod, "no method can speak to it", *why_not)
    else:
        yield ok(Subject.JVM, f"{describe(jvm)}; by {', '.join(ready)}", *why_not)
    if jvm.stale_trigger:
        yield risky(
            Subject.JVM, f"a failed attempt to attach left {jvm.stale_trigger}", "remove it, as its owner"
        )


def describe(jvm: Jvm) -> str:
    """HotSpot 17.0.21, G1, heap 45 MB of 406 MB (at most 6.3 GB), 26 threads, up 7m 8s"""
    heap = "heap not published"
    if jvm.heap:
        most = f" (at most {size(jvm.heap.max_bytes)})" if jvm.heap.max_bytes else ""
        heap = f"heap {size(jvm.heap.used_bytes)} of {size(jvm.heap.committed_bytes)}{most}"
    words = (f"{jvm.vm.value} {jvm.version or ''}".strip(), jvm.collector or "", heap)
    return ", ".join((*(w for w in words if w), f"{jvm.threads} threads", f"up {duration(jvm.uptime_s)}"))


def pause_finding(intent: Intent, expected: Forecast) -> Finding:
    """The forecast, against what the user bears."""
    what = f"the application will stand still for {span(expected.low_s, expected.high_s)}: {expected.basis}"
    if intent.max_pause_s is not None and expected.high_s > intent.max_pause_s:
        most = f"{what}; --max-pause is {duration(intent.max_pause_s)}"
        return refused(Subject.PAUSE, PauseTooLong, most, "take it where less depends on it, or a histogram")
    return (risky if expected.high_s >= WORTH_ASKING_S else ok)(Subject.PAUSE, what)


def _here(local: Local | None) -> Iterator[Finding]:
    if local is None:
        return
    what = f"{local.directory} has {size(local.free_bytes)} free, and the copy takes about {size(local.need_bytes)}"
    if local.free_bytes < local.need_bytes:
        yield refused(Subject.HERE, LocalDiskFull, what, "choose another directory: -o DIR")
    else:
        yield ok(Subject.HERE, what)
