"""How HPROF lays out what a heap segment holds, for ids of 4 and of 8 bytes, and the errors of who reads it.

Format: the HPROF 1.0.2 description in HotSpot's services/heapDumper.cpp. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from jvmdiag.errors import DumpIncomplete, NotADump


class RootKind(IntEnum):
    """Why the collector holds on to an object: the sub-records that are roots."""

    UNKNOWN = 0xFF
    JNI_GLOBAL = 0x01
    JNI_LOCAL = 0x02
    JAVA_FRAME = 0x03
    NATIVE_STACK = 0x04
    STICKY_CLASS = 0x05
    THREAD_BLOCK = 0x06
    MONITOR_USED = 0x07
    THREAD_OBJECT = 0x08


class Kind(IntEnum):
    """The type of a field or of an array's elements."""

    OBJECT = 2
    BOOLEAN = 4
    CHAR = 5
    FLOAT = 6
    DOUBLE = 7
    BYTE = 8
    SHORT = 9
    INT = 10
    LONG = 11


CLASS_DUMP = 0x20
INSTANCE_DUMP = 0x21
OBJECT_ARRAY = 0x22
PRIMITIVE_ARRAY = 0x23
# HPROF_HEAP_DUMP_INFO, the further roots and the arrays without content of Android's hprof.cc.
ANDROID = frozenset({0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x90, 0xC3, 0xFE})
PRIMITIVE_WIDTHS: dict[Kind, int] = {
    Kind.BOOLEAN: 1,
    Kind.CHAR: 2,
    Kind.FLOAT: 4,
    Kind.DOUBLE: 8,
    Kind.BYTE: 1,
    Kind.SHORT: 2,
    Kind.INT: 4,
    Kind.LONG: 8,
}
_U2 = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes and places in bytes. `head` counts from the tag to where the content begins.

    `roots` is by tag and `element_widths`, `widths` (with references) by Kind: what does not exist is 0.
    `counted_at` is where, in instances and arrays, that stands which the three structs read: class and length
    of an instance, length and class of an object array, length and Kind of a primitive one.
    """

    id_size: int
    roots: tuple[int, ...]
    element_widths: tuple[int, ...]
    widths: tuple[int, ...]
    counted_at: int
    instance: struct.Struct
    object_array: struct.Struct
    primitive_array: struct.Struct

    @property
    def head(self) -> int:
        """Of an instance and of an object array; no head of any other but a class is longer."""
        return self.counted_at + 4 + self.id_size

    @property
    def primitive_head(self) -> int:
        return self.counted_at + 5

    @property
    def class_head(self) -> int:
        """Of a class, up to the number of its constants."""
        return 9 + 7 * self.id_size


@cache
def layout_of(id_size: int) -> Layout:
    """The layout for ids of 4 or 8 bytes."""
    roots, elements = [0] * 256, [0] * 256
    one_id = 1 + id_size
    for kind, behind in {
        RootKind.UNKNOWN: 0,
        RootKind.JNI_GLOBAL: id_size,
        RootKind.JNI_LOCAL: 8,
        RootKind.JAVA_FRAME: 8,
        RootKind.NATIVE_STACK: 4,
        RootKind.STICKY_CLASS: 0,
        RootKind.THREAD_BLOCK: 4,
        RootKind.MONITOR_USED: 0,
        RootKind.THREAD_OBJECT: 8,
    }.items():
        roots[kind] = one_id + behind
    for primitive, width in PRIMITIVE_WIDTHS.items():
        elements[primitive] = width
    widths = elements.copy()
    widths[Kind.OBJECT] = id_size
    letter = "Q" if id_size == 8 else "I"
    return Layout(
        id_size=id_size,
        roots=tuple(roots),
        element_widths=tuple(elements),
        widths=tuple(widths),
        counted_at=one_id + 4,
        instance=struct.Struct(f">{letter}I"),
        object_array=struct.Struct(f">I{letter}"),
        primitive_array=struct.Struct(">IB"),
    )


def class_size(data: bytes | bytearray, at: int, have: int, layout: Layout, offset: int) -> int:
    """The size of the CLASS_DUMP at `at`, of which `have` bytes are there: exact where it is not more than
    those, else it is at least that. `offset` is that of the dump in the file. Raises NotADump.
    """
    size = layout.class_head + 2
    # A constant: index, Kind, value. A static field: name, Kind, value.
    for before in (2, layout.id_size):
        if size > have:
            return size
        for _ in range(_U2.unpack_from(data, at + size - 2)[0]):
            size += before + 1
            if size > have:
                return size
            width = layout.widths[data[at + size - 1]]
            if not width:
                raise wrong(offset + size - 1, f"a field of type {data[at + size - 1]}, which does not exist")
            size += width
        size += 2
    if size > have:
        return size
    fields: int = _U2.unpack_from(data, at + size - 2)[0]
    return size + fields * (layout.id_size + 1)


def wrong(offset: int, what: str) -> NotADump:
    """What stands at `offset` can't be there."""
    return NotADump(
        "this is no heap dump of a JVM, or it is damaged",
        why=f"{what}, at offset {offset:,}",
        advice="copy it again from where it came from, or take the dump again",
    )


def wrong_tag(offset: int, tag: int) -> NotADump:
    """No sub-record of a JVM's heap dump begins with `tag`."""
    if tag in ANDROID:
        return NotADump(
            "this is a heap dump of Android's, which has records that no JVM writes",
            why=f"0x{tag:02x} at offset {offset:,}",
            advice="hprof-conv of the Android SDK makes the common form of it",
        )
    return wrong(offset, f"no sub-record begins with 0x{tag:02x}, which stands")


def cut(offset: int, what: str) -> DumpIncomplete:
    """The file ends at `offset`, in the middle of `what`."""
    return DumpIncomplete(
        "the heap dump is not whole",
        why=f"the file ends at offset {offset:,}, within {what}",
        advice="copy it again from where it came from, or take the dump again",
    )
