"""Where the primitive fields of instances are, by the classes that came before."""

from __future__ import annotations

from jvmdiag.hprof.layout import Kind, Layout, layout_of
from jvmdiag.hprof.parse import parse_class
from jvmdiag.hprof.records import ClassDump, Constant, StaticField
from jvmdiag.hprof.scan import MAX_CLASSES, too_many_classes, zero

# The fields of a class and all above it; a class file has room for 65,535.
_MAX_INSTANCE_BYTES = 1 << 20
Ranges = tuple[tuple[int, int, bytearray], ...]
"""Begin, end, and as many zeros."""


class FieldPlaces:
    """The layout of instances, from CLASS_DUMPs, whose own primitive values it zeroes: statics and constants.

    HotSpot writes every class before the first instance.
    """

    def __init__(self) -> None:
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        """Called once, before anything else."""
        self._layout = layout
        self._supers: dict[int, int] = {}
        self._own: dict[int, tuple[int, Ranges]] = {}  # size, and what is to be zeroed of it
        self._whole: dict[int, tuple[int, Ranges]] = {0: (0, ())}  # with what the classes above have

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        """A whole CLASS_DUMP begins at `at`, which is at `offset` of the file."""
        dump = parse_class(data, at, self._layout.id_size, offset)
        values: list[Constant | StaticField] = [*dump.constants, *dump.statics]
        for value in values:
            if value.kind is not Kind.OBJECT:
                begin = at + value.value_offset - offset
                zero(data, begin, begin + len(value.value), len(data))
        self._supers[dump.class_id] = dump.super_id
        self._own[dump.class_id] = self._ranges(dump)
        if len(self._own) > MAX_CLASSES:
            raise too_many_classes(MAX_CLASSES)

    def of(self, class_id: int) -> tuple[int, Ranges, str]:
        """Size and ranges of the instances of a class; a fault, as a noun, where they can't be known."""
        unresolved: list[int] = []
        above = class_id
        while above not in self._whole or not unresolved:
            if not above or above not in self._own:
                return 0, (), f"an instance of class 0x{class_id:x} before class 0x{above:x} is described"
            unresolved.append(above)
            if len(unresolved) > len(self._own):
                return 0, (), f"an instance of class 0x{class_id:x}, which is above itself,"
            above = self._supers[above]
        size, ranges = self._whole[above]
        for one in reversed(unresolved):
            own, own_ranges = self._own[one]
            ranges = own_ranges + tuple((begin + own, end + own, zeros) for begin, end, zeros in ranges)
            size += own
            if size > _MAX_INSTANCE_BYTES:
                return 0, (), f"an instance of class 0x{one:x}, whose fields take {size:,} bytes,"
            self._whole[one] = size, ranges
        return size, ranges, ""

    def wrong_size(self, data: bytearray, at: int) -> str:
        """The fault of the instance at `at`, whose size is not that of its class."""
        class_id, size = self._layout.instance.unpack_from(data, at + self._layout.counted_at)
        return f"an instance of {size:,} bytes, whose fields take {self._whole[class_id][0]:,},"

    def _ranges(self, dump: ClassDump) -> tuple[int, Ranges]:
        """The size of a class's own fields, and where among them primitive ones are, neighbours as one range."""
        at = 0
        ranges: list[tuple[int, int]] = []
        for field in dump.fields:
            end = at + self._layout.widths[field.kind]
            if field.kind is not Kind.OBJECT:
                begin = ranges.pop()[0] if ranges and ranges[-1][1] == at else at
                ranges.append((begin, end))
            at = end
        return at, tuple((begin, end, bytearray(end - begin)) for begin, end in ranges)
