"""Makes small HPROF files byte by byte, so that no test of them needs a JVM."""

from __future__ import annotations

import struct

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
