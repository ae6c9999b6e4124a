"""The loops of the compiled scans, in the Python that Numba compiles.

What makes them fast: numbers are loaded from addresses, as one load and one swap of bytes each; no helper gets an
array, for each that is passed on costs a count of references; and the table of classes has one row for each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils

Array: TypeAlias = "np.ndarray[Any, Any]"
Number: TypeAlias = Any  # an int for Python, an int64 for Numba
HASH = np.uint64(0x9E3779B97F4A7C15)
_WORD = ir.IntType(64)

# What state[2] says of why a loop stopped, beside what ends every scan.
UNKNOWN_CLASS, WRONG_SIZE, NOT_THERE = 1, 2, 3


def _load(bits: int) -> Any:
    """Compiled: the big-endian number of so many bits at an address."""

    def load(_typing: Any, address: Any) -> Any:
        def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = builder.load(place, align=1)
            if bits > 8:
                value = builder.bswap(value)
            return value if bits == 64 else builder.zext(value, _WORD)

        return (numba.types.uint64 if bits == 64 else numba.types.int64)(address), code

    return numba.extending.intrinsic(load)


def _clear(_typing: Any, address: Any, size: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        memset: Any = cgutils.memset
        memset(builder, place, arguments[1], 0)
        return context.get_dummy_value()

    return numba.types.void(address, size), code


_u1, _u4, _u8 = _load(8), _load(32), _load(64)
_zero: Any = numba.extending.intrinsic(_clear)


def zero_over(
    data: Array,
    at: Number,
    end: Number,
    limit: Number,
    id_size: int,
    roots: Array,
    widths: Array,
    state: Array,
    by_class: bool,
    table: Array,
    ranges: Array,
) -> Number:
    """As Scan.over. `roots` is by tag; `widths` is by Kind, negative where it is to be zeroed.

    Where `by_class`, fields are zeroed too: a row of `table` has a class's id, 0 where it is free, the size of its
    instances, and the first and behind the last of the rows of `ranges` that say what of them is to be zeroed.
    """
    base = np.int64(data.ctypes.data)
    counted_at = id_size + 5
    head = counted_at + 4 + id_size
    safe = base + (end if end == limit else end - head + 1)
    end += base
    at += base
    last = at
    zeroes = 0
    why = 0
    mask = np.uint64(table.shape[0] - 1)
    while at < safe:
        last = at
        tag = _u1(at)
        if tag == 0x21:
            size = _u4(at + counted_at + id_size)
            content = at + head
            if by_class:
                key = _u8(at + counted_at) if id_size == 8 else np.uint64(_u4(at + counted_at))
                slot = ((key * HASH) >> np.uint64(32)) & mask
                while table[slot, 0] != key and table[slot, 0] != 0:
                    slot = (slot + np.uint64(1)) & mask
                if table[slot, 0] == 0:
                    why = UNKNOWN_CLASS
                    break
                if np.int64(table[slot, 1]) != size:
                    why = WRONG_SIZE
                    break
                if content + size > end:
                    why = NOT_THERE
                    break
                for one in range(np.int64(table[slot, 2]), np.int64(table[slot, 3])):
                    _zero(content + ranges[one, 0], ranges[one, 1])
            zeroes = 0
            at = content + size
        elif tag == 0x23:
            n = at + counted_at
            width = widths[_u1(n + 4)]
            if width == 0:
                break
            content = n + 5
            zeroes = 0
            if width < 0:
                zeroes = 1
                at = content - _u4(n) * width
                _zero(content, max(min(at, end) - content, 0))
            else:
                at = content + _u4(n) * width
        elif tag == 0x22:
            zeroes = 0
            at += head + _u4(at + counted_at) * id_size
        else:
            size = roots[tag]
            if size == 0:
                break
            zeroes = 0
            at += size
    state[0] = last - base
    state[1] = zeroes
    state[2] = why
    return at - base


def count_over(
    data: Array,
    at: Number,
    end: Number,
    limit: Number,
    id_size: int,
    roots: Array,
    widths: Array,
    state: Array,
    table: Array,
    primitives: Array,
) -> Number:
    """As Scan.over. A row of `table` has a class's id, 0 where it is free, how many there are, and their bytes.

    `primitives` has the latter two by Kind. Stops where half of the rows are taken; state[2] counts them.
    """
    base = np.int64(data.ctypes.data)
    counted_at = id_size + 5
    head = counted_at + 4 + id_size
    safe = base + (end if end == limit else end - head + 1)
    at += base
    last = at
    taken = state[2]
    mask = np.uint64(table.shape[0] - 1)
    most = table.shape[0] // 2
    while at < safe:
        last = at
        tag = _u1(at)
        if tag == 0x21 or tag == 0x22:
            if taken >= most:
                break
            # An instance has class and length, an array length and class.
            c = at + counted_at
            if tag == 0x21:
                size = _u4(c + id_size)
            else:
                size = _u4(c) * id_size
                c += 4
            key = _u8(c) if id_size == 8 else np.uint64(_u4(c))
            at += head + size
            if key == 0:
                primitives[0, 0] += 1
                primitives[0, 1] += size
            else:
                slot = ((key * HASH) >> np.uint64(32)) & mask
                while table[slot, 0] != key:
                    if table[slot, 0] == 0:
                        table[slot, 0] = key
                        taken += 1
                        break
                    slot = (slot + np.uint64(1)) & mask
                table[slot, 1] += np.uint64(1)
                table[slot, 2] += np.uint64(size)
        elif tag == 0x23:
            n = at + counted_at
            kind = _u1(n + 4)
            width = widths[kind]
            if width == 0:
                break
            size = width * _u4(n)
            primitives[kind, 0] += 1
            primitives[kind, 1] += size
            at = n + 5 + size
        else:
            step = roots[tag]
            if step == 0:
                break
            at += step
    state[0] = last - base
    state[2] = taken
    return at - base


@cache
def compiled(loop: Callable[..., int]) -> Callable[..., int]:
    """Ready to be called; the first compilation ever takes some seconds and is kept on the disk.

    Other threads run meanwhile: those of the pump, which sum and compress.
    """
    function: Callable[..., int] = numba.njit(cache=True, nogil=True)(loop)
    return function
