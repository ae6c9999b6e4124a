"""The bytes of a heap dump on their way through a Scan: chunks cut anywhere go in, the same bytes come out."""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import (
    CLASS_DUMP,
    INSTANCE_DUMP,
    PRIMITIVE_ARRAY,
    class_size,
    layout_of,
    wrong,
    wrong_tag,
)
from jvmdiag.hprof.scan import Scan, zero
from jvmdiag.hprof.source import require_header, require_whole
from jvmdiag.transfer.hprof import FILE_HEADER, RECORD_HEADER, StructureWalk, Tag

# A Scan reads the head of a sub-record behind the last byte that is there; none is longer.
_PADDING = bytes(32)
_HEAPS = (Tag.HEAP_DUMP, Tag.HEAP_DUMP_SEGMENT)
_TAGS = frozenset(Tag)
# A symbol of HotSpot is of 65,535 bytes at most.
_RECORD_LIMIT_BYTES = 1 << 20


def ignore(_tag: Tag, _body: bytes, _id_size: int) -> None:
    """For who wants no record."""


class HeapStream:
    """Takes chunks by `feed` or `go_over`, which give back what is done with, and at the end `finish`.

    Holds back the beginning of what a chunk cuts: 30 bytes, or a class or record of some KiB. The bodies of the
    top-level records that are among `wanted` go to `on_record` with the width of an id, where they are not longer
    than 1 MiB.
    Raises NotADump for what no JVM writes, with its offset; after that it must not be fed any more.
    """

    def __init__(
        self,
        scan: Scan,
        wanted: frozenset[Tag] = frozenset(),
        on_record: Callable[[Tag, bytes, int], None] = ignore,
    ) -> None:
        self._scan = scan
        self._wanted = wanted
        self._on_record = on_record
        self._walk = StructureWalk()
        self._layout = layout_of(8)
        self._opened = False
        self._buffer = bytearray()
        self._held = b""
        self._base = 0  # the offset of the first byte held
        self._owed = 0  # bytes of a content that are still to come
        self._zeroes = False  # whether they are to be zeroed
        self._segment_end = 0  # the offset where the segment ends in which the next byte is

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the file; gives back those that are done with, in their order."""
        return bytes(self.go_over(chunk))

    def go_over(self, chunk: bytes) -> memoryview:
        """As `feed`; what it gives is good until the next call, and was not copied."""
        self._walk.feed(chunk)
        data, end = self._filled(chunk)
        at = 0
        while at < end:
            behind = self._step(data, at, end)
            if behind == at:
                break
            at = behind
        self._held = bytes(data[at:end])
        self._base += at
        return memoryview(data)[:at]

    def _filled(self, chunk: bytes) -> tuple[bytearray, int]:
        """The buffer with what was held and the chunk in it, and where they end."""
        held = len(self._held)
        end = held + len(chunk)
        # One that is used again costs no page faults, which would take longer than the compiled scans.
        if len(self._buffer) < end + len(_PADDING):
            self._buffer = bytearray(end + len(_PADDING))
        # Into a bytearray itself bytes would be copied twice.
        view = memoryview(self._buffer)
        view[:held] = self._held
        view[held:end] = chunk
        view[end : end + len(_PADDING)] = _PADDING
        return self._buffer, end

    def finish(self) -> None:
        """After the last chunk. Raises NotADump or DumpIncomplete where the file is not whole."""
        require_whole(self._walk.finish())

    def _step(self, data: bytearray, at: int, end: int) -> int:
        """Go on as far as one piece of code can; the same place where more bytes are needed."""
        if self._owed:
            step = min(self._owed, end - at)
            if self._zeroes:
                zero(data, at, at + step, end)
            self._owed -= step
            return at + step
        if self._base + at < self._segment_end:
            return self._sub_records(data, at, end)
        if self._opened:
            return self._record(data, at, end)
        return self._open(data, at, end)

    def _open(self, data: bytearray, at: int, end: int) -> int:
        if end - at < FILE_HEADER.size:
            return at
        head = bytes(data[at : at + FILE_HEADER.size])
        require_header(head)
        self._layout = layout_of(FILE_HEADER.unpack(head)[1])
        self._scan.begin(self._layout)
        self._opened = True
        return at + FILE_HEADER.size

    def _record(self, data: bytearray, at: int, end: int) -> int:
        body = at + RECORD_HEADER.size
        if end < body:
            return at
        tag: int
        size: int
        tag, _micros, size = RECORD_HEADER.unpack_from(data, at)
        if tag in _HEAPS:
            self._segment_end = self._base + body + size
            return body
        if tag not in _TAGS:
            raise wrong(self._base + at, f"no record begins with 0x{tag:02x}, which stands")
        if tag not in self._wanted or size > _RECORD_LIMIT_BYTES:
            self._owed, self._zeroes = size, False
            return body
        if end - body < size:
            return at
        self._on_record(Tag(tag), bytes(data[body : body + size]), self._layout.id_size)
        return body + size

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
        if data[behind] == INSTANCE_DUMP:  # one that is to be there whole
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
