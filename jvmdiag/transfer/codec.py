"""Compressing what is kept and reading back what was kept, by us or by others: gzip, zstd or plain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from jvmdiag.errors import TransferCut, VerificationFailed

BLOCK_BYTES = 1 << 20
MEMBER_BYTES = 64 << 20
"""Raw bytes in each gzip member or zstd frame that is written here: a file that was cut is good up to one's end."""
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
# The low half of the first byte is free; pzstd begins its files with such a frame.
_SKIPPABLE = b"\x2a\x4d\x18"
_WINDOW_BITS_GZIP = 31
_LEVEL = 1
# What is read at once. A gzip member may be 20 bytes: what is left over is copied once a member.
_READ_BYTES = 128 << 10
# zstandard can't bound its output, and 4 bytes of a frame can say 128 KiB: a slice gives 8 MiB at most.
_ZSTD_SLICE_BYTES = 256


class Codec(str, Enum):
    """How a file is compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"

    @property
    def suffix(self) -> str:
        return {Codec.GZIP: ".gz", Codec.ZSTD: ".zst", Codec.NONE: ""}[self]


class Compressor(Protocol):
    """Takes bytes, gives back what it has ready; `flush` gives the rest and ends the stream."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Plain:
    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def compressor(codec: Codec) -> Compressor:
    """A fresh compressor whose output is one gzip member or one zstd frame, each with its checksum.

    Both leave the interpreter to other threads while they work.
    """
    if codec is Codec.GZIP:
        from isal import isal_zlib

        return isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _WINDOW_BITS_GZIP)
    if codec is Codec.ZSTD:
        import zstandard

        return zstandard.ZstdCompressor(level=_LEVEL, threads=0, write_checksum=True).compressobj()
    return _Plain()


class Members:
    """A Compressor whose output is one gzip member or zstd frame for every MEMBER_BYTES; their concatenation is one
    valid file. Of no bytes at all it makes an empty one."""

    def __init__(self, codec: Codec, member_bytes: int = MEMBER_BYTES) -> None:
        self._codec = codec
        self._member: Compressor | None = compressor(codec)
        self._member_bytes = self._room = member_bytes

    def compress(self, data: bytes, /) -> bytes:
        done = []
        while data:
            if self._member is None:
                self._member = compressor(self._codec)
            piece, data = data[: self._room], data[self._room :]
            done.append(self._member.compress(piece))
            self._room -= len(piece)
            if not self._room:
                done.append(self.flush())
        return b"".join(done) if len(done) > 1 else (done or [b""])[0]

    def flush(self) -> bytes:
        member, self._member, self._room = self._member, None, self._member_bytes
        return member.flush() if member else b""


def codec_of(start: bytes) -> Codec:
    """The codec by the first four bytes of a file; its name is not asked."""
    if start[:2] == _GZIP_MAGIC:
        return Codec.GZIP
    return Codec.ZSTD if _is_zstd(start) else Codec.NONE


def _is_zstd(start: bytes) -> bool:
    return start[:4] == _ZSTD_MAGIC or (start[1:4] == _SKIPPABLE and start[0] >> 4 == 5)


def sniff(path: str | Path) -> Codec:
    """The codec of a file by its first bytes. Raises OSError as `open` does."""
    with Path(path).open("rb") as file:
        return codec_of(file.read(4))


def read_raw(path: str | Path) -> Iterator[bytes]:
    """The uncompressed bytes of a file in blocks of up to some MiB, every checksum of it compared.

    All members of a gzip file and all frames of a zstd file are read. A file cut exactly between two
    members can't be seen here. Raises TransferCut where the file ends too early, VerificationFailed
    where it is damaged or something follows the last member, OSError as `open` does.
    """
    with Path(path).open("rb") as file:
        codec = codec_of(file.read(4))
        file.seek(0)
        yield from raw_blocks(file, codec, str(path))


def raw_blocks(
    file: BinaryIO, codec: Codec, name: str, ended: Callable[[int], None] = lambda _offset: None
) -> Iterator[bytes]:
    """As `read_raw`, of an open file that stands at its beginning; `name` is for messages. `ended` is told the
    offset behind each member or frame, once it has been read whole."""
    if codec is Codec.GZIP:
        return _gunzip(file, name, ended)
    return _unzstd(file, name, ended) if codec is Codec.ZSTD else _plain(file)


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


class _Stored:
    """A compressed file with the offsets that messages name."""

    def __init__(self, file: BinaryIO, name: str, codec: Codec) -> None:
        self._file = file
        self._name = name
        self._codec = codec
        self._ahead = b""
        self._at = 0  # in what was read ahead
        self.offset = 0  # of the first byte not given yet
        self.member = 0  # of the member or frame that is being read

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end of the file only."""
        if self._at == len(self._ahead):
            self._ahead, self._at = self._file.read(_READ_BYTES), 0
        data = self._ahead[self._at : self._at + size]
        self._at += len(data)
        self.offset += len(data)
        return data

    def cut(self) -> TransferCut:
        return TransferCut(
            f"{self._name} is cut",
            why=f"it ends at offset {self.offset:,}, within the {self._part} that begins at {self.member:,}",
            advice="copy it again from where it came from; what is before the cut can be read",
        )

    def damaged(self, error: Exception) -> VerificationFailed:
        where = f"in the {self._part} that begins at offset {self.member:,}, before offset {self.offset:,}"
        return VerificationFailed(
            f"{self._name} is damaged",
            why=f"{error} {where}",
            advice="copy it again from where it came from, or take the dump again",
        )

    def garbage(self) -> VerificationFailed:
        return VerificationFailed(
            f"{self._name} has something behind its end",
            why=f"what stands at offset {self.member:,} is no {self._part}",
            advice="two files may have been written to one name: take the dump again",
        )

    @property
    def _part(self) -> str:
        return "gzip member" if self._codec is Codec.GZIP else "zstd frame"


def _gunzip(file: BinaryIO, name: str, ended: Callable[[int], None]) -> Iterator[bytes]:
    from isal import isal_zlib

    # The stub of python-isal calls this class an instance.
    isal_error = cast("type[Exception]", isal_zlib.error)
    stored = _Stored(file, name, Codec.GZIP)
    data = stored.read(_READ_BYTES)
    while data:
        stored.member = stored.offset - len(data)
        if not data.startswith(_GZIP_MAGIC) and not _GZIP_MAGIC.startswith(data):
            raise stored.garbage()
        member = isal_zlib.decompressobj(_WINDOW_BITS_GZIP)
        while not member.eof:
            try:
                block = member.decompress(data, BLOCK_BYTES)
            except isal_error as error:
                raise stored.damaged(error) from None
            if block:
                yield block
            data = member.unconsumed_tail
            # zlib's contract: after a full block more output may wait inside, with no input left to give.
            if not data and not member.eof and len(block) < BLOCK_BYTES:
                data = stored.read(_READ_BYTES)
                if not data:
                    raise stored.cut()
        ended(stored.offset - len(member.unused_data))
        data = member.unused_data or stored.read(_READ_BYTES)


def _unzstd(file: BinaryIO, name: str, ended: Callable[[int], None]) -> Iterator[bytes]:
    import zstandard

    stored = _Stored(file, name, Codec.ZSTD)
    data = stored.read(_ZSTD_SLICE_BYTES)
    while data:
        stored.member = stored.offset - len(data)
        if len(data) < 4:
            data += stored.read(_ZSTD_SLICE_BYTES)
        if not _is_zstd(data):
            raise stored.garbage() if len(data) >= 4 else stored.cut()
        frame = zstandard.ZstdDecompressor().decompressobj()
        while True:
            try:
                block = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise stored.damaged(error) from None
            if block:
                yield block
            if frame.eof:
                break
            data = stored.read(_ZSTD_SLICE_BYTES)
            if not data:
                raise stored.cut()
        ended(stored.offset - len(frame.unused_data))
        data = frame.unused_data or stored.read(_ZSTD_SLICE_BYTES)
