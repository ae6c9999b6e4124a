"""A class histogram: the question, and the answer as rows. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jvmdiag.errors import DumpIncomplete

# "   1:     12345    678901  java.lang.String (java.base@17.0.15)"
_ROW = re.compile(r"^\s*\d+:\s+(\d+)\s+(\d+)\s+(\S+)(?:\s+\((\S+)\))?\s*$", re.MULTILINE)
_TOTAL = re.compile(r"^Total\s+(\d+)\s+(\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class ClassCount:
    """One class: how many instances, and their shallow bytes together."""

    name: str
    instances: int
    size_bytes: int
    module: str | None


@dataclass(frozen=True)
class Histogram:
    """Largest first, as the JVM orders them."""

    classes: tuple[ClassCount, ...]
    instances: int
    size_bytes: int


def histogram_line(*, live: bool) -> str:
    """The diagnostic command. `live` counts what is reachable only: a full collection comes first."""
    return "GC.class_histogram" if live else "GC.class_histogram -all"


def parse_histogram(text: str) -> Histogram:
    """Raises DumpIncomplete where the line of totals is missing or does not match the rows."""
    total = _TOTAL.search(text)
    rows = tuple(ClassCount(m[3], int(m[1]), int(m[2]), m[4]) for m in _ROW.finditer(text))
    if total is None:
        raise DumpIncomplete("the histogram has no end", why="the line of totals is missing")
    if sum(row.instances for row in rows) != int(total[1]):
        raise DumpIncomplete(
            "the histogram does not add up", why=f"{len(rows)} rows, total {total[1]} instances"
        )
    return Histogram(rows, int(total[1]), int(total[2]))
