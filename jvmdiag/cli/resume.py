"""jvmdiag resume: a heap dump that is half here, to its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.errors import JvmdiagError, Stopped, TargetSilent

if TYPE_CHECKING:
    from jvmdiag.collect.going_on import Resumed
    from jvmdiag.collect.resume import Found, Unreadable

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

    dumps: list[Resumed] = []
    errors: list[tuple[Path, JvmdiagError]] = []
    for found in unfinished_in(place, way.job):
        try:
            dumps.append(_gone_on_with(found, way))
        except Stopped:
            raise
        except (JvmdiagError, TimeoutError) as raised:
            silent = TargetSilent("the target did not answer in time", why=str(raised))
            error = raised if isinstance(raised, JvmdiagError) else silent
            errors.append((found.journal_file, error))
            if not way.json:
                way.console.failure(error)
    if way.json:
        failed = [{"journal": str(path), **error_fields(error)} for path, error in errors]
        way.console.result(document("resume", dumps=dumps, errors=failed))
    if not dumps and not errors:
        way.console.say(f"there is nothing to go on with in {place}")
    if errors:
        raise typer.Exit(errors[0][1].exit_code)


def _gone_on_with(found: Found | Unreadable, way: options.Way) -> Resumed:
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.resume import Unreadable, resume_dump
    from jvmdiag.report.text import resumed_text

    if isinstance(found, Unreadable):
        raise found.error
    way.console.say(f"{found.job.target}: {found.unfinished.manifest.file}")
    with progress_of(way.console, "heap dump") as progress:
        resumed = resume_dump(found, way.journal, progress)
    if not way.json:
        way.console.result(resumed.artifact.path)
        way.console.say(resumed_text(resumed))
    return resumed
