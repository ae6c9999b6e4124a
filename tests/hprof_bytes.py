"""Makes small HPROF files byte by byte, so that no test of them needs a JVM."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind, RootKind, layout_of
from jvmdiag.transfer.hprof import FILE_HEADER, RECORD_HEADER, Tag

TIMESTAMP_MS = 1_700_000_000_123
END = RECORD_HEADER.pack(Tag.HEAP_DUMP_END, 0, 0)


def header(version: str = "JAVA PROFILE 1.0.2", id_size: int = 8, timestamp_ms: int = TIMESTAMP_MS) -> bytes:
    return FILE_HEADER.pack(version.encode() + b"\0", id_size, timestamp_ms)


def record(tag: int, body: bytes = b"", micros: int = 0) -> bytes:
    return RECORD_HEADER.pack(tag, micros, len(body)) + body


def utf8(identifier: int, text: str) -> bytes:
    return record(Tag.UTF8, struct.pack(">Q", identifier) + text.encode())


def load_class(serial: int, class_id: int, name_id: int) -> bytes:
    return record(Tag.LOAD_CLASS, struct.pack(">IQIQ", serial, class_id, 0, name_id))


def byte_array(identifier: int, content: bytes) -> bytes:
    """A primitive array dump of bytes: a sub-record, to be put into a segment."""
    return struct.pack(">BQIIB", 0x23, identifier, 0, len(content), 8) + content


def segment(body: bytes) -> bytes:
    return record(Tag.HEAP_DUMP_SEGMENT, body)


def small_dump() -> bytes:
    """Symbols, classes, a trace, three segments of which one is empty, and the end: 0.5 KiB.

    The bodies of the segments are 0xFF throughout, which begins no record: who steps wrong, notices.
    """
    symbols = b"".join(utf8(0xFFFFFFFF00000000 + n, "\u00ff" * n) for n in range(1, 6))
    classes = load_class(1, 0xFFFFFFFF00000010, 0xFFFFFFFF00000001)
    trace = record(Tag.TRACE, struct.pack(">III", 1, 0, 0))
    heap = segment(b"\xff" * 100) + segment(b"") + segment(b"\xff" * 57)
    return header() + symbols + classes + trace + heap + END


def large_dump(size_bytes: int) -> bytes:
    """A dump of about that size in segments of 64 KiB."""
    body = byte_array(0x1000, bytes(range(256)) * 255)
    return header() + utf8(1, "byte[]") + segment(body) * max(1, size_bytes // len(body)) + END


def header_offsets(dump: bytes) -> list[int]:
    """Where the records of a whole dump begin."""
    offsets = []
    at = FILE_HEADER.size
    while at < len(dump):
        offsets.append(at)
        at += RECORD_HEADER.size + RECORD_HEADER.unpack_from(dump, at)[2]
    return offsets


@dataclass(frozen=True)
class Writer:
    """Sub-records and records for ids of one width; `loader` and the like are 0."""

    id_size: int = 8

    def id(self, *numbers: int) -> bytes:
        return b"".join(number.to_bytes(self.id_size, "big") for number in numbers)

    def header(self) -> bytes:
        return header(id_size=self.id_size)

    def utf8(self, identifier: int, text: str) -> bytes:
        return record(Tag.UTF8, self.id(identifier) + text.encode())

    def load_class(self, class_id: int, name_id: int) -> bytes:
        return record(Tag.LOAD_CLASS, _u4(1) + self.id(class_id) + _u4(0) + self.id(name_id))

    def named(self, class_id: int, name_id: int, name: str) -> bytes:
        return self.utf8(name_id, name) + self.load_class(class_id, name_id)

    def root(self, kind: RootKind, identifier: int) -> bytes:
        size = layout_of(self.id_size).roots[kind] - 1 - self.id_size
        return bytes([kind]) + self.id(identifier) + bytes(range(1, 1 + size))

    def class_dump(
        self,
        class_id: int,
        super_id: int = 0,
        fields: tuple[Kind, ...] = (),
        statics: tuple[tuple[Kind, bytes], ...] = (),
        constants: tuple[tuple[Kind, bytes], ...] = (),
    ) -> bytes:
        head = b"\x20" + self.id(class_id) + _u4(0) + self.id(super_id, 0, 0, 0, 0, 0) + _u4(0)
        pool = b"".join(_u2(n) + bytes([kind]) + value for n, (kind, value) in enumerate(constants, 1))
        values = b"".join(self.id(0x5A) + bytes([kind]) + value for kind, value in statics)
        types = b"".join(self.id(0x5B) + bytes([kind]) for kind in fields)
        return head + _u2(len(constants)) + pool + _u2(len(statics)) + values + _u2(len(fields)) + types

    def instance(self, identifier: int, class_id: int, content: bytes) -> bytes:
        return b"\x21" + self.id(identifier) + _u4(0) + self.id(class_id) + _u4(len(content)) + content

    def objects(self, identifier: int, class_id: int, *elements: int) -> bytes:
        head = b"\x22" + self.id(identifier) + _u4(0) + _u4(len(elements)) + self.id(class_id)
        return head + self.id(*elements)

    def primitives(self, identifier: int, kind: Kind, content: bytes = b"") -> bytes:
        length = len(content) // PRIMITIVE_WIDTHS[kind]
        return b"\x23" + self.id(identifier) + _u4(0) + _u4(length) + bytes([kind]) + content


def _u4(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _u2(number: int) -> bytes:
    return number.to_bytes(2, "big")


POINT, LINE, POINTS = 0xC001, 0xC002, 0xC003


def heap_dump(id_size: int = 8) -> bytes:
    """A dump with every kind of sub-record, 1.5 KiB: all contents are of letters, so that what stays is seen.

    2 Point (byte, long), 1 Line (above it Point; 2 references around an int), 2 Point[] of 2 and 0, arrays of every
    primitive type, an empty one before an array of objects, and an empty last segment.
    """
    w = Writer(id_size)
    names = w.named(POINT, 1, "a/Point") + w.named(LINE, 2, "a/Line") + w.named(POINTS, 3, "[La/Point;")
    reference = (Kind.OBJECT, w.id(0xAB))
    classes = w.class_dump(
        POINT,
        fields=(Kind.BYTE, Kind.LONG),
        statics=((Kind.INT, b"Stat"), reference, (Kind.BOOLEAN, b"?")),
        constants=((Kind.CHAR, b"Co"), reference),
    ) + w.class_dump(LINE, POINT, (Kind.OBJECT, Kind.INT, Kind.OBJECT))
    points = w.instance(0x10, POINT, b"BLonglong") + w.instance(0x11, POINT, b"BLonglong")
    line = w.instance(0x12, LINE, w.id(0x10) + b"Intt" + w.id(0x11) + b"BLonglong")
    arrays = w.primitives(0x20, Kind.BYTE) + w.objects(0x21, POINTS, 0x10, 0x4142) + w.objects(0x22, POINTS)
    full = b"".join(w.primitives(0x30 + kind, kind, b"Secret__" * 3) for kind in PRIMITIVE_WIDTHS)
    roots = b"".join(w.root(kind, 0x10) for kind in RootKind)
    rest = record(Tag.TRACE, struct.pack(">III", 1, 0, 0))
    bodies = (roots + classes, points + line + arrays, full + w.root(RootKind.STICKY_CLASS, POINT), b"")
    return w.header() + names + rest + b"".join(map(segment, bodies)) + END


def cut_into(data: bytes, size: int) -> list[bytes]:
    """Chunks of that size."""
    return [data[at : at + size] for at in range(0, len(data), size)]
