"""jvmdiag verify: is this dump whole?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jvmdiag.cli import declared
from jvmdiag.cli.console import Console

EXAMPLE = """\b
Examples:
  jvmdiag verify web-heap-20260301T120000.250Z.hprof.gz
  jvmdiag verify *.hprof
  jvmdiag verify web-snapshot-20260301T120000.250Z
  jvmdiag verify web-heap-20260301T120000.250Z.hprof.gz.age --identity key.txt
"""


def command(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Dumps, ours or other tools', and snapshots.", show_default=False
        ),
    ],
    identity: Annotated[
        list[Path] | None,
        typer.Option(
            "--identity",
            "-i",
            metavar="FILE",
            help="A key that opens encrypted dumps: of age-keygen, or SSH.",
        ),
    ] = None,
    json: declared.Json = False,
    quiet: declared.Quiet = False,
) -> None:
    """Say whether dumps are whole: hash against the manifest, codec, structure. Of a snapshot, every file of it.

    Works on dumps that other tools made: .hprof, .hprof.gz, .hprof.zst, thread dumps. What is encrypted (.age) is
    opened with --identity; without it the stored size and sum are compared with the manifest.
    """
    from jvmdiag.cli.progress import progress_of
    from jvmdiag.errors import JvmdiagError, VerificationFailed
    from jvmdiag.report.json import document
    from jvmdiag.report.text import verdict_text
    from jvmdiag.transfer.seal import keys_of
    from jvmdiag.transfer.verify import verify_file

    keys = keys_of(tuple(identity)) if identity else ()
    console = Console(json=json, quiet=quiet)
    verdicts, failures = [], []
    if len(files) > 1:
        # A shell's * names them too; each is read with the file it speaks of.
        files = [file for file in files if not file.name.endswith(".manifest.json")]
    for file in files:
        try:
            with progress_of(console, file.name) as progress:
                progress.expect(file.stat().st_size if file.is_file() else 0)
                verdicts.append(verify_file(file, progress.advance, keys))
        except JvmdiagError as error:
            failures.append(error)
            if len(files) > 1:
                console.warn(f"{error}")
            continue
        if not json:
            console.result(verdict_text(verdicts[-1]))
    if json:
        console.result(document("verify", files=verdicts, errors=[str(error) for error in failures]))
    if len(files) == 1 and failures:
        raise failures[0]
    bad = [v.path for v in verdicts if not v.ok]
    if bad or failures:
        raise VerificationFailed(
            f"{len(bad) + len(failures)} of {len(files)} files not whole", why=", ".join(bad)
        )
