"""jvmdiag fetch: a file that is already on the target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag fetch web /tmp/java_pid1.hprof
  jvmdiag fetch ssh://ops@app1 /var/log/tomcat10/gc.log --sudo
"""


@options.shared("target", *options.SSH, *options.FILES, *options.SHOWN)
def command(
    way: options.Way,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file, as the target names it.", show_default=False)
    ],
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove it there once its copy is verified.")
    ] = False,
) -> None:
    """Bring back a file that is already there: an old dump, an OOM dump, a GC log.

    Also from a stopped container. What is packed already is stored as it is.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.fetch import fetch_file
    from jvmdiag.report.json import document
    from jvmdiag.report.text import fetched_text

    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_fetch

        way.show(rehearse_fetch(way.job, path, way.journal, remove=remove))
        return
    console = way.console
    with progress_of(console, Path(path).name) as progress:
        fetched = fetch_file(way.job, path, way.journal, progress, remove=remove)
    if way.json:
        console.result(document("fetch", **vars(fetched)))
        return
    console.result(fetched.artifact.path)
    console.say(fetched_text(fetched))
    if way.quiet:
        # The reply to a script must not hide that something was not done.
        for warning in fetched.warnings:
            console.warn(warning)
