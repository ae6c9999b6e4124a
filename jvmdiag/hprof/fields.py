"""Zeroing that knows where the primitive fields are, by the classes that came before."""

from __future__ import annotations

from jvmdiag.hprof.layout import INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY, Kind, Layout, layout_of
from jvmdiag.hprof.parse import parse_class
from jvmdiag.hprof.records import ClassDump, Constant, StaticField
from jvmdiag.hprof.scan import MAX_CLASSES, too_many_classes, zero

# The fields of a class and all above it; a class file has room for 65,535.
_MAX_INSTANCE_BYTES = 1 << 20
# Begin, end, and as many zeros.
_Ranges = tuple[tuple[int, int, bytearray], ...]
_NO_INSTANCE = (-1, ())


class PythonFieldZeroing:
    """Zeroes primitive arrays of some kinds, and every primitive field, static ones too.

    HotSpot writes every class before the first instance. It is a fault where an instance comes before its class
    or one above that, or has another size than its fields.
    """

    def __init__(self, kinds: frozenset[Kind]) -> None:
        self.last = 0
        self.zeroes = False
        self.fault = ""
        self._layout = layout_of(8)
        self._zeroed = tuple(number in kinds for number in range(256))
        self._supers: dict[int, int] = {}
        self._own: dict[int, tuple[int, _Ranges]] = {}  # size, and what is to be zeroed of it
        self._whole: dict[int, tuple[int, _Ranges]] = {}  # with what the classes above have

    def begin(self, layout: Layout) -> None:
        self._layout = layout

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
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

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        layout = self._layout
        head, primitive_head, counted_at = layout.head, layout.primitive_head, layout.counted_at
        instance, array = layout.instance.unpack_from, layout.object_array.unpack_from
        primitive, id_size = layout.primitive_array.unpack_from, layout.id_size
        roots, widths, zeroed, whole = layout.roots, layout.element_widths, self._zeroed, self._whole
        safe = end if end == limit else end - head + 1
        last, zeroes = at, False
        while at < safe:
            last = at
            tag = data[at]
            if tag == INSTANCE_DUMP:
                class_id, size = instance(data, at + counted_at)
                expected, ranges = whole.get(class_id) or self._resolve(class_id)
                content = at + head
                if size != expected:
                    self.fault = (
                        self.fault or f"an instance of {size:,} bytes, whose fields take {expected:,},"
                    )
                    break
                if content + size > end:
                    break
                for begin, stop, zeros in ranges:
                    data[content + begin : content + stop] = zeros
                at = content + size
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
            elif step := roots[tag]:
                at += step
                zeroes = False
            else:
                break
        self.last, self.zeroes = last, zeroes
        return at

    def _resolve(self, class_id: int) -> tuple[int, _Ranges]:
        """Size and ranges of the instances of a class; a fault where they can't be known."""
        unresolved: list[int] = []
        above = class_id
        while above and above not in self._whole:
            if above not in self._own:
                self.fault = f"an instance of class 0x{class_id:x} before class 0x{above:x} is described"
                return _NO_INSTANCE
            unresolved.append(above)
            if len(unresolved) > len(self._own):
                self.fault = f"an instance of class 0x{class_id:x}, which is above itself,"
                return _NO_INSTANCE
            above = self._supers[above]
        size, ranges = self._whole[above] if above else (0, ())
        for one in reversed(unresolved):
            own, own_ranges = self._own[one]
            ranges = own_ranges + tuple((begin + own, end + own, zeros) for begin, end, zeros in ranges)
            size += own
            if size > _MAX_INSTANCE_BYTES:
                self.fault = f"an instance of class 0x{one:x}, whose fields take {size:,} bytes,"
                return _NO_INSTANCE
            self._whole[one] = size, ranges
        return size, ranges

    def _ranges(self, dump: ClassDump) -> tuple[int, _Ranges]:
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
