"""An iterator of chunks as a file to read from, for readers such as tarfile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class ChunkReader(io.RawIOBase):
    """`read(n)` gives up to n bytes of what `chunks` yields, and nothing at its end only."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self.closed:
            raise ValueError("read of a closed stream")
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._held = memoryview(chunk)
        room = memoryview(buffer).cast("B")
        size = min(len(room), len(self._held))
        room[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def close(self) -> None:
        """Let go of the connection behind a generator."""
        close = getattr(self._chunks, "close", None)
        if close is not None and not self.closed:
            close()
        super().close()
