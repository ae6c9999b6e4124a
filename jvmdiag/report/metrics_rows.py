"""The machine around a JVM as one line for each set of figures, as vmstat has it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.metrics.figure import Metrics
from jvmdiag.report.metrics import number, percent, rate
from jvmdiag.units import size


def _total(metrics: Metrics, name: str) -> float | None:
    """The figure without labels, or the sum of those that have some; what stays on the machine is no traffic."""
    figures = [f for f in metrics.figures if f.name == name and f.label("interface") != "lo"]
    whole = [f for f in figures if not f.labels] or figures
    return sum(f.value for f in whole) if whole else None


# What counts between the looks comes before what the log says of some time.
_REQUESTS = ("tomcat.requests.rate", "requests.rate", "apache.requests.rate")


def _requests(metrics: Metrics) -> float | None:
    return next((total for name in _REQUESTS if (total := _total(metrics, name)) is not None), None)


_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("LOAD", "load.1m", number),
    ("REQ/S", "", number),
    ("USER", "cpu.user", percent),
    ("SYSTEM", "cpu.system", percent),
    ("IOWAIT", "cpu.iowait", percent),
    ("JVM CPU", "cpu.jvm", number),
    ("AVAILABLE", "memory.available", size),
    ("IN", "network.received", rate),
    ("OUT", "network.sent", rate),
    ("RETRANS", "tcp.retransmit_share", percent),
    ("CONN", "tcp.established", number),
    ("WRITTEN", "disk.written", rate),
    ("HEAP", "jvm.heap.used", size),
    ("GC", "jvm.gc.minor.time", percent),
    ("FULL GC", "jvm.gc.major.time", percent),
    ("THREADS", "jvm.threads", number),
)
_WIDTHS = (6, 7, 7, 7, 7, 7, 9, 10, 10, 7, 6, 10, 7, 6, 7, 7)


def row_head() -> str:
    """The head of the lines of `row_text`."""
    return "TIME      " + " ".join(
        head.rjust(width) for (head, _, _), width in zip(_COLUMNS, _WIDTHS, strict=True)
    )


def row_text(metrics: Metrics) -> str:
    """One line, as vmstat has it."""
    totals = ((_total(metrics, name) if name else _requests(metrics), show) for _, name, show in _COLUMNS)
    cells = ("-" if total is None else show(total).replace(" ", "") for total, show in totals)
    return f"{metrics.at[11:19]}  " + " ".join(c.rjust(w) for c, w in zip(cells, _WIDTHS, strict=True))
