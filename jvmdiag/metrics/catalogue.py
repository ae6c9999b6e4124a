"""Every figure there is: unit, source, formula and Datadog name, as catalogue.txt has it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Described:
    """`source` is a file of the target or a page of the server; `formula` how the figure comes of it.

    `datadog` is the name it is sent under, or empty; times `datadog_factor` it is in Datadog's unit.
    """

    group: str
    name: str
    unit: str
    labels: tuple[str, ...]
    source: str
    formula: str
    datadog: str
    datadog_factor: float


@cache
def described() -> dict[str, Described]:
    """By name, in the order of the catalogue."""
    text = Path(__file__).with_name("catalogue.txt").read_text(encoding="utf-8")
    return {one.name: one for one in parse_catalogue(text)}


def parse_catalogue(text: str) -> list[Described]:
    """Raises ValueError where a line has not its six fields (the last ones may be left out)."""
    found, group = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            found.append(_described(group, line))
    return found


def _described(group: str, line: str) -> Described:
    fields = [field.strip() for field in line.split(" | ")]
    name, unit, labels, source, formula, datadog = fields + [""] * (6 - len(fields))
    known, _, factor = datadog.partition(" × ")
    names = tuple(label for label in labels.split(", ") if label)
    return Described(group, name, unit, names, source, formula, known, float(Fraction(factor or 1)))
