"""The outer structure of an HPROF file: its header and its top-level records, walked while the bytes pass.

Format: the HPROF 1.0.2 description in HotSpot's services/heapDumper.cpp. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"JAVA PROFILE "
_VERSION_PREFIX = b"JAVA PROFILE 1.0."
FILE_HEADER = struct.Struct(">19sIQ")
"""Version with its zero byte, width of an id, milliseconds since 1970."""
RECORD_HEADER = struct.Struct(">BII")
"""Tag, microseconds since the file's timestamp, length of the body that follows."""


class Tag(IntEnum):
    """The top-level records."""

    UTF8 = 0x01
    LOAD_CLASS = 0x02
    UNLOAD_CLASS = 0x03
    FRAME = 0x04
    TRACE = 0x05
    ALLOC_SITES = 0x06
    HEAP_SUMMARY = 0x07
    START_THREAD = 0x0A
    END_THREAD = 0x0B
    HEAP_DUMP = 0x0C
    CPU_SAMPLES = 0x0D
    CONTROL_SETTINGS = 0x0E
    HEAP_DUMP_SEGMENT = 0x1C
    HEAP_DUMP_END = 0x2C


_TAGS = frozenset(int(tag) for tag in Tag)
_HEAP_DUMP = int(Tag.HEAP_DUMP)
_SEGMENT = int(Tag.HEAP_DUMP_SEGMENT)
_END = int(Tag.HEAP_DUMP_END)
# Nothing but their number is known of these.
_PLAIN = _TAGS - {_HEAP_DUMP, _SEGMENT, _END}


@dataclass(frozen=True)
class Structure:
    """What the walk found. `complete` is the statement; `detail` says why, with the offset in raw bytes.

    `version`, `id_size` and `timestamp_ms` are empty or 0 where the file header was not good.
    `records` counts the top-level records, `segments` those that hold objects (HEAP_DUMP_SEGMENT,
    HEAP_DUMP), `heap_bytes` the size of their bodies.
    """

    complete: bool
    detail: str
    starts_as_hprof: bool
    version: str
    id_size: int
    timestamp_ms: int
    records: int
    segments: int
    heap_bytes: int
    size_bytes: int


class StructureWalk:
    """Follows the top-level records over chunks split anywhere; memory does not grow with the file.

    Costs one step a record and nothing a byte. `feed` never raises: what is wrong is said by `finish`.
    """

    def __init__(self) -> None:
        self._size = 0
        self._head = b""  # of the file header or record header that the last chunk cut
        self._body_left = 0  # of the record the walk is in
        self._start = b""
        self._opened = False
        self._fault = ""
        self._version, self._id_size, self._timestamp_ms = "", 0, 0
        self._records, self._segments, self._heap_bytes = 0, 0, 0
        self._segmented = False
        self._tag = 0  # of the last record

    def feed(self, chunk: bytes | memoryview) -> None:
        """Walk over the next bytes of the file, uncompressed."""
        base, length = self._size, len(chunk)
        if len(self._start) < len(MAGIC):
            self._start += bytes(chunk[: len(MAGIC) - len(self._start)])
        at = 0
        while at < length and not self._fault:
            if self._body_left:
                step = min(self._body_left, length - at)
                self._body_left -= step
                at += step
            elif self._head or not self._opened or length - at < RECORD_HEADER.size:
                at = self._gather(chunk, at, base)
            elif (behind := self._over_plain(chunk, at, length)) > at:
                at = behind
            else:
                self._record(base + at, *RECORD_HEADER.unpack_from(chunk, at))
                at += RECORD_HEADER.size
        self._size = base + length

    def feed_records(self, data: bytes | bytearray | memoryview, at: int, end: int) -> int:
        """Walk over the whole records that begin at `at` of `data`, up to a segment, HEAP_DUMP_END, what does not
        exist or what `end` cuts; the place behind them. Only where the walk stands between two records."""
        behind = self._over_plain(data, at, end)
        self._size += behind - at
        return behind

    def skip(self, size: int) -> None:
        """Walk over as many bytes of the body of the last record that was fed."""
        self._body_left -= size
        self._size += size

    @property
    def starts_as_hprof(self) -> bool:
        """Whether what was fed begins as HPROF does."""
        return self._start == MAGIC

    def finish(self) -> Structure:
        """The verdict, once the last byte was fed."""
        complete, detail = self._verdict()
        return Structure(
            complete=complete,
            detail=detail,
            starts_as_hprof=self.starts_as_hprof,
            version=self._version,
            id_size=self._id_size,
            timestamp_ms=self._timestamp_ms,
            records=self._records,
            segments=self._segments,
            heap_bytes=self._heap_bytes,
            size_bytes=self._size,
        )

    def _over_plain(self, data: bytes | bytearray | memoryview, at: int, end: int) -> int:
        if self._tag == _END:
            return at
        unpack, head, plain = RECORD_HEADER.unpack_from, RECORD_HEADER.size, _PLAIN
        count, last = 0, self._tag
        while (body := at + head) <= end:
            tag, _micros, size = unpack(data, at)
            if tag not in plain or body + size > end:
                break
            at = body + size
            count += 1
            last = tag
        self._records += count
        self._tag = last
        return at

    def _gather(self, chunk: bytes | memoryview, at: int, base: int) -> int:
        """Take what is missing of a header that a chunk border cut; act on it when it is whole."""
        wanted = RECORD_HEADER.size if self._opened else FILE_HEADER.size
        end = min(len(chunk), at + wanted - len(self._head))
        self._head += bytes(chunk[at:end])
        if len(self._head) == wanted:
            head, self._head = self._head, b""
            if self._opened:
                self._record(base + end - wanted, *RECORD_HEADER.unpack(head))
            else:
                self._open(head)
        return end

    def _open(self, head: bytes) -> None:
        version, id_size, timestamp_ms = FILE_HEADER.unpack(head)
        if not (version.startswith(_VERSION_PREFIX) and version[17:18].isdigit() and version[18] == 0):
            self._fault = f"it does not begin with {_VERSION_PREFIX.decode()}x and a zero byte, as HPROF does"
        elif id_size not in (4, 8):
            self._fault = f"the header says that ids are {id_size} bytes wide; 4 and 8 exist"
        else:
            self._opened = True
            self._version = version[:-1].decode("ascii")
            self._id_size, self._timestamp_ms = id_size, timestamp_ms

    def _record(self, offset: int, tag: int, _micros: int, body: int) -> None:
        if self._tag == _END:
            self._fault = f"there is more at offset {offset:,}, behind HEAP_DUMP_END"
        elif tag not in _TAGS:
            self._fault = f"no record begins with 0x{tag:02x}, which stands at offset {offset:,}"
        elif tag == _END and body:
            self._fault = f"HEAP_DUMP_END at offset {offset:,} has a body of {body:,} bytes"
        else:
            self._records += 1
            self._tag = tag
            self._body_left = body
            if tag in (_SEGMENT, _HEAP_DUMP):
                self._segments += 1
                self._heap_bytes += body
                self._segmented |= tag == _SEGMENT

    def _verdict(self) -> tuple[bool, str]:
        fault = self._fault or self._cut()
        if fault:
            return False, fault
        what = f"{self._version}, {self._records:,} records, {self._heap_bytes:,} bytes of heap"
        if self._tag == _END and self._segments:
            return True, f"{what}, HEAP_DUMP_END at the end of the file"
        if self._tag == _END:
            return (
                False,
                f"HEAP_DUMP_END comes at offset {self._size - RECORD_HEADER.size:,} with no heap before it",
            )
        # JDK 5 and the serviceability agent write one HEAP_DUMP record and no HEAP_DUMP_END.
        if self._segments == 1 and not self._segmented:
            return True, f"{what} in one HEAP_DUMP record, whole; this old form has no HEAP_DUMP_END"
        return (
            False,
            f"the file ends at offset {self._size:,}, behind a whole record and without HEAP_DUMP_END",
        )

    def _cut(self) -> str:
        """Where the end of the file cuts something, or empty."""
        end = f"the file ends at offset {self._size:,}"
        if not self._size:
            return "the file is empty"
        if self._body_left:
            return f"{end}, {self._body_left:,} bytes before its last record ({Tag(self._tag).name}) is whole"
        if not self._opened:
            return f"{end}, within the {FILE_HEADER.size} bytes of its header"
        return f"{end}, within the header of a record" if self._head else ""
