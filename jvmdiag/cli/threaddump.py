"""jvmdiag threaddump: what every thread is doing."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options, stopping

EXAMPLE = """\b
Examples:
  jvmdiag threaddump web
  jvmdiag threaddump web --count 3 --interval 5 -o dumps
  jvmdiag threaddump ssh://ops@app1 --sudo
"""


@options.shared(*options.DUMP)
def command(
    way: options.Way,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many samples.")] = 1,
    interval: Annotated[
        float, typer.Option("--interval", metavar="S", help="Seconds between two samples.")
    ] = 5.0,
    locks: Annotated[
        bool,
        typer.Option(
            "--locks", help="Also who owns which java.util.concurrent lock. Scans the heap: a pause."
        ),
    ] = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace the names of threads, but those of the JDK's own.")
    ] = False,
) -> None:
    """Take a thread dump: what every thread is doing, and deadlocks.

    Costs the JVM about a millisecond a sample. Each sample is a verified .txt.gz with its manifest.
    """
    from jvmdiag.capture.threads import thread_line
    from jvmdiag.collect.threads import ThreadDump, ThreadDumpRequest, take_thread_dumps
    from jvmdiag.report.json import document
    from jvmdiag.report.text import thread_dump_text

    request = ThreadDumpRequest(count, interval, locks, redact, way.terms)
    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_command

        way.show(rehearse_command(way.job, thread_line(locks=locks), way.journal, request.watching))
        return

    def taken(dump: ThreadDump) -> None:
        way.console.say(dump.artifact.path) if way.json else way.console.result(dump.artifact.path)
        way.console.say(thread_dump_text(dump, plain=way.console.plain))
        way.mark.tell(thread_dump_text(dump, plain=True))
        stopping.check()

    with way.mark.around("thread dump"):
        if not request.has_a_price:
            way.mark.begin()
        dumps = take_thread_dumps(way.job, request, way.journal, taken, way.console.warn)
    if way.json:
        way.console.result(document("threaddump", dumps=dumps))
