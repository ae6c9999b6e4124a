"""The machine around a JVM as text: whole, or one line for each set of figures. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from jvmdiag.metrics.figure import Figure, Group, Level, Metrics
from jvmdiag.metrics.requests import ACCESS_LOG
from jvmdiag.report.text import table, visible
from jvmdiag.units import duration, size

_WORDS = {Level.FINE: "ok", Level.NOTICE: "look", Level.TROUBLE: "TROUBLE", Level.UNKNOWN: "?"}
_MARGIN = " " * 9
_CORES_SHOWN = 16
_NO_IOWAIT = 0.005
_SURPLUS = re.compile(r" (collection|pauses|cycle)\b")


def metrics_text(metrics: Metrics) -> str:
    """All groups: a verdict in words, then the figures that a person looks at. --json has every one."""
    head = f"{metrics.target}  {metrics.at}  over {duration(metrics.seconds)}"
    return "\n".join((head, *(line for group in metrics.groups for line in group_lines(group))))


def group_lines(group: Group) -> Iterator[str]:
    """One group; its first line is the verdict. Nothing in it steers a terminal."""
    return map(visible, _lines(group))


def _lines(group: Group) -> Iterator[str]:
    yield f"{group.name.upper():<8} {_verdict(group)}"
    if group.verdict and group.verdict.advice:
        yield f"{_MARGIN}-> {group.verdict.advice}"
    for line in _LINES[group.name](group):
        yield f"{_MARGIN}{line}".rstrip()
    for line in group.unseen:
        yield f"{_MARGIN}not seen: {line}"


def _verdict(group: Group) -> str:
    verdict = group.verdict
    return f"{_WORDS[verdict.level]:<7} {verdict.text}" if verdict else ""


def level_of(line: str) -> Level | None:
    """The level of a verdict's line of `metrics_text`, for whoever colours it; None of any other line."""
    words = line.split()
    if line[:1] in ("", " ") or len(words) < 2 or words[0] != words[0].upper():
        return None
    return next((level for level, word in _WORDS.items() if words[1] == word), None)


def _part(
    group: Group, name: str, words: str, show: Callable[[float], str], labels: Mapping[str, str] | None = None
) -> str | None:
    """`words` with {} for the figure, the one with `labels`; None where there is none."""
    value = group.one(name, **(labels or {}))
    return None if value is None else words.format(show(value))


def _joined(*parts: str | None, by: str = "   ") -> Iterator[str]:
    """One line of what is there, or none."""
    if line := by.join(part for part in parts if part):
        yield line


def percent(share: float) -> str:
    return f"{share * 100:.1f} %" if share < 0.0995 else f"{share * 100:.0f} %"


def number(value: float) -> str:
    return f"{value:,.2f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def rate(bytes_per_s: float) -> str:
    return f"{size(bytes_per_s)}/s"


def _whole(group: Group, name: str) -> float | None:
    return next((f.value for f in group.all(name) if not f.labels), None)


def _cpu(group: Group) -> Iterator[str]:
    loads = [group.one(f"load.{span}") for span in ("1m", "5m", "15m")]
    shares = [
        (state, _whole(group, f"cpu.{state}")) for state in ("user", "system", "iowait", "steal", "idle")
    ]
    yield from _joined(
        "load " + " ".join(number(load) for load in loads if load is not None)
        if any(x is not None for x in loads)
        else None,
        *(f"{state} {percent(share)}" for state, share in shares if share is not None),
        _part(group, "cpu.running", "{} runnable", number),
        _part(group, "cpu.blocked", "{} blocked", number),
    )
    yield from _joined(
        "cores: " + "  ".join(_cores(group)) if any(f.labels for f in group.all("cpu.idle")) else None
    )
    yield from _joined(
        _part(group, "cpu.quota", "quota {} CPUs", number),
        _part(group, "cpu.throttled_periods", "throttled in {} of its periods", percent)
        if group.one("cpu.quota") is not None
        else None,
        _part(group, "cpu.pressure", "somebody waited for a CPU {} of the time", percent),
    )
    states = ", ".join(f"{f.value:.0f} {f.label('state')}" for f in group.all("cpu.threads"))
    yield from _joined(
        _part(group, "cpu.jvm", "JVM: {} CPUs", number), f"threads: {states}" if states else None
    )
    yield from _rows(
        group.all("cpu.thread"),
        ("TID", "CPU", "STATE", "NAME", "WAITS IN"),
        lambda f: (f.label("tid"), percent(f.value), f.label("state"), f.label("name"), f.label("wchan")),
        right=frozenset({0, 1}),
    )
    for one in group.all("cpu.uninterruptible"):
        yield f"waits for a device: {one.label('name')} (pid {one.label('pid')}) in {one.label('wchan') or '?'}"


def _cores(group: Group) -> Iterator[str]:
    """How busy each is, and what of it is waiting for I/O."""
    idle = [f for f in group.all("cpu.idle") if f.labels]
    for one in idle[:_CORES_SHOWN]:
        waits = group.one("cpu.iowait", core=one.label("core")) or 0.0
        busy = f"{one.label('core')}: {percent(1 - one.value)}"
        yield f"{busy} (iowait {percent(waits)})" if waits > _NO_IOWAIT else busy
    if len(idle) > _CORES_SHOWN:
        yield f"(+{len(idle) - _CORES_SHOWN})"


def _rows(
    figures: Iterator[Figure],
    head: Sequence[str],
    row: Callable[[Figure], Sequence[str]],
    right: frozenset[int] = frozenset(),
) -> Iterator[str]:
    rows = [row(one) for one in figures]
    if rows:
        yield from (f"  {line}" for line in table([head, *rows], right=right).splitlines())


def _memory(group: Group) -> Iterator[str]:
    yield from _joined(
        _part(group, "memory.available", "available {}", size),
        _part(group, "memory.total", "of {}", size),
        _part(group, "memory.dirty", "dirty {}", size),
        _part(group, "swap.used", "swap {}", size),
        _part(group, "swap.in", "in {}", rate),
        _part(group, "swap.out", "out {}", rate),
    )
    yield from _joined(
        _part(group, "memory.cgroup.used", "control group {}", size),
        _part(group, "memory.cgroup.limit", "of {}", size),
        _part(group, "memory.cgroup.oom_kills", "{} OOM kills", number),
        _part(group, "memory.jvm.resident", "JVM resident {}", size),
        _part(group, "memory.jvm.swapped", "swapped {}", size),
    )


def _network(group: Group) -> Iterator[str]:
    yield from _rows(
        (f for f in group.all("network.received") if f.value or group.one("network.sent", **dict(f.labels))),
        ("INTERFACE", "IN", "OUT", "ERRORS/s", "DROPS/s", "OVERRUNS/s"),
        lambda f: (
            f.label("interface"),
            rate(f.value),
            rate(group.one("network.sent", **dict(f.labels)) or 0.0),
            *_lost(group, f),
        ),
        right=frozenset({1, 2, 3, 4, 5}),
    )
    yield from _joined(
        _part(group, "tcp.segments_out", "segments out {}/s", number),
        _part(group, "tcp.retransmits", "retransmitted {}/s", number),
        _part(group, "tcp.retransmit_share_since_boot", "({} since boot)", percent),
        _part(group, "tcp.resets_sent", "resets sent {}/s", number),
        _part(group, "tcp.listen_overflows", "accept queue full {}/s", number),
    )
    states = (f"{f.value:.0f} {f.label('state')}" for f in group.all("connections"))
    yield from _joined(*states, by="  ")
    for port in group.all("connections.waiting"):
        there = (f for f in group.all("connections.remote") if f.label("port") == port.label("port"))
        shown = "  ".join(f"{f.value:.0f} from {f.label('address')}" for f in there) or "nobody"
        waiting = f", {port.value:.0f} wait to be accepted" if port.value else ""
        yield f"port {port.label('port')}: {shown}{waiting}"


def _lost(group: Group, figure: Figure) -> Iterator[str]:
    for kind in ("errors", "drops", "overruns"):
        both = (
            group.one(f"network.{way}_{kind}", **dict(figure.labels)) or 0.0 for way in ("receive", "send")
        )
        yield number(sum(both))


def _disk(group: Group) -> Iterator[str]:
    yield from _rows(
        group.all("disk.used_share"),
        ("MOUNT", "TYPE", "USED", "FREE", "IN USE", "INODES"),
        lambda f: (
            f.label("mount"),
            f.label("type"),
            size(group.one("disk.used", **dict(f.labels)) or 0.0),
            size(group.one("disk.free", **dict(f.labels)) or 0.0),
            percent(f.value),
            percent(group.one("disk.inodes_used_share", **dict(f.labels)) or 0.0),
        ),
        right=frozenset({2, 3, 4, 5}),
    )
    for one in group.all("disk.busy"):
        read, written = (group.one(f"disk.{way}", **dict(one.labels)) or 0.0 for way in ("read", "written"))
        waits = group.one("disk.await", **dict(one.labels))
        took = f", an access takes {duration(waits)}" if waits is not None else ""
        yield f"{one.label('device')}: read {rate(read)}, written {rate(written)}, busy {percent(one.value)}{took}"


def _limits(group: Group) -> Iterator[str]:
    for what, name in (("open files", "limit.files"), ("threads of its user", "limit.processes")):
        yield from _joined(
            _part(group, f"{name}.soft", f"{what}: {{}} allowed", number),
            _part(group, f"{name}.hard", "hard {}", number),
            _part(group, f"{name}.used", "in use {}", number),
        )
    yield from _joined(
        _part(group, "limit.cgroup.pids.used", "threads of its control group: in use {}", number),
        _part(group, "limit.cgroup.pids.limit", "of {}", number),
    )


def _jvm(group: Group) -> Iterator[str]:
    yield from _joined(
        _part(group, "jvm.heap.used", "heap {}", size),
        _part(group, "jvm.heap.max", "of {}", size),
        _part(group, "jvm.metaspace.used", "metaspace {}", size),
        _part(group, "jvm.threads", "{} threads", number),
        _part(group, "jvm.safepoint.time", "stood still {}", percent),
    )
    yield from _joined(
        *(
            _collector(group, f, kind)
            for kind in ("minor", "major", "concurrent")
            for f in group.all(f"jvm.gc.{kind}.collections")
        )
    )


def _collector(group: Group, figure: Figure, kind: str) -> str:
    took = group.one(f"jvm.gc.{kind}.time", **dict(figure.labels)) or 0.0
    # "G1 young collection pauses"
    name = _SURPLUS.sub("", figure.label("collector")) or kind
    return f"{name}: {number(figure.value)}/s, {percent(took)} of the time"


def _tomcat(group: Group) -> Iterator[str]:
    for one in group.all("tomcat.threads.current"):
        labels = dict(one.labels)
        yield from _joined(
            one.label("connector"),
            _part(group, "tomcat.threads.busy", "{} busy", number, labels),
            f"{one.value:.0f} threads",
            _part(group, "tomcat.threads.max", "of {}", number, labels),
            _part(group, "tomcat.connections", "{} connections", number, labels),
            _part(group, "tomcat.connections.max", "of {}", number, labels),
            _part(group, "tomcat.queue", "{} not accepted yet", number, labels),
            _part(group, "tomcat.queue.max", "of {}", number, labels),
        )
        yield from _joined(
            _part(group, "tomcat.requests.rate", "{} requests/s", number, labels),
            _part(group, "tomcat.errors.rate", "{} errors/s", number, labels),
            _part(group, "tomcat.received.rate", "in {}", rate, labels),
            _part(group, "tomcat.sent.rate", "out {}", rate, labels),
            _part(group, "tomcat.time.mean", "mean {}", duration, labels),
            _part(group, "tomcat.time.max", "longest since its start {}", duration, labels),
        )
    for one in group.all("tomcat.executor.threads"):
        labels = dict(one.labels)
        yield from _joined(
            one.label("executor"),
            _part(group, "tomcat.executor.busy", "{} busy", number, labels),
            f"{one.value:.0f} threads",
            _part(group, "tomcat.executor.threads.max", "of {}", number, labels),
            _part(group, "tomcat.executor.queue", "{} requests wait", number, labels),
        )


def _requests(group: Group) -> Iterator[str]:
    log = {"source": ACCESS_LOG}
    yield from _joined(
        _part(group, "requests.rate", "access log: {}/s", number),
        _part(group, "requests.seconds", "over {}", duration),
        _part(group, "requests.before", "before {}/s", number, log),
        _part(group, "requests.errors.rate", "{} errors/s", number),
        _part(group, "requests.time.mean", "mean {}", duration),
        _part(group, "requests.time.max", "longest {}", duration),
        _part(group, "requests.age", "the last was logged {} ago", duration),
    )
    for one in group.all("requests.now"):
        if one.label("source") != ACCESS_LOG:
            before = group.one("requests.before", **dict(one.labels)) or 0.0
            yield f"{one.label('source')}: {number(one.value)}/s   before {number(before)}/s"


def _apache(group: Group) -> Iterator[str]:
    yield from _joined(
        _part(group, "apache.requests.rate", "{} requests/s", number),
        _part(group, "apache.sent.rate", "out {}", rate),
        _part(group, "apache.requests.since_start", "(since its start {} requests/s)", number),
        _part(group, "apache.connections", "{} connections", number),
        _part(group, "apache.processes", "{} processes", number),
        _part(group, "apache.threads", "{} threads", number),
        _part(group, "apache.limit.files.soft", "open files: {} allowed", number),
        _part(group, "apache.limit.processes.soft", "processes: {} allowed", number),
    )
    yield from _joined(
        *(f"{f.value:.0f} {f.label('state')}" for f in group.all("apache.scoreboard")), by="  "
    )


_LINES: dict[str, Callable[[Group], Iterator[str]]] = {
    "cpu": _cpu,
    "memory": _memory,
    "network": _network,
    "disk": _disk,
    "limits": _limits,
    "jvm": _jvm,
    "tomcat": _tomcat,
    "requests": _requests,
    "apache": _apache,
}
