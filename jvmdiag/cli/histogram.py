"""jvmdiag histogram: classes by instances and bytes."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag histogram web
  jvmdiag histogram web --live --top 50
"""


def command(
    target: options.Target,
    live: Annotated[
        bool, typer.Option("--live", help="Only reachable objects: a full collection comes first.")
    ] = False,
    top: Annotated[
        int, typer.Option("--top", metavar="N", help="How many classes to show; 0: all.", min=0)
    ] = 25,
    jvm: options.JvmChoice = None,
    method: options.Method = None,
    jdk_image: options.JdkImage = None,
    no_pull: options.NoPull = False,
    view: options.View = None,
    sudo: options.Sudo = False,
    identity: options.Identity = None,
    ssh_config: options.SshConfig = None,
    accept_new_host_key: options.AcceptNewHostKey = False,
    timeout: options.Timeout = 120.0,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Show which classes fill the heap, by instances and bytes.

    The application stands still while the JVM counts: about half a second for each GB.
    """
    from jvmdiag.capture.histogram import histogram_line
    from jvmdiag.collect.text import take_histogram
    from jvmdiag.report.json import document
    from jvmdiag.report.text import histogram_text, pause_text

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
        timeout_s=timeout,
    )
    job = options.job_of(way, console)
    journal = options.journal_of(console, verbose=verbose)
    if dry_run:
        from jvmdiag.collect.dry_run import rehearse_command
        from jvmdiag.report.text import dry_run_text

        dry = rehearse_command(job, histogram_line(live=live), journal)
        console.result(document("dry-run", **vars(dry)) if json else dry_run_text(dry))
        return
    taken = take_histogram(job, journal, live=live)
    if json:
        fields = {"method": taken.method, "live": live, "pause": taken.pause, **vars(taken.histogram)}
        console.result(document("histogram", **fields))
        return
    console.result(histogram_text(taken.histogram, top))
    if taken.pause:
        console.say(pause_text(taken.pause))
