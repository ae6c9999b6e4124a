"""jvmdiag metrics: the machine around the JVM."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.statsd import sending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jvmdiag.metrics.figure import Metrics

EXAMPLE = """\b
Examples:
  jvmdiag metrics web
  jvmdiag metrics web --watch
  jvmdiag metrics ssh://ops@app1 --interval 5 --count 12
  jvmdiag metrics web --format openmetrics
  jvmdiag metrics web --count 60 --statsd 127.0.0.1:8125
"""


class Format(str, Enum):
    """What --format takes."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"


_SHARED = (
    "target",
    "statsd",
    *options.SERVERS,
    "threads",
    "jvm",
    "view",
    "jdk_image",
    "no_pull",
    *options.SSH,
)


@options.shared(*_SHARED, *options.LOOKED)
def command(
    way: options.Way,
    interval: Annotated[
        float, typer.Option("--interval", metavar="SECONDS", help="What rates are taken over.")
    ] = 1.0,
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="How often; more than once is a line each.")
    ] = 1,
    watch: Annotated[
        bool, typer.Option("--watch", help="A screen that is painted anew, until Ctrl-C.")
    ] = False,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, or openmetrics for Prometheus.")
    ] = "text",
) -> None:
    """Show the machine around a JVM: CPU, requests, memory, network, disk, limits, the JVM, Tomcat, Apache.

    And what it means. Reads the kernel's files and counts the lines of the access log, installs nothing.
    Tomcat's threads it asks of the JVM; --no-threads asks it nothing.
    """
    from jvmdiag.collect.metrics import check_times, each_metrics, watching
    from jvmdiag.errors import BadRequest

    form = options.one_of("--format", Format, format_)
    if form is Format.OPENMETRICS and (way.json or watch or count > 1):
        raise BadRequest(
            "--format openmetrics is one exposition", advice="without --json, --watch and --count"
        )
    if watch and count > 1:
        raise BadRequest("--watch goes on until Ctrl-C", advice="--count alone, for a line each")
    check_times(interval, count)
    asked = way.servers
    with sending(way.statsd) as send, watching(way.job, asked, way.journal) as watched:
        sets = (send(one) for one in each_metrics(watched, interval, None if watch else count))
        if watch:
            _watch(way, sets)
        else:
            _show(way, sets, form, count)


def _watch(way: options.Way, sets: Iterable[Metrics]) -> None:
    if way.json:
        _lines(way, sets)
        return
    from jvmdiag.cli.screen import watch_on_screen

    watch_on_screen(way.console, sets)


def _lines(way: options.Way, sets: Iterable[Metrics]) -> None:
    from jvmdiag.report.json import document

    for one in sets:
        way.console.result(document("metrics", one_line=True, **vars(one)))
        if not way.console.heard:
            break


def _show(way: options.Way, sets: Iterable[Metrics], form: Format, count: int) -> None:
    from jvmdiag.report.metrics import metrics_text
    from jvmdiag.report.metrics_rows import row_head, row_text
    from jvmdiag.report.openmetrics import openmetrics_text

    if way.json:
        _lines(way, sets)
    elif form is Format.OPENMETRICS:
        way.console.result(openmetrics_text(tuple(sets)).rstrip("\n"))
    elif count == 1:
        way.console.result("\n".join(metrics_text(one) for one in sets))
    else:
        way.console.result(row_head())
        for one in sets:
            way.console.result(row_text(one))
            if not way.console.heard:
                break
