"""jvmdiag heapdump: everything on the heap, as a verified file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

if TYPE_CHECKING:
    from jvmdiag.collect.heap import Plan

EXAMPLE = """\b
Examples:
  jvmdiag heapdump web
  jvmdiag heapdump web --dry-run
  jvmdiag heapdump web --dump-dir /data -o dumps --yes
"""


def command(
    target: options.Target,
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
    force: Annotated[
        bool, typer.Option("--force", help="Go on where there is too little room, there or here.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    jvm: options.JvmChoice = None,
    method: options.Method = None,
    jdk_image: options.JdkImage = None,
    no_pull: options.NoPull = False,
    view: options.View = None,
    sudo: options.Sudo = False,
    identity: options.Identity = None,
    ssh_config: options.SshConfig = None,
    accept_new_host_key: options.AcceptNewHostKey = False,
    output: options.Output = Path(),
    compress: options.Compress = "gzip",
    timeout: options.Timeout = 1800.0,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Take a heap dump, bring it here, verify it, and remove it there.

    The application stands still while the JVM writes. The file opens in Eclipse MAT and VisualVM as it is.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.heap import HeapDumpRequest, take_heap_dump
    from jvmdiag.report.json import document
    from jvmdiag.report.text import heap_dump_text

    console = Console(json=json, quiet=quiet)
    way = options.Way(
        target,
        jvm,
        method,
        jdk_image,
        no_pull,
        view,
        sudo,
        tuple(identity or ()),
        ssh_config,
        accept_new_host_key,
        output,
        compress,
        timeout,
    )
    job = options.job_of(way, console)
    journal = options.journal_of(console, verbose=verbose)
    request = HeapDumpRequest(live, dump_dir, keep, force)
    if dry_run:
        from jvmdiag.collect.dry_run import rehearse_heap_dump
        from jvmdiag.report.text import dry_run_text

        dry = rehearse_heap_dump(job, request, journal)
        console.result(document("dry-run", **vars(dry)) if json else dry_run_text(dry))
        return
    with progress_of(console, "heap dump") as progress:
        taken = take_heap_dump(job, request, journal, progress, lambda plan: _agreed(plan, console, yes=yes))
    if json:
        console.result(document("heapdump", **vars(taken)))
        return
    console.result(taken.artifact.path)
    console.say(heap_dump_text(taken))


def _agreed(plan: Plan, console: Console, *, yes: bool) -> bool:
    from jvmdiag.errors import Declined
    from jvmdiag.report.text import plan_text

    if yes:
        console.say(plan_text(plan))
        return True
    answer = console.confirm(plan_text(plan), "Take it?")
    if answer is None:
        raise Declined(
            "nobody is there to confirm the pause",
            advice=("add --yes to take it", *plan_text(plan).splitlines()),
        )
    return answer
