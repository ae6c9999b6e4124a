"""Reads a heap dump record by record, in memory that does not grow with it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from jvmdiag.hprof.layout import (
    CLASS_DUMP,
    INSTANCE_DUMP,
    OBJECT_ARRAY,
    PRIMITIVE_ARRAY,
    Kind,
    Layout,
    RootKind,
    class_size,
    layout_of,
    wrong,
    wrong_tag,
)
from jvmdiag.hprof.parse import parse_class, parse_record, parse_root
from jvmdiag.hprof.records import (
    ClassDump,
    FileHeader,
    HeapRecord,
    InstanceDump,
    ObjectArray,
    Opaque,
    PrimitiveArray,
    Record,
    Segment,
    TopRecord,
    Utf8,
)
from jvmdiag.hprof.source import Source, require_header
from jvmdiag.transfer.codec import read_raw
from jvmdiag.transfer.hprof import FILE_HEADER, RECORD_HEADER, Tag

CONTENT_LIMIT_BYTES = 1 << 20
# The longest of them is a stack: MaxJavaStackTraceDepth is 1,024 by default.
_RECORD_LIMIT_BYTES = 16 << 20
# What is cut behind its first bytes is looked at anew: once is enough for most classes.
_MOST_CLASSES_BYTES = 4096
_HEAPS = (Tag.HEAP_DUMP, Tag.HEAP_DUMP_SEGMENT)
_TAGS = frozenset(Tag)
_PARSED = frozenset(
    {
        Tag.LOAD_CLASS,
        Tag.UNLOAD_CLASS,
        Tag.FRAME,
        Tag.TRACE,
        Tag.START_THREAD,
        Tag.END_THREAD,
        Tag.HEAP_SUMMARY,
    }
)


def read_dump(path: str | Path, *, content_limit_bytes: int = CONTENT_LIMIT_BYTES) -> Iterator[Record]:
    """The records of a file, plain, gzip or zstd, in their order: 300,000 to 500,000 a second.

    Raises as `read_records` does, and as `read_raw` does where the compressed file is cut or damaged.
    """
    return read_records(read_raw(path), content_limit_bytes=content_limit_bytes)


def read_records(
    chunks: Iterable[bytes], *, content_limit_bytes: int = CONTENT_LIMIT_BYTES
) -> Iterator[Record]:
    """The records of raw bytes that are cut into chunks anywhere; the FileHeader comes first.

    What is longer than `content_limit_bytes` is passed over and given as None. Raises NotADump for what no JVM
    writes and DumpIncomplete where the end is missing, each with the offset; what was given before is sound.
    """
    return _Reader(Source(chunks), content_limit_bytes).records()


class _Reader:
    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._layout = layout_of(8)

    def records(self) -> Iterator[Record]:
        yield self._header()
        while self._source.more():
            record = self._record()
            yield record
            if isinstance(record, Segment):
                end = self._source.offset + record.size_bytes
                while self._source.offset < end:
                    yield self._heap_record(end)
        self._source.require_whole()

    def _header(self) -> FileHeader:
        head = self._source.take(FILE_HEADER.size, "its header")
        require_header(head)
        version, id_size, timestamp_ms = FILE_HEADER.unpack(head)
        self._layout = layout_of(id_size)
        return FileHeader(0, version[:-1].decode("ascii"), id_size, timestamp_ms)

    def _record(self) -> TopRecord:
        offset = self._source.offset
        tag, _micros, size = RECORD_HEADER.unpack(
            self._source.take(RECORD_HEADER.size, "the header of a record")
        )
        if tag in _HEAPS:
            return Segment(offset, size)
        if tag == Tag.UTF8:
            return self._utf8(offset, size)
        if tag in _PARSED:
            if size > _RECORD_LIMIT_BYTES:
                raise wrong(offset, f"a {Tag(tag).name} of {size:,} bytes")
            body = self._source.take(size, Tag(tag).name)
            return parse_record(Tag(tag), body, offset, self._layout.id_size)
        if tag not in _TAGS:
            raise wrong(offset, f"no record begins with 0x{tag:02x}, which stands")
        self._source.skip(size, f"a record ({Tag(tag).name})")
        return Opaque(offset, tag, size)

    def _utf8(self, offset: int, size: int) -> Utf8:
        if size < self._layout.id_size:
            raise wrong(offset, f"a UTF8 of {size:,} bytes, which is less than its id")
        symbol_id = int.from_bytes(self._source.take(self._layout.id_size, "UTF8"), "big")
        size -= self._layout.id_size
        return Utf8(offset, symbol_id, size, self._content(size, "UTF8"))

    def _content(self, size: int, what: str) -> bytes | None:
        if size <= self._limit:
            return self._source.take(size, what)
        self._source.skip(size, what)
        return None

    def _heap_record(self, end: int) -> HeapRecord:
        offset = self._source.offset
        tag = self._source.peek(1, "a heap segment")[0]
        if tag == CLASS_DUMP:
            return self._class(offset, end)
        if tag == INSTANCE_DUMP:
            return self._instance(self._layout, offset, end)
        if tag == OBJECT_ARRAY:
            return self._object_array(self._layout, offset, end)
        if tag == PRIMITIVE_ARRAY:
            return self._primitive_array(self._layout, offset, end)
        size = self._layout.roots[tag]
        if not size:
            raise wrong_tag(offset, tag)
        self._require(offset, size, end)
        return parse_root(RootKind(tag), self._source.take(size, "a root"), offset, self._layout.id_size)

    def _require(self, offset: int, size: int, end: int) -> None:
        if offset + size > end:
            raise wrong(offset, "a sub-record that reaches beyond the end of its segment")

    def _head(self, size: int, offset: int, end: int, what: str) -> tuple[int, int, bytes]:
        """Id, serial of the trace, and the head of an instance or array."""
        self._require(offset, size, end)
        head = self._source.take(size, what)
        object_id, trace = struct.unpack_from(">QI" if self._layout.id_size == 8 else ">II", head, 1)
        return object_id, trace, head

    def _instance(self, layout: Layout, offset: int, end: int) -> InstanceDump:
        object_id, trace, head = self._head(layout.head, offset, end, "an instance")
        class_id, size = layout.instance.unpack_from(head, layout.counted_at)
        self._require(offset, layout.head + size, end)
        return InstanceDump(offset, object_id, trace, class_id, size, self._content(size, "an instance"))

    def _object_array(self, layout: Layout, offset: int, end: int) -> ObjectArray:
        object_id, trace, head = self._head(layout.head, offset, end, "an array")
        length, class_id = layout.object_array.unpack_from(head, layout.counted_at)
        self._require(offset, layout.head + length * layout.id_size, end)
        content = self._content(length * layout.id_size, "an array")
        letter = "Q" if layout.id_size == 8 else "I"
        ids = None if content is None else struct.unpack(f">{length}{letter}", content)
        return ObjectArray(offset, object_id, trace, class_id, length, ids)

    def _primitive_array(self, layout: Layout, offset: int, end: int) -> PrimitiveArray:
        object_id, trace, head = self._head(layout.primitive_head, offset, end, "an array")
        length, kind = layout.primitive_array.unpack_from(head, layout.counted_at)
        width = layout.element_widths[kind]
        if not width:
            raise wrong(offset, f"a primitive array of type {kind}, which does not exist")
        size = length * width
        self._require(offset, layout.primitive_head + size, end)
        content = self._content(size, "an array")
        return PrimitiveArray(offset, object_id, trace, Kind(kind), length, size, content)

    def _class(self, offset: int, end: int) -> ClassDump:
        have, size = 0, self._layout.class_head + 2
        data = b""
        while size > have:
            self._require(offset, size, end)
            data = self._source.peek(size, "a class", further=_MOST_CLASSES_BYTES)
            have = min(len(data), end - offset)
            size = class_size(data, 0, have, self._layout, offset)
        self._require(offset, size, end)
        return parse_class(self._source.take(size, "a class"), 0, self._layout.id_size, offset)
