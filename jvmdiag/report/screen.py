"""The machine around a JVM as text for a screen of so many rows. Pure."""

from __future__ import annotations

from jvmdiag.metrics.figure import Group, Level, Metrics
from jvmdiag.report.metrics import group_lines, metrics_text

_WORST_FIRST = (Level.TROUBLE, Level.NOTICE, Level.UNKNOWN, Level.FINE)


def screen_text(metrics: Metrics, rows: int) -> str:
    """All of it; where that takes more than `rows`, every verdict, and below them as much as there is room for, of the
    groups in trouble first."""
    head, *lines = metrics_text(metrics).splitlines()
    if len(lines) < rows:
        return "\n".join((head, *lines))
    verdicts = [next(group_lines(group)) for group in metrics.groups]
    groups = sorted(metrics.groups, key=_rank)
    return "\n".join([head, *verdicts, *(line for group in groups for line in group_lines(group))][:rows])


def _rank(group: Group) -> int:
    return _WORST_FIRST.index(group.verdict.level if group.verdict else Level.UNKNOWN)
