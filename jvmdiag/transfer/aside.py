"""A part of a dump that has to wait for the rest of it: compressed, in a .partial file of its own, which goes away."""

from __future__ import annotations

from collections.abc import Iterator

from jvmdiag.transfer.codec import Codec, compressor, raw_blocks
from jvmdiag.transfer.sink import PartialFile


class AsideFile:
    """Takes raw bytes to the file `partial`, and gives them again. Every call may raise what the file raises."""

    def __init__(self, partial: PartialFile, codec: Codec) -> None:
        self._partial = partial
        self._codec = codec
        self._compressor = compressor(codec)

    def write(self, data: bytes, /) -> None:
        if stored := self._compressor.compress(data):
            self._partial.write(stored)

    def read(self) -> Iterator[bytes]:
        """All of it from the beginning, every checksum compared; nothing is written after that."""
        if stored := self._compressor.flush():
            self._partial.write(stored)
        with self._partial.partial.open("rb") as file:
            yield from raw_blocks(file, self._codec, str(self._partial.partial))
