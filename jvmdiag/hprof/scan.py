"""Going over the plain sub-records of a heap segment, at the speed of a tight loop: one interface, and its
pure-Python implementations, which every other is measured by.

The loops are written out, each for what it does: a call for each object would take longer than all the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY, Kind, Layout, layout_of

MAX_CLASSES = 1 << 22
"""More than any JVM has; what counts by class gives up there."""
_UNSUMMED = 1 << 20
_U4 = struct.Struct(">I")
# Zeros that are there already are put in place twice as fast as new ones.
MOST_ARE_SHORTER = 256
ZEROS = [bytearray(size) for size in range(8 * MOST_ARE_SHORTER)]


class Scan(Protocol):
    """Goes over roots, instances and arrays, and leaves everything else to whoever calls."""

    last: int
    """Where in `data` the last sub-record began that was looked at."""
    zeroes: bool
    """Whether what the last sub-record still has to come is to be zeroed."""
    fault: str
    """What is wrong with the sub-record where it stopped, as a noun, or empty."""
    waits: bool
    """Whether the sub-record where it stopped is to be there whole."""

    def begin(self, layout: Layout) -> None:
        """Called once, before anything else."""

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        """Go over `data`, where a sub-record begins at `at`, and return the place of the first byte not gone over.

        The segment ends at `limit`, what is there of it at `end`, and at least 32 more bytes can be read. The result
        may be behind `end`: that much of the last content is still to come. Where it is behind `limit` the file is
        damaged. Else it stands at a sub-record whose head is cut, or which is no plain one.
        """

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        """A whole CLASS_DUMP begins at `at`, which is at `offset` of the file."""


@dataclass(frozen=True, slots=True)
class Counts:
    """By class id, and by Kind for primitive arrays: how many there are, and the bytes of their contents."""

    classes: Mapping[int, tuple[int, int]]
    primitives: Mapping[Kind, tuple[int, int]]


class Tally(Scan, Protocol):
    """Counts what it goes over."""

    def counts(self) -> Counts:
        """Of all that was gone over so far."""


def too_many_classes(most: int) -> NotADump:
    """Nobody has more than `most` classes: they are not counted, for that takes memory."""
    return NotADump("this is no heap dump of a JVM", why=f"its objects have more than {most:,} classes")


class _Cells(dict[bytes, list[int]]):
    """By the bytes that say class and length of an object: how many had them, and how far it is to the next.

    One look-up of bytes, which are hashed once, is half of what two of pairs of numbers cost.
    """

    def __init__(self, step: Callable[[bytes], int]) -> None:
        self._step = step

    def __missing__(self, key: bytes) -> list[int]:
        cell = self[key] = [0, self._step(key)]
        return cell


class PythonTally:
    """Counts three to four million objects a second."""

    def __init__(self, most_classes: int = MAX_CLASSES) -> None:
        self._most_classes = most_classes
        self.last = 0
        self.zeroes = False
        self.waits = False
        self.fault = ""
        self._by_class: dict[int, tuple[int, int]] = {}
        self._by_kind: dict[Kind, tuple[int, int]] = {}
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        self._layout = layout
        head, primitive_head, id_size, widths = (
            *(layout.head, layout.primitive_head, layout.id_size),
            layout.element_widths,
        )
        self._instances = _Cells(lambda key: head + _number(key[-4:]))
        self._arrays = _Cells(lambda key: head + _number(key[:4]) * id_size)
        # No step where there is no such type.
        self._primitives = _Cells(
            lambda key: widths[key[4]] and primitive_head + _number(key[:4]) * widths[key[4]]
        )

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        layout, base = self._layout, at
        counted_at, head, primitive_head = layout.counted_at, layout.head, layout.primitive_head
        instances, arrays, primitives = self._instances, self._arrays, self._primitives
        roots = layout.roots
        # Of bytes a slice can be a key; the copy takes a hundredth of the loop.
        held = bytes(memoryview(data)[base : end + head])
        # Behind the end of a segment something can be read too: it leads beyond `limit`, which is seen there.
        safe = (end if end == limit else end - head + 1) - base
        last = at = 0
        while at < safe:
            last = at
            tag = held[at]
            if tag == INSTANCE_DUMP:
                cell = instances[held[at + counted_at : at + head]]
                cell[0] += 1
                at += cell[1]
            elif tag == PRIMITIVE_ARRAY:
                cell = primitives[held[at + counted_at : at + primitive_head]]
                if not cell[1]:
                    break
                cell[0] += 1
                at += cell[1]
            elif tag == OBJECT_ARRAY:
                cell = arrays[held[at + counted_at : at + head]]
                cell[0] += 1
                at += cell[1]
            elif size := roots[tag]:
                at += size
            else:
                break
        self.last = last + base
        if len(instances) + len(arrays) + len(primitives) > _UNSUMMED:
            self._sum_up()
        return at + base

    def counts(self) -> Counts:
        self._sum_up()
        return Counts(self._by_class, self._by_kind)

    def _sum_up(self) -> None:
        """What was counted by class and size, by class alone: there are more sizes than classes."""
        layout = self._layout
        for key, (count, step) in self._instances.items():
            add(self._by_class, _number(key[:-4]), count, count * (step - layout.head))
        for key, (count, step) in self._arrays.items():
            add(self._by_class, _number(key[4:]), count, count * (step - layout.head))
        for key, (count, step) in self._primitives.items():
            if count:
                add(self._by_kind, Kind(key[4]), count, count * (step - layout.primitive_head))
        for counted in (self._instances, self._arrays, self._primitives):
            counted.clear()
        if len(self._by_class) > self._most_classes:
            raise too_many_classes(self._most_classes)


class PythonZeroing:
    """Zeroes the content of primitive arrays of some kinds: four to five million objects a second."""

    def __init__(self, kinds: frozenset[Kind]) -> None:
        self.last = 0
        self.zeroes = False
        self.waits = False
        self.fault = ""
        self._layout = layout_of(8)
        self._zeroed = tuple(number in kinds for number in range(256))

    def begin(self, layout: Layout) -> None:
        self._layout = layout

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        layout = self._layout
        head, primitive_head, counted_at = layout.head, layout.primitive_head, layout.counted_at
        sized_at, number, array = head - 4, _U4.unpack_from, layout.object_array.unpack_from
        primitive, id_size = layout.primitive_array.unpack_from, layout.id_size
        roots, widths, zeroed, zeros = layout.roots, layout.element_widths, self._zeroed, ZEROS
        safe = end if end == limit else end - head + 1
        last, zeroes = at, False
        while at < safe:
            last = at
            tag = data[at]
            if tag == INSTANCE_DUMP:
                at += head + number(data, at + sized_at)[0]
                zeroes = False
            elif tag == PRIMITIVE_ARRAY:
                length, kind = primitive(data, at + counted_at)
                width = widths[kind]
                if not width:
                    break
                content = at + primitive_head
                at = content + length * width
                zeroes = zeroed[kind]
                if zeroes:
                    if length < MOST_ARE_SHORTER and at <= end:
                        data[content:at] = zeros[length * width]
                    else:
                        zero(data, content, at, end)
            elif tag == OBJECT_ARRAY:
                at += head + array(data, at + counted_at)[0] * id_size
                zeroes = False
            elif size := roots[tag]:
                at += size
                zeroes = False
            else:
                break
        self.last, self.zeroes = last, zeroes
        return at


def zero(data: bytearray, begin: int, end: int, most: int) -> None:
    """Zero what lies between `begin` and `end`, but nothing from `most` on."""
    end = min(end, most)
    if begin < end:
        # Of bytes a bytearray would be made first.
        data[begin:end] = bytearray(end - begin)


def _number(key: bytes) -> int:
    return int.from_bytes(key, "big")


Key = TypeVar("Key", int, Kind, str)


def add(sums: dict[Key, tuple[int, int]], key: Key, count: int, size: int) -> None:
    """Add to the pair of `key`."""
    counts, sizes = sums.get(key, (0, 0))
    sums[key] = counts + count, sizes + size
