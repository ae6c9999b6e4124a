"""The names of classes, gathered from the records that come before the heap."""

from __future__ import annotations

from jvmdiag.errors import NotADump
from jvmdiag.hprof.records import symbol_text
from jvmdiag.transfer.hprof import Tag

# A JVM with 100,000 classes has 100 MB of symbols.
_MAX_HELD_BYTES = 1 << 30
# What Python needs for an entry beside its bytes.
_ENTRY_BYTES = 150


class Names:
    """Takes the bodies of UTF8 and LOAD_CLASS records, in any order."""

    WANTED = frozenset({Tag.UTF8, Tag.LOAD_CLASS})

    def __init__(self) -> None:
        self._symbols: dict[bytes, bytes] = {}
        self._classes: dict[int, bytes] = {}
        self._held_bytes = 0

    def take(self, tag: Tag, body: bytes, id_size: int) -> None:
        """One record. Raises NotADump where they are more than any JVM has."""
        if tag == Tag.UTF8:
            self._symbols[body[:id_size]] = body[id_size:]
            self._held_bytes += len(body)
        else:  # serial, class, serial of the trace, name
            class_id = int.from_bytes(body[4 : 4 + id_size], "big")
            self._classes[class_id] = body[8 + id_size : 8 + 2 * id_size]
        self._held_bytes += _ENTRY_BYTES
        if self._held_bytes > _MAX_HELD_BYTES:
            raise NotADump(
                "this is no heap dump of a JVM", why=f"its symbols are more than {_MAX_HELD_BYTES:,} bytes"
            )

    def of(self, class_id: int) -> str:
        """As in java.lang.String and [Ljava.lang.String; and `class 0x…` where the dump names none."""
        symbol = self._symbols.get(self._classes.get(class_id, b"\0"))
        return f"class 0x{class_id:x}" if symbol is None else symbol_text(symbol).replace("/", ".")
