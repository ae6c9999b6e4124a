"""Scans that Numba compiles (the extra `fast`): about ten times as fast, after 0.6 s of start-up.

What makes them fast: no helper gets an array, for each that is passed on costs a count of references; so the reading of
numbers is written out. The first compilation ever takes some seconds and is kept on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numba
import numpy as np

from jvmdiag.hprof.layout import Kind, Layout, layout_of
from jvmdiag.hprof.scan import MAX_CLASSES, Counts, too_many_classes

Array: TypeAlias = "np.ndarray[Any, Any]"
Number: TypeAlias = Any  # an int for Python, an int64 for Numba
_SLOTS = 1 << 16
_HASH = np.uint64(0x9E3779B97F4A7C15)


def _zero_over(
    data: Array, at: Number, end: int, limit: int, id_size: int, roots: Array, widths: Array, state: Array
) -> Number:
    """As Scan.over. `roots` is by tag; `widths` is by Kind, negative where it is to be zeroed."""
    counted_at = id_size + 5
    head = counted_at + 4 + id_size
    safe = end if end == limit else end - head + 1
    last = at
    zeroes = 0
    while at < safe:
        last = at
        tag = data[at]
        if tag == 0x21:
            n = at + counted_at + id_size
            zeroes = 0
            at += head + (
                (np.int64(data[n]) << 24)
                | (np.int64(data[n + 1]) << 16)
                | (np.int64(data[n + 2]) << 8)
                | np.int64(data[n + 3])
            )
        elif tag == 0x23 or tag == 0x22:
            n = at + counted_at
            length = (
                (np.int64(data[n]) << 24)
                | (np.int64(data[n + 1]) << 16)
                | (np.int64(data[n + 2]) << 8)
                | np.int64(data[n + 3])
            )
            zeroes = 0
            if tag == 0x22:
                at += head + length * id_size
            else:
                width = widths[data[n + 4]]
                if width == 0:
                    break
                content = n + 5
                if width < 0:
                    zeroes = 1
                    at = content - length * width
                    for k in range(content, min(at, end)):
                        data[k] = 0
                else:
                    at = content + length * width
        else:
            size = roots[tag]
            if size == 0:
                break
            zeroes = 0
            at += size
    state[0] = last
    state[1] = zeroes
    return at


def _count_over(
    data: Array,
    at: Number,
    end: int,
    limit: int,
    id_size: int,
    roots: Array,
    widths: Array,
    state: Array,
    keys: Array,
    counts: Array,
    primitives: Array,
) -> Number:
    """As Scan.over. `keys` has class ids, 0 where a slot is free; `counts` beside it how many, and their bytes.

    `primitives` has the same by Kind. Stops where half of the slots are taken; state[2] counts them.
    """
    counted_at = id_size + 5
    head = counted_at + 4 + id_size
    safe = end if end == limit else end - head + 1
    last = at
    taken = state[2]
    mask = np.uint64(keys.shape[0] - 1)
    most = keys.shape[0] // 2
    while at < safe:
        last = at
        tag = data[at]
        if tag == 0x21 or tag == 0x22:
            if taken >= most:
                break
            # An instance has class and length, an array length and class.
            c = at + counted_at
            n = c + id_size
            if tag == 0x22:
                n = c
                c += 4
            size = (
                (np.int64(data[n]) << 24)
                | (np.int64(data[n + 1]) << 16)
                | (np.int64(data[n + 2]) << 8)
                | np.int64(data[n + 3])
            )
            key = (
                (np.uint64(data[c]) << np.uint64(24))
                | (np.uint64(data[c + 1]) << np.uint64(16))
                | (np.uint64(data[c + 2]) << np.uint64(8))
                | np.uint64(data[c + 3])
            )
            if id_size == 8:
                key = (key << np.uint64(32)) | (
                    (np.uint64(data[c + 4]) << np.uint64(24))
                    | (np.uint64(data[c + 5]) << np.uint64(16))
                    | (np.uint64(data[c + 6]) << np.uint64(8))
                    | np.uint64(data[c + 7])
                )
            if tag == 0x22:
                size *= id_size
            if key == 0:
                primitives[0, 0] += 1
                primitives[0, 1] += size
            else:
                slot = ((key * _HASH) >> np.uint64(32)) & mask
                while keys[slot] != key:
                    if keys[slot] == 0:
                        keys[slot] = key
                        taken += 1
                        break
                    slot = (slot + np.uint64(1)) & mask
                counts[slot, 0] += 1
                counts[slot, 1] += size
            at += head + size
        elif tag == 0x23:
            n = at + counted_at
            kind = data[n + 4]
            width = widths[kind]
            if width == 0:
                break
            size = width * (
                (np.int64(data[n]) << 24)
                | (np.int64(data[n + 1]) << 16)
                | (np.int64(data[n + 2]) << 8)
                | np.int64(data[n + 3])
            )
            primitives[kind, 0] += 1
            primitives[kind, 1] += size
            at = n + 5 + size
        else:
            step = roots[tag]
            if step == 0:
                break
            at += step
    state[0] = last
    state[2] = taken
    return at


@cache
def _compiled(function: Callable[..., int]) -> Callable[..., int]:
    compiled: Callable[..., int] = numba.njit(cache=True)(function)
    return compiled


class KernelZeroing:
    """Zeroes the content of primitive arrays of some kinds."""

    def __init__(self, kinds: frozenset[Kind]) -> None:
        self.last = 0
        self.zeroes = False
        self.fault = ""
        self._kinds = kinds
        self._state = np.zeros(3, np.int64)
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        self._id_size = layout.id_size
        self._roots = np.array(layout.roots, np.int64)
        self._widths = np.array(layout.element_widths, np.int64)
        self._widths[list(self._kinds)] *= -1

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        view = np.frombuffer(data, np.uint8)
        run = _compiled(_zero_over)
        at = run(view, at, end, limit, self._id_size, self._roots, self._widths, self._state)
        self.last, self.zeroes = int(self._state[0]), bool(self._state[1])
        return at


class KernelTally:
    """Counts."""

    def __init__(self, most_classes: int = MAX_CLASSES) -> None:
        self._most_classes = most_classes
        self.last = 0
        self.zeroes = False
        self.fault = ""
        self._state = np.zeros(3, np.int64)
        self._keys = np.zeros(_SLOTS, np.uint64)
        self._counts = np.zeros((_SLOTS, 2), np.int64)
        self._primitives = np.zeros((256, 2), np.int64)
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        self._id_size = layout.id_size
        self._roots = np.array(layout.roots, np.int64)
        self._widths = np.array(layout.element_widths, np.int64)

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        view = np.frombuffer(data, np.uint8)
        run = _compiled(_count_over)
        while True:
            at = run(
                *(view, at, end, limit, self._id_size, self._roots, self._widths, self._state),
                *(self._keys, self._counts, self._primitives),
            )
            if self._state[2] < len(self._keys) // 2:
                break
            self._grow()
        self.last = int(self._state[0])
        return at

    def _grow(self) -> None:
        """Twice as many slots, each class in its new one."""
        if len(self._keys) >= 2 * self._most_classes:
            raise too_many_classes(self._most_classes)
        taken = np.flatnonzero(self._keys)
        keys, counts = self._keys[taken], self._counts[taken]
        size = 2 * len(self._keys)
        self._keys, self._counts = np.zeros(size, np.uint64), np.zeros((size, 2), np.int64)
        for key, count in zip(keys.tolist(), counts, strict=True):
            slot = (key * int(_HASH) & 0xFFFFFFFFFFFFFFFF) >> 32 & (size - 1)
            while self._keys[slot]:
                slot = (slot + 1) & (size - 1)
            self._keys[slot], self._counts[slot] = key, count

    def counts(self) -> Counts:
        taken = np.flatnonzero(self._keys)
        rows = zip(self._keys[taken].tolist(), self._counts[taken].tolist(), strict=True)
        classes = {key: (count[0], count[1]) for key, count in rows}
        primitives = {kind: self._primitives[kind].tolist() for kind in Kind}
        if self._primitives[0, 0]:
            classes[0] = (int(self._primitives[0, 0]), int(self._primitives[0, 1]))
        return Counts(classes, {kind: (c[0], c[1]) for kind, c in primitives.items() if c[0]})
