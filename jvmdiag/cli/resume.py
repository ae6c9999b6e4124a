"""jvmdiag resume: a heap dump that is half here, to its end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag resume
  jvmdiag resume dumps
  jvmdiag resume dumps/web-heap-20260301T120000.250Z.hprof.gz.partial
"""


@options.shared(
    *options.SSH, "jdk_image", "no_pull", "view", "retry_for", "timeout_s", *options.LOOKED, timeout_s=1800.0
)
def command(
    way: options.Way,
    place: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="Where the unfinished dumps are.")
    ] = Path(),
) -> None:
    """Go on with heap dumps that are half copied: after a killed jvmdiag, a lost connection, a full disk.

    Each is told by the journal beside its .partial file. What is here is checked, the rest is brought, all of it is
    verified, and only then it is removed there.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.resume import resume_dump, unfinished_in
    from jvmdiag.report.json import document
    from jvmdiag.report.text import resumed_text

    console = way.console
    found = unfinished_in(place, way.job)
    for one in found:
        console.say(f"{one.job.target}: {one.unfinished.manifest.file}")
        with progress_of(console, "heap dump") as progress:
            resumed = resume_dump(one, way.journal, progress)
        if way.json:
            console.result(document("resume", **vars(resumed)))
        else:
            console.result(resumed.artifact.path)
            console.say(resumed_text(resumed))
    if not found:
        console.say(f"there is nothing to go on with in {place}")
