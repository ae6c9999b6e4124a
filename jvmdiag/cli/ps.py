"""jvmdiag ps: which JVMs there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from jvmdiag.cli import declared, options

EXAMPLE = """\b
Examples:
  jvmdiag ps
  jvmdiag ps web
  jvmdiag ps ssh://ops@app1 --sudo
"""


@options.shared("jdk_image", "view", *options.SSH, "json", "verbose", "quiet")
def command(
    way: options.Way,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="Where to look; without it: this machine and its running containers.",
            autocompletion=declared.complete_target,
            show_default=False,
        ),
    ] = None,
) -> None:
    """List JVMs: pid, user, version, uptime, heap, threads, main class, and which methods would work.

    Needs no JDK on the target, and sees JVMs that jps does not.
    """
    from jvmdiag.collect.listing import list_everything, list_target
    from jvmdiag.report.json import document
    from jvmdiag.report.text import jvms_table, why_not

    job = replace(way, target=target or way.target).job
    listing = list_target(job, way.journal) if target else list_everything(job.access, job.image, way.journal)
    if way.json:
        way.console.result(document("ps", jvms=listing.jvms, unseen=listing.unseen))
        return
    way.console.result(jvms_table(listing))
    if way.verbose and (reasons := why_not(listing)):
        way.console.say(reasons)
