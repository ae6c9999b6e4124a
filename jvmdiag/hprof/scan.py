"""Going over the plain sub-records of a heap segment, at the speed of a tight loop: one interface, and its
pure-Python implementations, which every other is measured by.

The loops are written out, each for what it does: a call for each object would take longer than all the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY, Kind, Layout, layout_of

MAX_CLASSES = 1 << 22
"""More than any JVM has; what counts by class gives up there."""
_UNSUMMED = 1 << 20


class Scan(Protocol):
    """Goes over roots, instances and arrays, and leaves everything else to whoever calls."""

    last: int
    """Where in `data` the last sub-record began that was looked at."""
    zeroes: bool
    """Whether what the last sub-record still has to come is to be zeroed."""
    fault: str
    """What is wrong with the sub-record where it stopped, as a noun, or empty."""

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


class PythonTally:
    """Counts two to four million objects a second."""

    def __init__(self, most_classes: int = MAX_CLASSES) -> None:
        self._most_classes = most_classes
        self.last = 0
        self.zeroes = False
        self.fault = ""
        self._layout = layout_of(8)
        # By class and size: that is what one unpacking gives, and summing up is for the end.
        self._instances: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._arrays: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._primitives: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._by_class: dict[int, tuple[int, int]] = {}
        self._by_kind: dict[Kind, tuple[int, int]] = {}

    def begin(self, layout: Layout) -> None:
        self._layout = layout

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        layout = self._layout
        head, primitive_head, counted_at = layout.head, layout.primitive_head, layout.counted_at
        instance, id_size = layout.instance.unpack_from, layout.id_size
        array, primitive = layout.object_array.unpack_from, layout.primitive_array.unpack_from
        instances, arrays, primitives = self._instances, self._arrays, self._primitives
        roots, widths = layout.roots, layout.element_widths
        # Behind the end of a segment something can be read too: it leads beyond `limit`, which is seen there.
        safe = end if end == limit else end - head + 1
        last = at
        while at < safe:
            last = at
            tag = data[at]
            if tag == INSTANCE_DUMP:
                pair = instance(data, at + counted_at)
                instances[pair] += 1
                at += head + pair[1]
            elif tag == PRIMITIVE_ARRAY:
                pair = primitive(data, at + counted_at)
                width = widths[pair[1]]
                if not width:
                    break
                primitives[pair] += 1
                at += primitive_head + pair[0] * width
            elif tag == OBJECT_ARRAY:
                pair = array(data, at + counted_at)
                arrays[pair] += 1
                at += head + pair[0] * id_size
            elif size := roots[tag]:
                at += size
            else:
                break
        self.last = last
        if len(instances) + len(arrays) + len(primitives) > _UNSUMMED:
            self._sum_up()
        return at

    def counts(self) -> Counts:
        self._sum_up()
        return Counts(self._by_class, self._by_kind)

    def _sum_up(self) -> None:
        """What was counted by class and size, by class alone: there are more sizes than classes."""
        for (class_id, size), count in self._instances.items():
            add(self._by_class, class_id, count, count * size)
        for (length, class_id), count in self._arrays.items():
            add(self._by_class, class_id, count, count * length * self._layout.id_size)
        for (length, kind), count in self._primitives.items():
            add(self._by_kind, Kind(kind), count, count * length * self._layout.element_widths[kind])
        for counted in (self._instances, self._arrays, self._primitives):
            counted.clear()
        if len(self._by_class) > self._most_classes:
            raise too_many_classes(self._most_classes)


class PythonZeroing:
    """Zeroes the content of primitive arrays of some kinds, as fast."""

    def __init__(self, kinds: frozenset[Kind]) -> None:
        self.last = 0
        self.zeroes = False
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
        instance, array = layout.instance.unpack_from, layout.object_array.unpack_from
        primitive, id_size = layout.primitive_array.unpack_from, layout.id_size
        roots, widths, zeroed = layout.roots, layout.element_widths, self._zeroed
        safe = end if end == limit else end - head + 1
        last, zeroes = at, False
        while at < safe:
            last = at
            tag = data[at]
            if tag == INSTANCE_DUMP:
                at += head + instance(data, at + counted_at)[1]
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


Key = TypeVar("Key", int, Kind, str)


def add(sums: dict[Key, tuple[int, int]], key: Key, count: int, size: int) -> None:
    """Add to the pair of `key`."""
    counts, sizes = sums.get(key, (0, 0))
    sums[key] = counts + count, sizes + size
