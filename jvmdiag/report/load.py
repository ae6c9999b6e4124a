"""A load as text: a line for each kind of request, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jvmdiag.report.rehearsal import FIGURES, cells
from jvmdiag.report.text import table
from jvmdiag.units import duration

if TYPE_CHECKING:
    from jvmdiag.collect.load import LoadMade

_HEAD = ("ENDPOINT", *FIGURES)


def load_text(came: LoadMade) -> str:
    """What was made of load, the table, and each kind of failure."""
    begun = f", {came.spawn_per_s:g} more a second" if came.spawn_per_s else ""
    rows = [_HEAD, *((one.name, *cells(one.figures)) for one in came.endpoints)]
    lines = [
        f"{came.users} callers ({came.scenario}) of {came.url}{begun}, for {duration(came.lasted_s)}",
        table(rows, right=frozenset(range(1, len(_HEAD)))),
        *(f"  {one.count:,} failed: {one.text}" for one in came.endpoints[0].failed),
    ]
    return "\n".join(lines)
