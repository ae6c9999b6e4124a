"""What the options of a redaction are, and what they mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jvmdiag.hprof.rules import Rules

What = Annotated[
    str | None,
    typer.Option(
        "--redact",
        metavar="WHAT",
        help="Take values out before they are written here: strings (byte[] and char[]), all primitive arrays, or "
        "keep:REGEX, which is all but the texts that match as a whole.",
    ),
]
Fields = Annotated[
    bool, typer.Option("--redact-fields", help="Zero primitive fields too, static ones as well.")
]
Names = Annotated[
    bool,
    typer.Option(
        "--redact-names",
        help="Replace names of classes, fields and methods but the JDK's own, and constants of class files.",
    ),
]


def rules_of(what: str | None, *, fields: bool, names: bool) -> Rules | None:
    """None where nothing is to be taken out. Raises BadRequest for what is no rule."""
    from jvmdiag.errors import BadRequest
    from jvmdiag.hprof.rules import Rules

    if what is not None:
        return Rules.parse(what, fields=fields, names=names)
    if fields or names:
        raise BadRequest("--redact-fields and --redact-names go with --redact WHAT")
    return None
