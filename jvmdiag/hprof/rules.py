"""Which values go out of a dump and which stay: what the options of a redaction say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from jvmdiag.errors import BadRequest
from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind

TEXT_KINDS = frozenset({Kind.BYTE, Kind.CHAR})
"""What every String keeps its text in."""
KEPT_CHARACTERS = 256
"""No text that is longer is kept: what a pattern costs may grow with the square of it, or worse."""
KEPT_BYTES = 2 * KEPT_CHARACTERS
_KEEP = "keep:"
# What no text in Latin-1 has, and most in UTF-16 have: NUL for ASCII, 04 for Cyrillic.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Redaction(str, Enum):
    """Which primitive arrays are zeroed."""

    STRINGS = "strings"
    """byte[] and char[]."""
    ALL = "all"
    """Of every type."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is zeroed: arrays, but for the texts that match `keep` as a whole, and with `fields` primitive fields.

    With `names` also names that are not the JDK's own are replaced, and the constants of class files.
    """

    arrays: Redaction = Redaction.STRINGS
    keep: re.Pattern[str] | None = None
    fields: bool = False
    names: bool = False

    @classmethod
    def parse(cls, text: str, *, fields: bool = False, names: bool = False) -> Rules:
        """strings, all, or keep:REGEX, which is all but what matches. Raises BadRequest."""
        if text.startswith(_KEEP):
            return cls(Redaction.ALL, _compiled(text.removeprefix(_KEEP)), fields, names)
        try:
            return cls(Redaction(text), None, fields, names)
        except ValueError:
            known = "strings, all, keep:REGEX"
            raise BadRequest(f"--redact {text!r} is none", advice=f"it is one of: {known}") from None

    @property
    def kinds(self) -> frozenset[Kind]:
        """The arrays that are zeroed."""
        return TEXT_KINDS if self.arrays is Redaction.STRINGS else frozenset(PRIMITIVE_WIDTHS)

    def keeps(self, text: str) -> bool:
        """Whether a text stays as it is."""
        return self.keep is not None and len(text) <= KEPT_CHARACTERS and bool(self.keep.fullmatch(text))

    def keeps_array(self, kind: Kind, content: bytes) -> bool:
        """Whether an array of that content, as it stands in the dump, stays as it is."""
        return len(content) <= KEPT_BYTES and self.keeps(text_of(kind, content))

    @property
    def text(self) -> str:
        """What `parse` makes the same of."""
        return f"{_KEEP}{self.keep.pattern}" if self.keep else self.arrays.value

    @property
    def words(self) -> str:
        """What is zeroed, for people."""
        arrays = "byte[] and char[]" if self.arrays is Redaction.STRINGS else "all primitive arrays"
        but = f" but texts that match {self.keep.pattern!r}" if self.keep else ""
        fields = ", and all primitive fields," if self.fields else ""
        names = "; names replaced but the JDK's own" if self.names else ""
        return f"{arrays}{but}{fields} zeroed{names}"


def text_of(kind: Kind, content: bytes) -> str:
    """An array read as text: of a char[] UTF-16, of a byte[] Latin-1, or UTF-16 where it has NULs and the like.

    One reading and no other: in the wrong byte order nearly everything is letters.
    """
    if kind is not Kind.CHAR and (len(content) % 2 or not _CONTROL.search(content)):
        return content.decode("latin-1")
    # HPROF has numbers in big-endian order; in a byte[] a String has them in that of the machine. The high halves
    # of a text's characters are few and small.
    little = kind is not Kind.CHAR and sum(content[1::2]) <= sum(content[::2])
    return content.decode("utf-16-le" if little else "utf-16-be", "surrogatepass")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadRequest(
            f"--redact {_KEEP}{pattern}: no regular expression",
            why=str(error),
            advice="it is one of Python's, and has to match the whole text: keep:[A-Z]{3}|true|false",
        ) from None
