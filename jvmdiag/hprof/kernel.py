"""Scans whose loops Numba compiles (the extra `fast`): more than ten times as fast, after 0.6 s of start-up."""

from __future__ import annotations

import numpy as np

from jvmdiag.hprof.fields import FieldPlaces
from jvmdiag.hprof.layout import Kind, Layout, layout_of
from jvmdiag.hprof.loops import (
    HASH,
    NOT_THERE,
    UNKNOWN_CLASS,
    WRONG_SIZE,
    Array,
    compiled,
    count_over,
    zero_over,
)
from jvmdiag.hprof.scan import MAX_CLASSES, Counts, too_many_classes

# A few pages: what is in use of it stays in the core's own cache.
_ROWS = 1 << 12
_U8_MASK = 0xFFFFFFFFFFFFFFFF


class _Kernel:
    """What all have: the layout as arrays, and the buffer that is scanned again and again.

    Each is compiled, or loaded, when it is made and not when the first bytes wait for it.
    """

    def __init__(self) -> None:
        self.last = 0
        self.zeroes = False
        self.waits = False
        self.fault = ""
        self._state = np.zeros(3, np.int64)
        self._data = bytearray()
        self._bytes: Array = np.zeros(0, np.uint8)
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        self._layout = layout
        self._roots = np.array(layout.roots, np.int64)
        self._widths = np.array(layout.element_widths, np.int64)

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def _array_of(self, data: bytearray) -> Array:
        if self._data is not data:
            self._data, self._bytes = data, np.frombuffer(data, np.uint8)
        return self._bytes


class KernelZeroing(_Kernel):
    """Zeroes the content of primitive arrays of some kinds; with `fields` as PythonFieldZeroing."""

    def __init__(self, kinds: frozenset[Kind], *, fields: bool = False) -> None:
        self._kinds = kinds
        self._places = FieldPlaces() if fields else None
        self._taken = 0
        self._table = np.zeros((_ROWS, 4), np.uint64)
        self._ranges = np.zeros((_ROWS, 2), np.int64)
        self._ranged = 0
        super().__init__()
        self.over(bytearray(1), 0, 0, 0)

    def begin(self, layout: Layout) -> None:
        super().begin(layout)
        self._widths[list(self._kinds)] *= -1
        if self._places:
            self._places.begin(layout)

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        if self._places:
            self._places.class_dump(data, at, offset)

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        run, by_class, state = compiled(zero_over), self._places is not None, self._state
        while True:
            at = run(
                *(self._array_of(data), at, end, limit, self._layout.id_size, self._roots, self._widths),
                *(state, by_class, self._table, self._ranges),
            )
            if state[2] != UNKNOWN_CLASS or not self._learn(data, at):
                break
        self.last, self.zeroes, self.waits = int(state[0]), bool(state[1]), state[2] == NOT_THERE
        if state[2] == WRONG_SIZE and self._places:
            self.fault = self._places.wrong_size(data, at)
        return at

    def _learn(self, data: bytearray, at: int) -> bool:
        """Put the class of the instance at `at` into the table; False where that can't be known."""
        assert self._places is not None
        class_id = self._layout.instance.unpack_from(data, at + self._layout.counted_at)[0]
        size, ranges, self.fault = self._places.of(class_id)
        if self.fault:
            return False
        first = self._ranged
        while first + len(ranges) > len(self._ranges):
            self._ranges = np.concatenate([self._ranges, np.zeros_like(self._ranges)])
        for begin, end, _zeros in ranges:
            self._ranges[self._ranged] = begin, end - begin
            self._ranged += 1
        if 2 * self._taken >= len(self._table):
            self._table = _grown(self._table)
        self._table[_free(self._table, class_id)] = class_id, size, first, self._ranged
        self._taken += 1
        return True


class KernelTally(_Kernel):
    """Counts."""

    def __init__(self, most_classes: int = MAX_CLASSES) -> None:
        self._most_classes = most_classes
        self._table = np.zeros((_ROWS, 4), np.uint64)
        self._primitives = np.zeros((256, 2), np.int64)
        super().__init__()
        self.over(bytearray(1), 0, 0, 0)

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        run = compiled(count_over)
        while True:
            at = run(
                *(self._array_of(data), at, end, limit, self._layout.id_size, self._roots, self._widths),
                *(self._state, self._table, self._primitives),
            )
            if self._state[2] < len(self._table) // 2:
                break
            if len(self._table) >= 2 * self._most_classes:
                raise too_many_classes(self._most_classes)
            self._table = _grown(self._table)
        self.last = int(self._state[0])
        return at

    def counts(self) -> Counts:
        rows = self._table[np.flatnonzero(self._table[:, 0])].tolist()
        classes = {row[0]: (row[1], row[2]) for row in rows}
        primitives = {kind: self._primitives[kind].tolist() for kind in Kind}
        if self._primitives[0, 0]:
            classes[0] = (int(self._primitives[0, 0]), int(self._primitives[0, 1]))
        return Counts(classes, {kind: (c[0], c[1]) for kind, c in primitives.items() if c[0]})


def _grown(table: Array) -> Array:
    """Twice as many rows, each class in its new one."""
    grown = np.zeros((2 * len(table), table.shape[1]), table.dtype)
    for row in table[np.flatnonzero(table[:, 0])]:
        grown[_free(grown, int(row[0]))] = row
    return grown


def _free(table: Array, key: int) -> int:
    """The row that the loops look for `key` in, where it is not there yet."""
    row = (key * int(HASH) & _U8_MASK) >> 32 & (len(table) - 1)
    while table[row, 0]:
        row = (row + 1) & (len(table) - 1)
    return row
