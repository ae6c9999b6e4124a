"""jvmdiag threaddump: what every thread is doing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag threaddump web
  jvmdiag threaddump web --count 3 --interval 5 -o dumps
  jvmdiag threaddump ssh://ops@app1 --sudo
"""


def command(
    target: options.Target,
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
    timeout: options.Timeout = 30.0,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Take a thread dump: what every thread is doing, and deadlocks.

    Costs the JVM about a millisecond a sample. Each sample is a verified .txt.gz with its manifest.
    """
    from jvmdiag.capture.threads import thread_line
    from jvmdiag.collect.threads import ThreadDump, ThreadDumpRequest, take_thread_dumps
    from jvmdiag.report.json import document
    from jvmdiag.report.text import thread_dump_line

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
    if dry_run:
        from jvmdiag.collect.dry_run import rehearse_command
        from jvmdiag.report.text import dry_run_text

        dry = rehearse_command(job, thread_line(locks=locks), journal)
        console.result(document("dry-run", **vars(dry)) if json else dry_run_text(dry))
        return

    def taken(dump: ThreadDump) -> None:
        if not json:
            console.result(dump.artifact.path)
            console.say(thread_dump_line(dump))

    request = ThreadDumpRequest(count, interval, locks)
    dumps = take_thread_dumps(job, request, journal, taken)
    if json:
        console.result(document("threaddump", dumps=dumps))
