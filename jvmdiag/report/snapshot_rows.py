"""What the pages of a snapshot show, as rows of plain text: both are made of these. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jvmdiag.metrics.figure import Level, Metrics, Verdict
from jvmdiag.report.cost import pause_text
from jvmdiag.snapshot.busy import Pool
from jvmdiag.snapshot.digest import Digest, same_top
from jvmdiag.transfer.bundle import FAILED, INTERRUPTED, PARTIAL, SKIPPED, TAKEN, Bundle
from jvmdiag.units import duration, size

_NOT_ALL = (FAILED, PARTIAL, INTERRUPTED, SKIPPED)
BUSY_SHOWN, POOLS_SHOWN, CLASSES_SHOWN = 12, 12, 10


@dataclass(frozen=True)
class VerdictRow:
    """What a group says before and after; the level is the worse of the two. Empty where it was not looked at."""

    group: str
    level: Level
    before: str
    after: str
    advice: str


@dataclass(frozen=True)
class BusyRow:
    """`cpus` is its share of one CPU, `own` the innermost frame outside of the JDK where that is not `top`; `stands`
    says whether every dump has it at the same frame."""

    cpus: float
    name: str
    tid: int
    state: str
    top: str
    own: str
    stands: bool


def jvm_line(bundle: Bundle) -> str:
    """pid 1, HotSpot 17.0.21, org.apache.catalina.startup.Bootstrap, user tomcat, up 5m 29s, heap 88 MB of 268 MB"""
    jvm = bundle.jvm
    if jvm is None:
        return "none was looked at"
    heap = ""
    if jvm.heap_used_bytes is not None:
        heap = f"heap {size(jvm.heap_used_bytes)}"
        heap += f" of {size(jvm.heap_max_bytes)}" if jvm.heap_max_bytes else ""
    parts = (
        f"pid {jvm.nspid}",
        f"{jvm.vm} {jvm.version or ''}".strip(),
        jvm.main,
        f"user {jvm.user}",
        f"up {duration(jvm.uptime_s)}",
        heap,
    )
    return ", ".join(part for part in parts if part)


def taken_line(bundle: Bundle) -> str:
    """24 items in 16.2 s, by direct (attach protocol by this process); 1 failed, 2 skipped"""
    counts = [(len(bundle.having(status)), status) for status in _NOT_ALL]
    rest = ", ".join(f"{count} {status}" for count, status in counts if count)
    how = f"by {bundle.method} ({bundle.method_detail})" if bundle.method else "the JVM could not be asked"
    # Its own pages cannot count themselves.
    taken = sum(1 for item in bundle.having(TAKEN) if item.risk)
    return f"{taken} items in {duration(bundle.took_s)}, {how}{f'; {rest}' if rest else ''}"


def deadlock_line(digest: Digest) -> str:
    """Empty where there is no thread dump to tell by."""
    if not digest.dumps:
        return ""
    return (
        "DEADLOCK: the JVM found threads that wait for each other for ever"
        if digest.deadlock
        else "no deadlock"
    )


def verdict_rows(digest: Digest) -> Iterator[VerdictRow]:
    names = [group.name for metrics in (digest.before, digest.after) if metrics for group in metrics.groups]
    for name in dict.fromkeys(names):
        before, after = (_verdict(metrics, name) for metrics in (digest.before, digest.after))
        found = [verdict for verdict in (after, before) if verdict]
        if found:
            worst = max(found, key=lambda one: _ORDER.index(one.level))
            yield VerdictRow(
                name, worst.level, before.text if before else "", after.text if after else "", worst.advice
            )


_ORDER = (Level.UNKNOWN, Level.FINE, Level.NOTICE, Level.TROUBLE)


def _verdict(metrics: Metrics | None, name: str) -> Verdict | None:
    group = metrics.group(name) if metrics else None
    return group.verdict if group else None


def busy_rows(digest: Digest) -> Iterator[BusyRow]:
    """The busiest threads; empty where CPU times or dumps are missing."""
    for one in digest.busy[:BUSY_SHOWN]:
        name = one.name or "(in no thread dump)"
        own = one.own if one.own != one.top else ""
        yield BusyRow(one.cpus, name, one.tid, one.state, one.top, own, same_top(digest.dumps, one.tid))


def pool_rows(digest: Digest) -> tuple[Pool, ...]:
    return digest.pools[:POOLS_SHOWN]


def states_text(pool: Pool) -> str:
    """20 WAITING, 5 RUNNABLE"""
    return ", ".join(f"{count} {state}" for state, count in pool.states)


def pause_rows(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Each item whose pause was measured, and how long it was."""
    for item in bundle.items:
        if item.pause:
            yield item.name, pause_text(item.pause, item.forecast)


def missing(bundle: Bundle) -> Iterator[tuple[str, str, str]]:
    """Names, status and reason of what is not there, or not whole: what failed first, those of one reason together."""
    names: dict[tuple[str, str], list[str]] = {}
    for item in bundle.having(*_NOT_ALL):
        names.setdefault((item.status, item.why), []).append(item.name)
    for (status, why), those in names.items():
        yield ", ".join(those), status, why


def class_rows(digest: Digest) -> Iterator[tuple[str, str, str]]:
    """Bytes, instances and name of the largest classes."""
    for one in digest.classes[:CLASSES_SHOWN]:
        yield size(one.size_bytes), f"{one.instances:,}", one.name
