"""Looks that were recorded, and looks written by hand: what look.sh prints.

tests/data/look/CASE-before.out and CASE-after.out are its output, two seconds apart, with the token below.
"""

from __future__ import annotations

from pathlib import Path

from jvmdiag.metrics.look import Look, parse_look

DATA = Path(__file__).parents[2] / "data" / "look"
TOKEN = "0123456789abcdef"


def recorded(case: str, pid: int | None = 1) -> tuple[Look, Look]:
    """The two looks of a case."""
    files = (DATA / f"{case}-{which}.out" for which in ("before", "after"))
    before, after = (parse_look(file.read_bytes(), TOKEN, pid) for file in files)
    return before, after


def look_of(at_s: float = 100.0, pid: int | None = 1, **sections: str) -> Look:
    """A look that was taken at `at_s` of the target's uptime, and printed those sections."""
    system = f"{at_s} 50.00\n{sections.pop('system', '')}"
    return Look(pid, {name: text.encode() for name, text in {"system": system, **sections}.items()})
