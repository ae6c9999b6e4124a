"""The names of classes, gathered from the records that come before the heap."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from jvmdiag.errors import NotADump
from jvmdiag.hprof.records import symbol_text
from jvmdiag.transfer.hprof import RECORD_HEADER, Tag

# A JVM with 100,000 classes has 100 MB of symbols.
MAX_HELD_BYTES = 1 << 30
# An enumeration's member takes longer to compare with than to find.
_UTF8, _LOAD_CLASS = int(Tag.UTF8), int(Tag.LOAD_CLASS)


class Names:
    """Takes whole top-level records, in any order."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._read_to = 0
        self._id_size = 8
        self._symbols: dict[int, int] = {}  # where the record of each begins
        self._classes: dict[int, int] = {}  # the symbol of each

    def take(self, records: memoryview, id_size: int) -> None:
        """Records, one behind the other. Raises NotADump where they are more than any JVM has."""
        self._held += records
        self._id_size = id_size
        if len(self._held) > MAX_HELD_BYTES:
            raise too_many_symbols()

    def of(self, class_id: int) -> str:
        """As in java.lang.String and [Ljava.lang.String; and `class 0x…` where the dump names none."""
        if self._read_to < len(self._held):
            self._read()
        at = self._symbols.get(self._classes.get(class_id, 0))
        if at is None:
            return f"class 0x{class_id:x}"
        begin = at + RECORD_HEADER.size
        size = RECORD_HEADER.unpack_from(self._held, at)[2]
        return symbol_text(bytes(self._held[begin + self._id_size : begin + size])).replace("/", ".")

    def _read(self) -> None:
        """What was taken and not read yet: the loop is most of what comes before the heap."""
        held, at, id_size = bytes(self._held) + bytes(8), self._read_to, self._id_size
        unpack, head = struct.Struct(">BIIQ" if id_size == 8 else ">BIII").unpack_from, RECORD_HEADER.size
        symbols, end = self._symbols, len(self._held)
        while at < end:
            tag, _micros, length, symbol = unpack(held, at)
            if tag == _UTF8:
                symbols[symbol] = at
            elif tag == _LOAD_CLASS:  # serial, class, serial of the trace, name
                named = at + head + 8 + id_size
                class_id = int.from_bytes(held[named - 4 - id_size : named - 4], "big")
                self._classes[class_id] = int.from_bytes(held[named : named + id_size], "big")
            at += head + length
        self._read_to = end


def each_record(records: bytes | bytearray, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """Of records one behind the other, from `at` on: tag, where the body begins, and where it ends."""
    unpack, head, size = RECORD_HEADER.unpack_from, RECORD_HEADER.size, len(records)
    while (body := at + head) <= size:
        tag, _micros, length = unpack(records, at)
        at = body + length
        yield tag, body, at


def too_many_symbols() -> NotADump:
    """They are not held, for that takes memory."""
    return NotADump(
        "this is no heap dump of a JVM", why=f"its symbols are more than {MAX_HELD_BYTES:,} bytes"
    )
