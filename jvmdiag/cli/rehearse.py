"""jvmdiag rehearse: a heap dump under load, on a staging system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag rehearse staging --url http://staging:8080/orders --users 20
  jvmdiag rehearse staging --url http://staging:8080/files --scenario mixed --body-bytes 65536
  jvmdiag rehearse staging --url http://staging:8080 --locustfile ours.py
"""


@options.shared(*options.DUMP, timeout_s=1800.0)
def command(
    way: options.Way,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="What is asked for, from here.")],
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="WHAT", help="get, post (binary), delete, or mixed.")
    ] = "get",
    users: Annotated[int, typer.Option("--users", metavar="N", min=1, help="How many callers.")] = 10,
    pace: Annotated[
        float, typer.Option("--pace", metavar="S", help="Seconds between two requests of a caller.")
    ] = 0.1,
    body_bytes: Annotated[
        int, typer.Option("--body-bytes", metavar="N", min=0, help="The size of a POST's body.")
    ] = 4096,
    locustfile: Annotated[
        Path | None, typer.Option("--locustfile", metavar="FILE", help="Callers of your own, for Locust.")
    ] = None,
    before: Annotated[float, typer.Option("--before", metavar="S", help="Seconds of load before.")] = 10.0,
    after: Annotated[float, typer.Option("--after", metavar="S", help="Seconds of load after.")] = 10.0,
    live: Annotated[
        bool, typer.Option("--live", help="Only reachable objects: a full collection comes first.")
    ] = False,
) -> None:
    """Take a heap dump under load, and see what it does to each kind of request. For a staging system.

    Needs Locust: pip install 'jvmdiag[load]'. Leaves a JSON file and a picture beside the dump.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.heap_request import HeapDumpRequest
    from jvmdiag.collect.rehearse import Rehearsal, rehearse
    from jvmdiag.load.running import LoadSpec, Scenario
    from jvmdiag.report.json import document
    from jvmdiag.report.rehearsal import rehearsal_text

    spec = LoadSpec(
        url, options.one_of("--scenario", Scenario, scenario), users, pace, body_bytes, locustfile
    )
    rehearsal = Rehearsal(spec, before, after, HeapDumpRequest(live, terms=way.terms))
    rehearsal.check()
    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_rehearsal

        way.show(rehearse_rehearsal(way.job, rehearsal, way.journal))
        return

    with progress_of(way.console, "heap dump") as progress:
        came = rehearse(way.job, rehearsal, way.journal, progress, way.agrees_to_load)
    if way.json:
        way.console.result(document("rehearse", **vars(came)))
        return
    files = (came.dump.artifact.path, came.document, came.picture)
    way.console.result("\n".join(file for file in files if file))
    way.console.say(rehearsal_text(came, plain=way.console.plain))
