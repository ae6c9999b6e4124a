"""jvmdiag resume: a heap dump that is half here, to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.errors import JvmdiagError, Stopped

if TYPE_CHECKING:
    from jvmdiag.collect.resume import Found, Resumed

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
    from jvmdiag.collect.resume import unfinished_in
    from jvmdiag.report.json import document, error_fields

    console = way.console
    dumps: list[Resumed] = []
    errors: list[JvmdiagError] = []
    for found in unfinished_in(place, way.job):
        console.say(f"{found.job.target}: {found.unfinished.manifest.file}")
        try:
            dumps.append(_gone_on_with(found, way))
        except Stopped:
            raise
        except JvmdiagError as error:
            errors.append(error)
            if not way.json:
                console.failure(error)
    if way.json:
        console.result(document("resume", dumps=dumps, errors=[error_fields(error) for error in errors]))
    if not dumps and not errors:
        console.say(f"there is nothing to go on with in {place}")
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _gone_on_with(found: Found, way: options.Way) -> Resumed:
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.resume import resume_dump
    from jvmdiag.report.text import resumed_text

    with progress_of(way.console, "heap dump") as progress:
        resumed = resume_dump(found, way.journal, progress)
    if not way.json:
        way.console.result(resumed.artifact.path)
        way.console.say(resumed_text(resumed))
    return resumed
