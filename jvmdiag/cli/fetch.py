"""jvmdiag fetch: a file that is already on the target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag fetch web /tmp/java_pid1.hprof
  jvmdiag fetch ssh://ops@app1 /var/log/tomcat10/gc.log --sudo
"""


def command(
    target: options.Target,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file, as the target names it.", show_default=False)
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it there once its copy is verified.")
    ] = False,
    sudo: options.Sudo = False,
    identity: options.Identity = None,
    ssh_config: options.SshConfig = None,
    accept_new_host_key: options.AcceptNewHostKey = False,
    output: options.Output = Path(),
    compress: options.Compress = "gzip",
    json: options.Json = False,
    dry_run: options.DryRun = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Bring back a file that is already there: an old dump, an OOM dump, a GC log.

    Also from a stopped container. What is packed already is stored as it is.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.fetch import fetch_file
    from jvmdiag.report.json import document
    from jvmdiag.report.text import fetched_text

    console = Console(json=json, quiet=quiet)
    way = options.Way(
        target,
        sudo=sudo,
        identity=tuple(identity or ()),
        ssh_config=ssh_config,
        accept_new_host_key=accept_new_host_key,
        output=output,
        compress=compress,
    )
    job = options.job_of(way, console)
    journal = options.journal_of(console, verbose=verbose)
    if dry_run:
        from jvmdiag.collect.dry_run import rehearse_fetch
        from jvmdiag.report.text import dry_run_text

        dry = rehearse_fetch(job, path, journal, remove=remove)
        console.result(document("dry-run", **vars(dry)) if json else dry_run_text(dry))
        return
    with progress_of(console, Path(path).name) as progress:
        fetched = fetch_file(job, path, journal, progress, remove=remove)
    if json:
        console.result(document("fetch", **vars(fetched)))
        return
    console.result(fetched.artifact.path)
    console.say(fetched_text(fetched))
    if quiet:
        # The reply to a script must not hide what is wrong with the file.
        for warning in fetched.warnings:
            console.warn(warning)
