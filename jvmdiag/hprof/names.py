"""The names of classes, gathered from the records that come before the heap."""

from __future__ import annotations

from collections.abc import Iterator

from jvmdiag.errors import NotADump
from jvmdiag.hprof.records import symbol_text
from jvmdiag.transfer.hprof import RECORD_HEADER, Tag

# A JVM with 100,000 classes has 100 MB of symbols.
MAX_HELD_BYTES = 1 << 30


class Names:
    """Takes whole top-level records, in any order."""

    def __init__(self) -> None:
        self._runs: list[bytes] = []
        self._held_bytes = 0
        self._id_size = 8
        self._symbols: dict[bytes, bytes] = {}
        self._classes: dict[bytes, bytes] = {}

    def take(self, records: memoryview, id_size: int) -> None:
        """Records, one behind the other. Raises NotADump where they are more than any JVM has."""
        self._runs.append(bytes(records))
        self._id_size = id_size
        self._held_bytes += len(records)
        if self._held_bytes > MAX_HELD_BYTES:
            raise too_many_symbols()

    def of(self, class_id: int) -> str:
        """As in java.lang.String and [Ljava.lang.String; and `class 0x…` where the dump names none."""
        self._read()
        named = self._classes.get(class_id.to_bytes(self._id_size, "big"), b"")
        symbol = self._symbols.get(named)
        return f"class 0x{class_id:x}" if symbol is None else symbol_text(symbol).replace("/", ".")

    def _read(self) -> None:
        """What was taken and not read yet."""
        id_size, symbols = self._id_size, self._symbols
        for run in self._runs:
            for tag, body, end in each_record(run):
                if tag == Tag.UTF8:
                    symbols[run[body : body + id_size]] = run[body + id_size : end]
                elif tag == Tag.LOAD_CLASS:  # serial, class, serial of the trace, name
                    named = body + 8 + id_size
                    self._classes[run[body + 4 : named - 4]] = run[named : named + id_size]
        self._runs.clear()


def each_record(records: bytes | bytearray, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """Of records one behind the other, from `at` on: tag, where the body begins, and where it ends."""
    unpack, head, size = RECORD_HEADER.unpack_from, RECORD_HEADER.size, len(records)
    while at + head <= size:
        tag, _micros, length = unpack(records, at)
        end = at + head + length
        yield tag, at + head, end
        at = end


def too_many_symbols() -> NotADump:
    """They are not held, for that takes memory."""
    return NotADump(
        "this is no heap dump of a JVM", why=f"its symbols are more than {MAX_HELD_BYTES:,} bytes"
    )
