"""A rehearsal as text: each endpoint before, meanwhile and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jvmdiag.report.text import heap_dump_text, table
from jvmdiag.units import duration

if TYPE_CHECKING:
    from jvmdiag.collect.rehearse import Rehearsed
    from jvmdiag.load.outcome import Endpoint, Phase

FIGURES = ("REQUESTS", "FAILED", "PER SECOND", "P50", "P95", "P99", "LONGEST")
_HEAD = ("ENDPOINT", "WHEN", *FIGURES)


def rehearsal_text(came: Rehearsed, *, plain: bool = False) -> str:
    """The dump and its cost, then three lines for each endpoint."""
    rows = [_HEAD, *(row for endpoint in came.endpoints for row in _rows(endpoint))]
    return f"{heap_dump_text(came.dump, plain=plain)}\n{table(rows, right=frozenset(range(2, len(_HEAD))))}"


def _rows(endpoint: Endpoint) -> list[tuple[str, ...]]:
    phases = (("before", endpoint.before), ("during", endpoint.during), ("after", endpoint.after))
    return [(endpoint.name if n == 0 else "", when, *cells(phase)) for n, (when, phase) in enumerate(phases)]


def cells(phase: Phase) -> tuple[str, ...]:
    """Under FIGURES."""
    times = (phase.p50_s, phase.p95_s, phase.p99_s, phase.longest_s)
    return (
        str(phase.requests),
        str(phase.failures),
        f"{phase.per_s:.1f}",
        *("-" if one is None else duration(one) for one in times),
    )
