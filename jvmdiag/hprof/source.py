"""Raw bytes on demand out of chunks that are cut anywhere, and what their outer structure says."""

from __future__ import annotations

from collections.abc import Iterable

from jvmdiag.errors import DumpIncomplete, NotADump
from jvmdiag.hprof.layout import cut
from jvmdiag.transfer.hprof import Structure, StructureWalk


class Source:
    """The bytes of a heap dump. Holds one chunk, or as much as was asked for at once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._walk = StructureWalk()
        self._data = b""
        self._at = 0
        self._base = 0  # the offset of what stands at the beginning of `_data`

    @property
    def offset(self) -> int:
        """Of the next byte, in the raw file."""
        return self._base + self._at

    def more(self) -> bool:
        """Whether there is a next byte."""
        return self._at < len(self._data) or self._fill(1)

    def peek(self, size: int, what: str, *, further: int = 0) -> bytes:
        """The next `size` bytes, which stay, and of the `further` ones those that are there.

        Raises DumpIncomplete; `what` is cut then.
        """
        if len(self._data) - self._at < size and not self._fill(size):
            raise cut(self._base + len(self._data), what)
        return self._data[self._at : self._at + size + further]

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes. Raises DumpIncomplete; `what` is cut then."""
        if len(self._data) - self._at < size and not self._fill(size):
            raise cut(self._base + len(self._data), what)
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def skip(self, size: int, what: str) -> None:
        """Pass over `size` bytes, which are not held. Raises DumpIncomplete; `what` is cut then."""
        while size > (there := len(self._data) - self._at):
            size -= there
            self._at += there
            if not self._fill(1):
                raise cut(self.offset, what)
        self._at += size

    def require_whole(self) -> None:
        """After the last byte: raises NotADump or DumpIncomplete where the records do not end as they must."""
        require_whole(self._walk.finish())

    def _fill(self, wanted: int) -> bool:
        """Get chunks until `wanted` bytes are there."""
        rest = self._data[self._at :]
        parts = [rest] if rest else []
        have = len(rest)
        self._base += self._at
        self._at = 0
        while have < wanted and (chunk := next(self._chunks, None)) is not None:
            self._walk.feed(chunk)
            parts.append(chunk)
            have += len(chunk)
        self._data = parts[0] if len(parts) == 1 else b"".join(parts)
        return have >= wanted


def require_whole(structure: Structure) -> None:
    """Raises NotADump for what is no HPROF, DumpIncomplete where its records do not end as they must."""
    if structure.complete:
        return
    if not structure.starts_as_hprof:
        raise NotADump("this is no heap dump", why=structure.detail)
    raise DumpIncomplete(
        "the heap dump is not whole",
        why=structure.detail,
        advice="copy it again from where it came from, or take the dump again",
    )


def require_header(head: bytes) -> None:
    """`head` is the first 31 bytes of a file. Raises NotADump, saying what is wrong with them."""
    walk = StructureWalk()
    walk.feed(head)
    found = walk.finish()
    if not found.version:
        raise NotADump("this is no heap dump", why=f"{found.detail}, at offset 0")
