"""A screen that is painted anew with each set of figures, until somebody has seen enough."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jvmdiag.cli.console import Console
from jvmdiag.cli.stopping import stopped_by
from jvmdiag.errors import BadRequest
from jvmdiag.metrics.figure import Level, Metrics
from jvmdiag.report.metrics import level_of
from jvmdiag.report.screen import screen_text

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {Level.FINE: "green", Level.NOTICE: "yellow", Level.TROUBLE: "bold red", Level.UNKNOWN: "dim"}


def _painted(metrics: Metrics, rows: int) -> Text:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for line in screen_text(metrics, rows).splitlines():
        level = level_of(line)
        text.append(f"{line}\n", style=_STYLES[level] if level else "")
    return text


def watch_on_screen(console: Console, sets: Iterable[Metrics]) -> None:
    """Ctrl-C ends it, as the one way there is: that is no failure.

    Raises BadRequest where stdout is no terminal, or one that cannot be painted on.
    """
    from rich.console import Console as Terminal
    from rich.live import Live

    terminal = Terminal(highlight=False)
    if not sys.stdout.isatty() or terminal.is_dumb_terminal:
        raise BadRequest(
            "--watch takes a terminal that can be painted on",
            advice="--count N, or --json, for a file, a pipe or TERM=dumb",
        )

    try:
        with Live("looking ...", console=terminal, screen=True, auto_refresh=False) as live:
            for one in sets:
                live.update(_painted(one, terminal.height), refresh=True)
    except KeyboardInterrupt:
        if stopped_by[:1] != [signal.SIGINT]:
            raise
        stopped_by.clear()
