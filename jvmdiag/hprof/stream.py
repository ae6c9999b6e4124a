"""The bytes of a heap dump on their way through a Scan: chunks cut anywhere go in, the same bytes come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import CLASS_DUMP, PRIMITIVE_ARRAY, class_size, layout_of, wrong, wrong_tag
from jvmdiag.hprof.scan import Scan, zero
from jvmdiag.hprof.source import require_header, require_whole
from jvmdiag.transfer.hprof import FILE_HEADER, RECORD_HEADER, StructureWalk, Tag

# A Scan reads the head of a sub-record behind the last byte that is there; none is longer.
_PADDING = bytes(32)
_HEAPS = (Tag.HEAP_DUMP, Tag.HEAP_DUMP_SEGMENT)
_TAGS = frozenset(Tag)
# A symbol of HotSpot is of 65,535 bytes at most.
_RECORD_LIMIT_BYTES = 1 << 20
# About what a core's own cache holds: reading and scanning meet there.
READ_BYTES = 1 << 20

OnRecords = Callable[[memoryview, int], None]
"""Gets whole top-level records that are no heap segment, one behind the other, and the width of an id; the bytes are
good, and may be changed, until it returns."""


class Readable(Protocol):
    """An open file, unbuffered."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


class HeapStream:
    """Takes a file by `over_file`, or chunks by `feed` or `go_over`, which give back what is done with; then `finish`.

    Holds back the beginning of what a chunk cuts: 30 bytes, or a class or record of some KiB. Where there is an
    `on_records`, records of up to 1 MiB go there whole.
    Raises NotADump for what no JVM writes, with its offset; after that it must not be fed any more.
    """

    def __init__(self, scan: Scan, on_records: OnRecords | None = None) -> None:
        self._scan = scan
        self._on_records = on_records
        self._walk = StructureWalk()
        self._layout = layout_of(8)
        self._opened = False
        # One that is used again costs no page faults, which would take longer than the compiled scans.
        self._buffer = bytearray(len(_PADDING))
        self._view = memoryview(self._buffer)
        self._done, self._end = 0, 0  # what is held lies between
        self._base = 0  # the offset of the first byte in the buffer
        self._owed = 0  # bytes of a content that are still to come
        self._zeroes = False  # whether they are to be zeroed
        self._segment_end = 0  # the offset where the segment ends in which the next byte is

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the file; gives back those that are done with, in their order."""
        return bytes(self.go_over(chunk))

    def go_over(self, chunk: bytes) -> memoryview:
        """As `feed`; what it gives is good until the next call, and was not copied."""
        size = len(chunk)
        self._room(size)[:] = chunk
        return self._filled(size)

    def over_file(self, file: Readable) -> Iterator[memoryview]:
        """All that `file` has, as by `go_over`, but read to where it is worked on: no byte is copied."""
        while size := file.readinto(self._room(READ_BYTES)):
            yield self._filled(size)

    def finish(self) -> None:
        """After the last chunk. Raises NotADump or DumpIncomplete where the file is not whole."""
        self._walk.feed(self._view[self._done : self._end])
        require_whole(self._walk.finish())

    def _room(self, size: int) -> memoryview:
        """The place of the next bytes: behind what is held, which moves to the front."""
        held = self._end - self._done
        view = self._view
        if len(view) < held + size + len(_PADDING):
            self._buffer = bytearray(held + size + len(_PADDING))
            self._view = memoryview(self._buffer)
        self._view[:held] = view[self._done : self._end]
        self._base += self._done
        self._done, self._end = 0, held
        return self._view[held : held + size]

    def _filled(self, size: int) -> memoryview:
        """Go over what is held and the `size` bytes behind it; gives back those that are done with."""
        data = self._buffer
        self._end = end = self._end + size
        self._view[end : end + len(_PADDING)] = _PADDING
        at = 0
        while at < end:
            behind = self._step(data, at, end)
            if behind == at:
                break
            at = behind
        self._done = at
        return self._view[:at]

    def _step(self, data: bytearray, at: int, end: int) -> int:
        """Go on as far as one piece of code can; the same place where more bytes are needed."""
        if self._owed:
            behind = self._pay(data, at, end)
        elif self._base + at < self._segment_end:
            behind = self._sub_records(data, at, end)
        elif self._opened:
            return self._records(data, at, end)
        else:
            return self._open(at, end)
        self._walk.skip(behind - at)
        return behind

    def _pay(self, data: bytearray, at: int, end: int) -> int:
        step = min(self._owed, end - at)
        if self._zeroes:
            zero(data, at, at + step, end)
        self._owed -= step
        return at + step

    def _open(self, at: int, end: int) -> int:
        if end - at < FILE_HEADER.size:
            return at
        head = bytes(self._view[at : at + FILE_HEADER.size])
        require_header(head)
        self._walk.feed(head)
        self._layout = layout_of(FILE_HEADER.unpack(head)[1])
        self._scan.begin(self._layout)
        self._opened = True
        return at + FILE_HEADER.size

    def _records(self, data: bytearray, at: int, end: int) -> int:
        behind = self._walk.feed_records(data, at, end)
        if behind == at:
            return self._record(data, at, end)
        if self._on_records:
            self._on_records(self._view[at:behind], self._layout.id_size)
        return behind

    def _record(self, data: bytearray, at: int, end: int) -> int:
        """The header of a segment, of the end, or of what is cut."""
        body = at + RECORD_HEADER.size
        if end < body:
            return at
        tag: int
        size: int
        tag, _micros, size = RECORD_HEADER.unpack_from(data, at)
        if tag in _HEAPS:
            self._segment_end = self._base + body + size
        elif tag not in _TAGS:
            raise wrong(self._base + at, f"no record begins with 0x{tag:02x}, which stands")
        elif self._on_records and size <= _RECORD_LIMIT_BYTES and end < body + size:
            return at
        else:
            self._owed, self._zeroes = size, False
        self._walk.feed(self._view[at:body])
        return body

    def _sub_records(self, data: bytearray, at: int, end: int) -> int:
        limit = self._segment_end - self._base
        there = min(end, limit)
        behind = self._scan.over(data, at, there, limit)
        if behind > limit:
            raise self._beyond(self._scan.last)
        if behind >= there:
            self._owed, self._zeroes = behind - there, self._scan.zeroes
            return there
        if behind > there - self._layout.head and there < limit:
            return behind  # the head of a sub-record is cut
        if data[behind] == CLASS_DUMP:
            return self._class(data, behind, there, limit)
        if self._scan.fault:
            raise wrong(self._base + behind, f"{self._scan.fault} begins")
        if self._scan.waits:
            if there == limit:
                raise self._beyond(behind)
            return behind
        raise self._unknown(data, behind)

    def _class(self, data: bytearray, at: int, end: int, limit: int) -> int:
        size = class_size(data, at, end - at, self._layout, self._base + at)
        if at + size > limit:
            raise self._beyond(at)
        if at + size > end:
            return at
        self._scan.class_dump(data, at, self._base + at)
        return at + size

    def _unknown(self, data: bytearray, at: int) -> NotADump:
        if data[at] != PRIMITIVE_ARRAY:
            return wrong_tag(self._base + at, data[at])
        kind = data[at + self._layout.primitive_head - 1]
        return wrong(self._base + at, f"a primitive array of type {kind}, which does not exist")

    def _beyond(self, at: int) -> NotADump:
        return wrong(self._base + at, "a sub-record that reaches beyond the end of its segment begins")
