"""jvmdiag heapdump: everything on the heap, as a verified file."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options, redaction

EXAMPLE = """\b
Examples:
  jvmdiag heapdump web
  jvmdiag heapdump web --dry-run
  jvmdiag heapdump web --dump-dir /data -o dumps --yes
  jvmdiag heapdump web --encrypt-to age1kx0…
  jvmdiag heapdump web --no-disk --max-pause 10s
"""


@options.shared(*options.DUMP, "retry_for", timeout_s=1800.0)
def command(
    way: options.Way,
    live: Annotated[
        bool, typer.Option("--live", help="Only reachable objects: a full collection comes first.")
    ] = False,
    dump_dir: Annotated[
        str | None, typer.Option("--dump-dir", metavar="DIR", help="Where on the target the JVM writes it.")
    ] = None,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--no-keep",
            help="Leave the file on the target / remove it even where its copy failed. "
            "Default: removed once its copy is verified.",
            show_default=False,
        ),
    ] = None,
    redact: redaction.What = None,
    redact_fields: redaction.Fields = False,
    redact_names: redaction.Names = False,
    reclaim: Annotated[
        bool,
        typer.Option("--reclaim", help="Give the target's disk back while the copy goes on."),
    ] = False,
    no_disk: Annotated[
        bool,
        typer.Option(
            "--no-disk",
            help="Write nothing on the target: through a FIFO. The pause is as long as the bytes take to get here.",
        ),
    ] = False,
) -> None:
    """Take a heap dump, bring it here, verify it, and remove it there.

    The application stands still while the JVM writes. The file opens in Eclipse MAT and VisualVM as it is.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.heap import take_heap_dump
    from jvmdiag.collect.heap_request import HeapDumpRequest
    from jvmdiag.report.json import document
    from jvmdiag.report.text import heap_dump_text

    rules = redaction.rules_of(redact, fields=redact_fields, names=redact_names)
    request = HeapDumpRequest(live, dump_dir, keep, way.terms, no_disk, rules, reclaim)
    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_heap_dump

        way.show(rehearse_heap_dump(way.job, request, way.journal))
        return
    console = way.console
    with way.mark.around("heap dump"), progress_of(console, "heap dump") as progress:
        taken = take_heap_dump(way.job, request, way.journal, progress)
        way.mark.tell(heap_dump_text(taken, plain=True))
    if way.json:
        console.result(document("heapdump", **vars(taken)))
        return
    console.result(taken.artifact.path)
    console.say(heap_dump_text(taken, plain=console.plain))
