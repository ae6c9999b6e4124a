"""What the machine around a JVM is described by: figures with labels, in groups, each with its verdict. Pure.

A figure's name stands in the catalogue (catalogue.py), which says its unit, source and formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """One number. `labels` tell apart the figures of one name: (("interface", "eth0"),)."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()

    def label(self, key: str) -> str:
        """Empty where it has no such label."""
        return dict(self.labels).get(key, "")


def figure(name: str, value: float, /, **labels: str) -> Figure:
    return Figure(name, float(value), tuple(labels.items()))


class Level(str, Enum):
    """FINE: nothing stands out. NOTICE: worth a look. TROUBLE: look here first. UNKNOWN: nothing could be seen."""

    FINE = "fine"
    NOTICE = "notice"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """One line in words, by a rule of rules.py, and what may be done about it (empty: nothing)."""

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Group:
    """What belongs together: cpu, memory, network, disk, limits, jvm, tomcat, apache.

    `unseen` says what could not be read, and why, a line each.
    """

    name: str
    figures: tuple[Figure, ...]
    unseen: tuple[str, ...] = ()
    verdict: Verdict | None = None

    def all(self, name: str) -> Iterator[Figure]:
        return (one for one in self.figures if one.name == name)

    def one(self, name: str, /, **labels: str) -> float | None:
        """The value of the first figure of that name and those labels; None where there is none."""
        found = (f for f in self.all(name) if all(f.label(k) == v for k, v in labels.items()))
        return next((f.value for f in found), None)


@dataclass(frozen=True)
class Metrics:
    """One look at everything. `at` is ISO 8601 in UTC by this machine's clock; rates are over `seconds`, the time
    between the two looks that they come of, by the target's clock."""

    target: str
    at: str
    seconds: float
    groups: tuple[Group, ...]

    def group(self, name: str) -> Group | None:
        return next((one for one in self.groups if one.name == name), None)

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(one for group in self.groups for one in group.figures)


def present(*figures: Figure | None) -> tuple[Figure, ...]:
    return tuple(one for one in figures if one is not None)


def maybe(name: str, value: float | None, /, **labels: str) -> Figure | None:
    """The figure, or None where there is no value."""
    return None if value is None else figure(name, value, **labels)


def flat(parts: Iterable[Iterable[Figure]]) -> tuple[Figure, ...]:
    return tuple(one for part in parts for one in part)
