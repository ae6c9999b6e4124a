"""Redaction in the stream of a capture: what the rules take out is never written here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules


class Redacting:
    """What `rules` take out of a dump on its way; nothing without any. `size_bytes` is about how much will come.

    `summed`: what came is summed before anything is taken out, for a way that does not guard it.
    """

    def __init__(self, rules: Rules | None, size_bytes: int, *, summed: bool = False) -> None:
        self._redactor = None if rules is None else Redactor(rules, size_bytes=size_bytes)
        self._sum = hashlib.sha256() if summed and self._redactor else None
        self._here_bytes = 0  # given back by `seen`, and here already

    @property
    def sha256(self) -> str | None:
        """Of what came; None where it was not summed."""
        return self._sum.hexdigest() if self._sum else None

    def seen(self, block: bytes) -> None:
        """The next bytes of what was stored before, from its beginning: a redacted dump is read as any other is."""
        if self._redactor:
            self._here_bytes += len(block) - len(self._redactor.feed(block))

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes that follow, redacted. Raises NotADump for what can't be read, DumpIncomplete at a cut end."""
        if self._redactor is None:
            yield from chunks
            return
        for chunk in chunks:
            if self._sum:
                self._sum.update(chunk)
            yield self._not_here(self._redactor.feed(chunk))
        yield self._not_here(self._redactor.finish())

    def _not_here(self, done: bytes) -> bytes:
        at, self._here_bytes = self._here_bytes, max(0, self._here_bytes - len(done))
        return done[at:]


def redaction_notes(rules: Rules | None) -> tuple[str, ...]:
    """What the manifest says of it."""
    return () if rules is None else (f"redacted: {rules.words}",)
