"""jvmdiag redact: a heap dump without the values in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import options
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag redact web-heap-20260301T120000.250Z.hprof.gz
  jvmdiag redact old.hprof --redact all --fields -o for-the-vendor
"""


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A heap dump, ours or another tool's.", show_default=False)
    ],
    redact: Annotated[
        str,
        typer.Option("--redact", metavar="WHAT", help="strings (byte[] and char[]) or all primitive arrays."),
    ] = "strings",
    fields: Annotated[
        bool, typer.Option("--fields", help="Zero primitive fields too, static ones as well.")
    ] = False,
    output: options.Output = Path(),
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Store a heap dump a second time, with zeros instead of text: same size, same objects, same classes.

    Names of classes, methods and fields stay, and so do the constants of their class files.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.redact import redact_file
    from jvmdiag.hprof.redact import Redaction
    from jvmdiag.report.json import document
    from jvmdiag.report.text import redacted_text

    console = Console(json=json, quiet=quiet)
    what = options.one_of("--redact", Redaction, redact)
    with progress_of(console, file.name) as progress:
        redacted = redact_file(file, output, what, progress, fields=fields)
    if json:
        console.result(document("redact", **vars(redacted)))
        return
    console.result(redacted.artifact.path)
    console.say(redacted_text(redacted))
