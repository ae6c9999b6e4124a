"""jvmdiag load: callers at a pace, and what they got."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag load http://127.0.0.1:8080/orders --users 20 --time 1m
  jvmdiag load http://127.0.0.1:8080/orders --users 200 --spawn-rate 10 --time 5m
  jvmdiag load http://staging:8080/files --scenario mixed --body-bytes 65536
  jvmdiag load http://staging:8080 --locustfile ours.py
"""


@options.shared("yes", "json", "quiet")
def command(
    way: options.Way,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="What is asked for, from here.", show_default=False)
    ],
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="How many callers.")] = 10,
    spawn_rate: Annotated[
        float | None,
        typer.Option("--spawn-rate", metavar="N", help="How many of them begin in a second. Default: all."),
    ] = None,
    time: Annotated[
        str, typer.Option("--time", metavar="TIME", help="How long, from the first request on: 30s, 5m.")
    ] = "30s",
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="WHAT", help="get, post (binary), delete, or mixed.")
    ] = "get",
    pace: Annotated[
        float, typer.Option("--pace", metavar="S", help="Seconds between two requests of a caller.")
    ] = 0.1,
    body_bytes: Annotated[
        int, typer.Option("--body-bytes", metavar="N", min=0, help="The size of a POST's body.")
    ] = 4096,
    locustfile: Annotated[
        Path | None, typer.Option("--locustfile", metavar="FILE", help="Callers of your own, for Locust.")
    ] = None,
) -> None:
    """Make load, and say what each kind of request got. Asks first where the URL is not on this machine.

    Needs Locust: pip install 'jvmdiag[load]'. Ctrl-C ends it, and what came until then is told.
    """
    from jvmdiag.cli.progress import load_line
    from jvmdiag.collect.load import make_load
    from jvmdiag.errors import BadRequest, LoadFailed
    from jvmdiag.load.running import LoadSpec, Scenario
    from jvmdiag.report.json import document
    from jvmdiag.report.load import load_text
    from jvmdiag.units import seconds_of

    seconds = seconds_of(time)
    if seconds is None:
        raise BadRequest(f"--time {time!r} is no time", advice="write 30s, 5m or 1h")
    what = options.one_of("--scenario", Scenario, scenario)
    spec = LoadSpec(url, what, users, pace, body_bytes, locustfile, spawn_rate)
    with load_line(way.console, seconds) as show:
        came = make_load(spec, seconds, way.agrees_to_load, show)
    way.console.result(document("load", **vars(came)) if way.json else load_text(came))
    if came.trouble:
        raise LoadFailed("the load ended early", why=came.trouble)
