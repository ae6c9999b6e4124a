"""Takes the secrets out of a heap dump while it passes: values become zeros, and nothing else changes."""

from __future__ import annotations

from jvmdiag.hprof.choose import zeroing_for
from jvmdiag.hprof.prologue import Prologue
from jvmdiag.hprof.rules import Rules
from jvmdiag.hprof.stream import HeapStream


class Redactor:
    """Takes the raw bytes of a heap dump in chunks of any size and gives as many back, redacted by the rules.

    References, lengths and ids stay. Up to some KiB of what was fed are held back; where names are replaced, all that
    comes before the first object. `size_bytes`, about how much will come, decides what does the work; to make one
    takes 0.6 s where that is compiled code, and some seconds the first time ever.
    Raises NotADump for what no JVM writes, with the offset: what can't be read can't be redacted.
    """

    def __init__(self, rules: Rules, *, size_bytes: int = 0) -> None:
        self._stream = HeapStream(zeroing_for(rules, size_bytes))
        self._prologue = Prologue() if rules.names else None

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes; gives back those that are done with."""
        return self._stream.feed(self._prologue.feed(chunk) if self._prologue else chunk)

    def finish(self) -> bytes:
        """After the last chunk: what is left. Raises DumpIncomplete where the dump is not whole."""
        rest = self._stream.feed(self._prologue.finish()) if self._prologue else b""
        self._stream.finish()
        return rest
