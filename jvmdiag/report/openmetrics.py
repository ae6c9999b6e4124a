"""Figures as OpenMetrics text, version 1.0.0, which Prometheus reads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.figure import Figure, Metrics

# What the text of a label or a help may not hold as it is.
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def openmetrics_text(metrics: Sequence[Metrics]) -> str:
    """All sets of figures as one exposition: every figure is a gauge, with the target as a label; ends with # EOF.

    Of several sets of one target only the last may be given: an exposition holds a series once.
    """
    return "".join(f"{line}\n" for line in (*_families(metrics), "# EOF"))


def _families(metrics: Sequence[Metrics]) -> Iterator[str]:
    for name, about in described().items():
        found = [(one.target, figure) for one in metrics for figure in one.figures if figure.name == name]
        if not found:
            continue
        family = family_of(name)
        yield f"# TYPE {family} gauge"
        yield f"# HELP {family} {f'{about.unit}; {about.source}: {about.formula}'.translate(_ESCAPED)}"
        for target, figure in found:
            yield f"{family}{{{_labels(target, figure)}}} {figure.value!r}"


def family_of(name: str) -> str:
    """jvmdiag_cpu_user of cpu.user. OpenMetrics lets a name hold letters, digits, _ and : only."""
    return f"jvmdiag_{name.replace('.', '_')}"


def _labels(target: str, figure: Figure) -> str:
    pairs = (("target", target), *figure.labels)
    return ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in pairs)
