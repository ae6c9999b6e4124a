"""A rehearsal as a picture: requests by the second and the longest wait, the time of the dump shaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jvmdiag.load.outcome import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jvmdiag.load.outcome import Request

_STEP_S = 0.5
_SIZE_IN = (10, 5.5)


def plot(
    path: Path, title: str, requests: Sequence[Request], asked_s: float, took_s: float, until_s: float
) -> None:
    """Write a PNG, 0600. Times are Unix time; on the picture 0 is the question. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    began_s = requests[0].ended_s
    rows = steps(requests, began_s, until_s, _STEP_S)
    at = [begin + began_s - asked_s for begin, _, _ in rows]
    figure = Figure(figsize=_SIZE_IN, layout="constrained")
    FigureCanvasAgg(figure)
    rates, waits = figure.subplots(2, 1, sharex=True)
    figure.suptitle(title)
    rates.step(at, [rate for _, rate, _ in rows], where="post", color="tab:blue")
    rates.set_ylabel("requests / s")
    rates.set_ylim(bottom=0)
    waits.plot(
        [second for second, (_, _, longest) in zip(at, rows, strict=True) if longest is not None],
        [longest * 1000 for _, _, longest in rows if longest is not None],
        ".",
        color="tab:red",
    )
    waits.set_yscale("log")
    waits.yaxis.set_major_formatter(ScalarFormatter())
    waits.set_ylabel("longest answer, ms")
    waits.set_xlabel("seconds from the question to the JVM")
    for axes in (rates, waits):
        axes.axvspan(0, took_s, color="0.85", label="the JVM deals with it")
        axes.grid(alpha=0.3)
    rates.legend(loc="lower left")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        figure.savefig(file, dpi=110, format="png")
