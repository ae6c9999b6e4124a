"""jvmdiag jcmd: any diagnostic command."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag jcmd web help
  jvmdiag jcmd web GC.heap_info
  jvmdiag jcmd web VM.flags -all
  jvmdiag jcmd --redact web VM.info
"""
# Options of jvmdiag come before TARGET; what follows the command's name is the JVM's.
SETTINGS = {"context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False}}


@options.shared(*options.QUESTION, timeout_s=120.0)
def command(
    way: options.Way,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND", help="The diagnostic command and its own options.", show_default=False
        ),
    ],
    redact: Annotated[
        bool,
        typer.Option(
            "--redact",
            help="Hide values of properties and variables, arguments, names of threads in the answer.",
        ),
    ] = False,
) -> None:
    """Put any diagnostic command to the JVM, through the same ladder of methods.

    Options of jvmdiag stand before TARGET; `jvmdiag jcmd TARGET help` lists what this JVM knows.
    """
    from jvmdiag.collect.text import ask_anything
    from jvmdiag.errors import BadRequest
    from jvmdiag.report.json import document

    line = " ".join(words).strip()
    if not line:
        raise BadRequest("no diagnostic command", advice="jvmdiag jcmd TARGET help lists what the JVM knows")
    if line.startswith("-"):
        raise BadRequest(
            f"{words[0]} is no diagnostic command", advice="options of jvmdiag come before TARGET"
        )
    if "--redact" in words:  # the JVM would answer all the same, or not, and in the open
        raise BadRequest("--redact stands behind the command", advice="options of jvmdiag come before TARGET")
    if way.dry_run:
        from jvmdiag.collect.dry_run import rehearse_command

        way.show(rehearse_command(way.job, line, way.journal))
        return
    answer, used = ask_anything(way.job, line, way.journal, redact=redact)
    way.console.result(
        document("jcmd", command=line, method=used, answer=answer) if way.json else answer.rstrip("\n")
    )
