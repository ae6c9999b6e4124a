"""Takes the secrets out of a heap dump while it passes: values become zeros, and nothing else changes."""

from __future__ import annotations

from enum import Enum

from jvmdiag.hprof.choose import zeroing_for
from jvmdiag.hprof.fields import PythonFieldZeroing
from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind
from jvmdiag.hprof.scan import Scan
from jvmdiag.hprof.stream import HeapStream


class Redaction(str, Enum):
    """Which primitive arrays are zeroed."""

    STRINGS = "strings"
    """byte[] and char[]: what every String keeps its text in."""
    ALL = "all"
    """Of every type."""

    @property
    def kinds(self) -> frozenset[Kind]:
        return frozenset({Kind.BYTE, Kind.CHAR}) if self is Redaction.STRINGS else frozenset(PRIMITIVE_WIDTHS)


class Redactor:
    """Takes the raw bytes of a heap dump in chunks of any size and gives as many back, arrays zeroed.

    With `fields` also every primitive field, static ones too; references, lengths, ids and names stay. Up to some KiB
    of what was fed are held back. `size_bytes`, about how much will come, decides what does the work.
    Raises NotADump for what no JVM writes, with the offset: what can't be read can't be redacted.
    """

    def __init__(self, redaction: Redaction, *, fields: bool = False, size_bytes: int = 0) -> None:
        scan: Scan = (
            PythonFieldZeroing(redaction.kinds) if fields else zeroing_for(redaction.kinds, size_bytes)
        )
        self._stream = HeapStream(scan)

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes; gives back those that are done with."""
        return self._stream.feed(chunk)

    def finish(self) -> bytes:
        """After the last chunk: what is left. Raises DumpIncomplete where the dump is not whole."""
        self._stream.finish()
        return b""
