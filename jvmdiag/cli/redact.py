"""jvmdiag redact: a heap dump without the values in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import declared, redaction
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag redact web-heap-20260301T120000.250Z.hprof.gz
  jvmdiag redact old.hprof --redact all --fields --redact-names -o for-the-vendor
  jvmdiag redact old.hprof --redact 'keep:(EUR|USD|[A-Z][A-Z_]+)'
  jvmdiag redact web-threads-20260301T120000.250Z.txt.gz
"""


def command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A heap dump or thread dump, ours or another tool's.", show_default=False
        ),
    ],
    redact: Annotated[
        str,
        typer.Option(
            "--redact",
            metavar="WHAT",
            help="strings (byte[] and char[]), all primitive arrays, or keep:REGEX, which is all but the texts"
            " that match as a whole, of up to 256 characters.",
        ),
    ] = "strings",
    fields: Annotated[
        bool,
        typer.Option("--redact-fields", "--fields", help="Zero primitive fields too, static ones as well."),
    ] = False,
    names: redaction.Names = False,
    output: declared.Output = Path(),
    json: declared.Json = False,
    quiet: declared.Quiet = False,
) -> None:
    """Store a heap dump a second time, with zeros instead of text: same size, same objects, same classes.

    Names of classes, methods and fields stay, and so do the constants of their class files, unless --redact-names.
    Of a thread dump the names of threads are replaced.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.collect.redact import redact_file
    from jvmdiag.hprof.rules import Rules
    from jvmdiag.report.json import document
    from jvmdiag.report.text import redacted_text

    console = Console(json=json, quiet=quiet)
    rules = Rules.parse(redact, fields=fields, names=names)
    with progress_of(console, file.name) as progress:
        redacted = redact_file(file, output, rules, progress)
    if json:
        console.result(document("redact", **vars(redacted)))
        return
    console.result(redacted.artifact.path)
    console.say(redacted_text(redacted))
