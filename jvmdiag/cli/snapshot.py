"""jvmdiag snapshot: all that is worth having of a JVM in trouble, in one folder."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag snapshot web -o incident
  jvmdiag snapshot web --light
  jvmdiag snapshot ssh://ops@app1 --sudo --full --heap
  jvmdiag snapshot web --encrypt-to team.txt
  jvmdiag snapshot web --tomcat-user ops
"""


_SHARED = (
    "target",
    "yes",
    "max_pause",
    "force",
    "statsd",
    *options.SERVERS,
    *options.JVM,
    *options.SSH,
    "output",
    "encrypt_to",
    "timeout_s",
)


@options.shared(*_SHARED, *options.LOOKED, timeout_s=1800.0)
def command(
    way: options.Way,
    light: Annotated[
        bool, typer.Option("--light", help="Only what stops the application no longer than a thread dump.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also what scans the heap once more, and is seldom needed.")
    ] = False,
    heap: Annotated[
        bool, typer.Option("--heap", help="Also a heap dump, with its own preflight and question.")
    ] = False,
    fetch_found: Annotated[
        bool,
        typer.Option("--fetch-found", help="Also recordings, GC logs, error files and dumps that are there."),
    ] = False,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many thread dumps.")] = 3,
    interval: Annotated[
        float, typer.Option("--interval", metavar="S", help="Seconds between two thread dumps.")
    ] = 5.0,
    logs_mb: Annotated[
        float, typer.Option("--logs-mb", metavar="MB", help="How much of the end of each log; 0: none.")
    ] = 2.0,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace the names of threads, and leave out logs.")
    ] = False,
    no_archive: Annotated[
        bool, typer.Option("--no-archive", help="The folder alone, without .tar.gz.")
    ] = False,
) -> None:
    """Take all that is worth having of a JVM in trouble: thread dumps, CPU by thread, histogram, logs, limits, figures.

    One folder with one manifest, a page to look at and a summary to paste. What fails is told, and stops nothing else.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.snapshot import take_snapshot
    from jvmdiag.collect.snapshot_request import SnapshotRequest
    from jvmdiag.errors import BadRequest
    from jvmdiag.report.snapshot import PAGES, snapshot_document, snapshot_summary, snapshot_text
    from jvmdiag.snapshot.item import Risk

    if light and full:
        raise BadRequest("--light and --full exclude each other")
    risk = Risk.LIGHT if light else Risk.FULL if full else Risk.DEFAULT
    request = SnapshotRequest(
        risk, count, interval, logs_mb, redact, heap, fetch_found, not no_archive, way.terms, way.servers
    )
    with way.mark.around("snapshot"), progress_of(way.console, "heap dump") as progress:
        way.mark.begin()
        taken = take_snapshot(way.job, request, way.journal, progress, PAGES)
        way.mark.tell(snapshot_text(taken))
    way.console.result(snapshot_document(taken) if way.json else str(taken.path))
    way.console.say(snapshot_text(taken) if taken.folder else snapshot_summary(taken))
    if taken.fault:
        raise taken.fault
