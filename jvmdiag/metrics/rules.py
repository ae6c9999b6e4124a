"""What the figures say, in words: the rules of thumb of rules.txt, which explains its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jvmdiag.metrics.figure import Figure, Group, Level, Verdict
from jvmdiag.units import duration, size

_HEAD = re.compile(r"(\w+) (trouble|notice|fine): (.+)")
_CONDITION = re.compile(r"([\w.]+) ([<>]) (-?[\d.e+]+)")
_FIELD = re.compile(r"\{([\w.]+)(?::(\w+))?\}")
_UNITS: dict[str, Callable[[float], str]] = {
    "": lambda value: f"{value:,.2f}".rstrip("0").rstrip("."),
    "bytes": size,
    "percent": lambda share: f"{share * 100:.1f} %",
    "rate": lambda value: f"{value:,.1f}",
    "round": lambda value: f"{value:,.1f}" if 0 < value < 10 else f"{value:,.0f}",
    "seconds": duration,
}
NOTHING_SEEN = Verdict(Level.UNKNOWN, "nothing to be seen")


@dataclass(frozen=True)
class Condition:
    """The figure `name` is more, or less, than `threshold`."""

    name: str
    more: bool
    threshold: float

    def holds(self, figure: Figure) -> bool:
        return figure.value > self.threshold if self.more else figure.value < self.threshold


@dataclass(frozen=True)
class Rule:
    """One block of rules.txt."""

    group: str
    level: Level
    when: tuple[Condition, ...]
    text: str
    advice: str = ""

    def verdict(self, figures: Sequence[Figure]) -> Verdict | None:
        """None where it holds of nothing: of no disk, connector or whatever else its first condition is about."""
        verdicts = (self._verdict_on(one, figures) for one in _from_largest(figures, self.when[0].name))
        return next((one for one in verdicts if one), None)

    def _verdict_on(self, first: Figure, figures: Sequence[Figure]) -> Verdict | None:
        told = {name: found for name in self._names if (found := _beside(first, figures, name))}
        if not all(one.name in told and one.holds(told[one.name]) for one in self.when):
            return None
        if any(_shown(field[1], "", told) is None for field in _FIELD.finditer(self.text)):
            return None
        return Verdict(self.level, worded(self.text, told), worded(self.advice, told))

    @property
    def _names(self) -> set[str]:
        """The figures that it is about. What ends with a label is found by what stands before that."""
        fields = {field[1] for field in _FIELD.finditer(self.text + self.advice)}
        return {one.name for one in self.when} | fields | {field.rpartition(".")[0] for field in fields}


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Raises ValueError with the block that is none."""
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(_rule(block) for block in plain.split("\n\n") if block.strip())


def _rule(block: str) -> Rule:
    head, *lines = (line.strip() for line in block.strip().splitlines())
    found, texts = _HEAD.fullmatch(head), [line for line in lines if not line.startswith("-> ")]
    conditions = [_CONDITION.fullmatch(one) for one in found[3].split(", ")] if found else []
    if not found or not all(conditions) or len(texts) != 1 or len(lines) > 2:
        raise ValueError(f"no rule: {block.strip()!r}")
    when = tuple(Condition(one[1], one[2] == ">", float(one[3])) for one in conditions if one)
    advice = next((line.removeprefix("-> ") for line in lines if line.startswith("-> ")), "")
    return Rule(found[1], Level(found[2]), when, texts[0], advice)


@cache
def rules() -> tuple[Rule, ...]:
    """Those of rules.txt, in order."""
    return parse_rules(Path(__file__).with_name("rules.txt").read_text(encoding="utf-8"))


def judged(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Each group with its verdict, which may be about figures of the others as well."""
    figures = tuple(one for group in groups for one in group.figures)
    return tuple(replace(group, verdict=_verdict(group.name, figures)) for group in groups)


def _verdict(group: str, figures: Sequence[Figure]) -> Verdict:
    verdicts = (rule.verdict(figures) for rule in rules() if rule.group == group)
    return next((one for one in verdicts if one), NOTHING_SEEN)


def _from_largest(figures: Sequence[Figure], name: str) -> list[Figure]:
    """Those without labels, or, where there are none, all of them."""
    own = [f for f in figures if f.name == name]
    whole = [f for f in own if not f.labels]
    return sorted(whole or own, key=lambda f: f.value, reverse=True)


def _beside(first: Figure, figures: Sequence[Figure], name: str) -> Figure | None:
    """The figure of that name about the same thing as `first`: with the labels that both have."""
    if name == first.name:
        return first
    same = [f for f in figures if all(f.label(k) in ("", v) for k, v in first.labels)]
    return next(iter(_from_largest(same, name)), None)


def worded(text: str, told: Mapping[str, Figure]) -> str:
    """`text` with its {figures}; one that is missing shows as a question mark."""
    return _FIELD.sub(lambda field: _shown(field[1], field[2] or "", told) or "?", text)


def _shown(name: str, unit: str, told: Mapping[str, Figure]) -> str | None:
    if name in told:
        return _UNITS[unit](told[name].value)
    figure, _, label = name.rpartition(".")
    return told[figure].label(label) if figure in told else None
