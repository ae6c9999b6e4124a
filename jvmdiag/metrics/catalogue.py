"""Every figure there is: its unit, where it is read, by which formula, and its Datadog name. The page
docs/reference/metrics.md is made of this table, and so are the OpenMetrics texts.

Each group keeps its own part, beside the code that makes the figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

# The order in which they are shown. A module of that name in this room holds DESCRIBED.
GROUPS = ("cpu", "memory", "network", "disk", "limits", "jvm")


@dataclass(frozen=True, kw_only=True)
class Described:
    """`source` is a file of the target or a page of the server; `formula` how the figure comes of it.

    `datadog` is the name it is sent under, empty where Datadog has none; times `datadog_factor` it is in Datadog's unit.
    """

    name: str
    unit: str
    source: str
    formula: str
    labels: tuple[str, ...] = ()
    datadog: str = ""
    datadog_factor: float = 1.0


@cache
def described() -> dict[str, Described]:
    """By name, in the order of the groups."""
    parts = (import_module(f"jvmdiag.metrics.{group}").DESCRIBED for group in GROUPS)
    return {one.name: one for part in parts for one in part}
