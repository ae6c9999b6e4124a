"""What is printed: results on stdout, the rest on stderr, progress and questions on a terminal only."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from jvmdiag.errors import JvmdiagError
    from jvmdiag.model import CommandRecord

_SHOWN_CHARACTERS = 160


def _print(text: str, stream: TextIO) -> None:
    """On a terminal nothing that comes from a target steers it; a file or a pipe gets the text as it is."""
    if stream.isatty() and not text.isprintable():
        from jvmdiag.report.text import visible

        text = "\n".join(visible(line) for line in text.split("\n"))
    print(text, file=stream)


class Console:
    """`json` turns results and errors into documents; `quiet` leaves only those."""

    answered = False
    """Whether a document was printed already: one command, one document."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        self._pulled: dict[str, tuple[int, int]] = {}

    @property
    def interactive(self) -> bool:
        """Whether somebody sits there who can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def paints(self) -> bool:
        """Whether a bar may be painted."""
        return sys.stderr.isatty() and not self.quiet

    @property
    def plain(self) -> bool:
        """Whether the terminal's encoding has no more than ASCII."""
        return not (sys.stderr.encoding or "").lower().startswith("utf")

    @property
    def heard(self) -> bool:
        """Whether anybody still reads the results."""
        return sys.stdout is not None

    def result(self, text: str) -> None:
        """The result, on stdout."""
        Console.answered = True
        if not self.heard:
            return
        try:
            _print(text, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            # `| head` has seen enough; what follows would complain at exit.
            sys.stdout = None

    def say(self, line: str) -> None:
        """What goes on, on stderr."""
        if not self.quiet:
            _print(line, sys.stderr)

    def warn(self, line: str) -> None:
        """What must be seen, also with --quiet."""
        _print(f"jvmdiag: {line}", sys.stderr)

    def command(self, record: CommandRecord) -> None:
        """One command run on the target."""
        words = shlex.join(record.argv).replace("\n", " ")
        shown = words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + " …"
        user = f" as {record.user}" if record.user else ""
        end = record.note or f"exit {record.exit_code}"
        took = f", {record.seconds * 1000:.0f} ms" if record.seconds or not record.note else ""
        _print(f"  [{record.host}{user}] {shown}  ({end}{took})", sys.stderr)

    def failure(self, error: JvmdiagError) -> None:
        """What happened, why, and what to do next."""
        if self.json and not Console.answered:
            from jvmdiag.report.json import error_document

            self.result(error_document(error))
        _print(f"jvmdiag: {error.what}", sys.stderr)
        if error.why:
            _print(f"  why: {error.why}", sys.stderr)
        for line in error.advice:
            _print(f"  {line}", sys.stderr)

    @property
    def ask(self) -> Callable[[str], str] | None:
        """Reads a secret without echo, where somebody can be asked."""
        return self._ask if self.interactive else None

    def _ask(self, prompt: str) -> str:
        from getpass import getpass

        return getpass(prompt if prompt.endswith(" ") else f"{prompt} ", stream=sys.stderr)

    def confirm(self, text: str, question: str) -> bool:
        """y or N. Raises Declined where nobody can be asked."""
        if not self.interactive:
            from jvmdiag.errors import Declined

            raise Declined(
                "nobody is there to confirm it", advice=("add --yes to take it", *text.splitlines())
            )
        print(f"{text}\n{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def pulling(self, layer: str, done: int, total: int) -> None:
        """One line that is painted over while an image is pulled."""
        self._pulled[layer] = (done, total)
        if self.paints:
            have, want = (sum(pair[n] for pair in self._pulled.values()) for n in (0, 1))
            print(
                f"\rpulling the JDK image: {have / 1e6:,.0f} of {want / 1e6:,.0f} MB ",
                end="",
                file=sys.stderr,
            )
