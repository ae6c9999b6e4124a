"""jvmdiag ps: which JVMs there are."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag ps
  jvmdiag ps web
  jvmdiag ps ssh://ops@app1 --sudo
"""


def command(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="Where to look; without it: this machine and its running containers.",
            autocompletion=options.complete_target,
            show_default=False,
        ),
    ] = None,
    jdk_image: options.JdkImage = None,
    no_pull: options.NoPull = False,
    view: options.View = None,
    sudo: options.Sudo = False,
    identity: options.Identity = None,
    ssh_config: options.SshConfig = None,
    accept_new_host_key: options.AcceptNewHostKey = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """List JVMs: pid, user, version, uptime, heap, threads, main class, and which methods would work.

    Needs no JDK on the target, and sees JVMs that jps does not.
    """
    from jvmdiag.collect.listing import list_everything, list_target
    from jvmdiag.report.json import document
    from jvmdiag.report.text import jvms_table, why_not

    console = Console(json=json, quiet=quiet)
    way = options.Way(
        target or "local://",
        jdk_image=jdk_image,
        no_pull=no_pull,
        view=view,
        sudo=sudo,
        identity=tuple(identity or ()),
        ssh_config=ssh_config,
        accept_new_host_key=accept_new_host_key,
    )
    job = options.job_of(way, console)
    journal = options.journal_of(console, verbose=verbose)
    listing = list_target(job, journal) if target else list_everything(job.access, job.image, journal)
    if json:
        console.result(document("ps", jvms=listing.jvms, unseen=listing.unseen))
        return
    console.result(jvms_table(listing))
    if verbose and (reasons := why_not(listing)):
        console.say(reasons)
