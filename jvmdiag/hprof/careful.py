"""The zeroing that looks at classes and texts, in pure Python."""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.hprof.fields import FieldPlaces, Ranges
from jvmdiag.hprof.layout import INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY, Kind, Layout, layout_of
from jvmdiag.hprof.rules import KEPT_BYTES, TEXT_KINDS
from jvmdiag.hprof.scan import MOST_ARE_SHORTER, ZEROS, zero

Keeps = Callable[[Kind, bytes], bool]
"""Whether a text array of that content stays; asked of those of up to KEPT_BYTES."""


class CarefulZeroing:
    """Zeroes primitive arrays of some kinds but those that `keeps` wants, and with `fields` every primitive field,
    static ones too.

    It is a fault then where an instance comes before its class or one above that, or has another size than its fields.
    """

    def __init__(self, kinds: frozenset[Kind], *, fields: bool = True, keeps: Keeps | None = None) -> None:
        self.last = 0
        self.zeroes = False
        self.waits = False
        self.fault = ""
        self._layout = layout_of(8)
        self._zeroed = tuple(number in kinds for number in range(256))
        self._keeps = keeps
        self._places = FieldPlaces() if fields else None
        self._known: dict[int, tuple[int, Ranges]] = {}

    def begin(self, layout: Layout) -> None:
        self._layout = layout
        if self._places:
            self._places.begin(layout)

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        if self._places:
            self._places.class_dump(data, at, offset)

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        layout = self._layout
        head, primitive_head, counted_at = layout.head, layout.primitive_head, layout.counted_at
        instance, array = layout.instance.unpack_from, layout.object_array.unpack_from
        primitive, id_size = layout.primitive_array.unpack_from, layout.id_size
        roots, widths, zeroed, known = layout.roots, layout.element_widths, self._zeroed, self._known
        fields = self._places is not None
        safe = end if end == limit else end - head + 1
        last, zeroes, waits = at, False, False
        while at < safe:
            last = at
            tag = data[at]
            if tag == INSTANCE_DUMP:
                class_id, size = instance(data, at + counted_at)
                content = at + head
                if fields:
                    expected, ranges = known.get(class_id) or self._learn(class_id)
                    if size != expected:
                        self._misfit(data, at)
                        break
                    if content + size > end:
                        waits = True
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
                behind = content + length * width
                zeroes = zeroed[kind]
                if zeroes and length:
                    if self._keeps and kind in TEXT_KINDS and behind - content <= KEPT_BYTES:
                        if behind > end:
                            waits = True
                            break
                        zeroes = not self._keeps(kind, bytes(data[content:behind]))
                    if zeroes and length < MOST_ARE_SHORTER and behind <= end:
                        data[content:behind] = ZEROS[behind - content]
                    elif zeroes:
                        zero(data, content, behind, end)
                at = behind
            elif tag == OBJECT_ARRAY:
                at += head + array(data, at + counted_at)[0] * id_size
                zeroes = False
            elif step := roots[tag]:
                at += step
                zeroes = False
            else:
                break
        self.last, self.zeroes, self.waits = last, zeroes, waits
        return at

    def _learn(self, class_id: int) -> tuple[int, Ranges]:
        assert self._places
        size, ranges, self.fault = self._places.of(class_id)
        if self.fault:
            return -1, ()
        self._known[class_id] = size, ranges
        return size, ranges

    def _misfit(self, data: bytearray, at: int) -> None:
        assert self._places
        self.fault = self.fault or self._places.wrong_size(data, at)
