"""What is compared with what, against which goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.bench.rounds import Rounds, median_s


class Measure(Enum):
    """How a goal is counted; the value is what follows its figure."""

    TIME = "× its time"
    SPEED = "× its speed"
    SECONDS = "s"


@dataclass(frozen=True)
class Goal:
    """At most that share of the other's time, at least that multiple of its speed, or at most so many seconds."""

    measure: Measure
    bound: float

    def figure(self, ours_s: float, other_s: float) -> float:
        match self.measure:
            case Measure.TIME:
                return ours_s / other_s
            case Measure.SPEED:
                return other_s / ours_s
            case Measure.SECONDS:
                return ours_s

    def met(self, figure: float) -> bool:
        return figure >= self.bound if self.measure is Measure.SPEED else figure <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.measure is Measure.SPEED else '≤'} {self.bound:g} {self.measure.value}"


@dataclass(frozen=True)
class Row:
    """One line of the table: a contender beside another, or alone."""

    ours: str
    other: str | None = None
    goal: Goal | None = None


@dataclass(frozen=True)
class Comparison:
    """A piece of work, everybody's samples of it, and the lines that say what came out."""

    title: str
    rounds: Rounds
    rows: tuple[Row, ...]

    def median_s(self, name: str) -> float:
        return median_s(self.rounds[name])


@dataclass(frozen=True)
class Scale:
    """How much of everything. `heap_bytes` is about the size of the heap dump."""

    heap_bytes: int
    rounds: int
    short_rounds: int


FULL = Scale(heap_bytes=1 << 30, rounds=3, short_rounds=11)
QUICK = Scale(heap_bytes=256 << 20, rounds=2, short_rounds=5)


@dataclass(frozen=True)
class Bench:
    """What every comparison stands on: its scale, a folder of its own, the environment of what it runs."""

    scale: Scale
    folder: Path
    env: Mapping[str, str]
