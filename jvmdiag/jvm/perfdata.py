"""The JVM's performance data file (hsperfdata, format 2.0), read without attaching. Pure.

Source: HotSpot's perfMemory.hpp. A 32-byte prologue, then entries of a 20-byte header, a name and a value.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from jvmdiag.model import Heap

_MAGIC = b"\xca\xfe\xc0\xc0"
_PROLOGUE = "4xBBBBiiqii"
_ENTRY = "iiiBBBBi"
Counters = Mapping[str, int | str]


def parse_perfdata(data: bytes) -> dict[str, int | str]:
    """Counter name to value: longs as int, strings as str. Empty where `data` is no such file.

    A counter that is damaged or cut ends the walk: what was read before it is returned.
    """
    if len(data) < 32 or data[:4] != _MAGIC:
        return {}
    order = "<" if data[4] == 1 else ">"
    _order, major, _minor, _ready, _used, _overflow, _stamp, at, count = struct.unpack_from(
        order + _PROLOGUE, data
    )
    if major != 2:
        return {}
    counters: dict[str, int | str] = {}
    header = struct.Struct(order + _ENTRY)
    for _ in range(count):
        if at < 0 or at + header.size > len(data):
            break
        length, name_at, vector, kind, _flags, _units, _variability, value_at = header.unpack_from(data, at)
        if length < header.size or at + length > len(data):
            break
        if not (0 <= name_at <= length and 0 <= value_at <= length):
            break
        name = _text(data[at + name_at : at + length])
        if kind == ord("J") and vector == 0 and at + value_at + 8 <= len(data):
            counters[name] = struct.unpack_from(order + "q", data, at + value_at)[0]
        elif kind == ord("B"):
            counters[name] = _text(data[at + value_at : at + value_at + vector])
        at += length
    return counters


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def heap_of(counters: Counters) -> Heap | None:
    """Used, committed and max bytes summed over the collector's spaces; None where there are none.

    G1 refreshes `used` only at a collection, so it may lag behind by one young generation.
    """
    used = committed = highest = 0
    found = False
    for generation in range(4):
        prefix = f"sun.gc.generation.{generation}."
        if prefix + "capacity" not in counters:
            continue
        found = True
        committed += _number(counters, prefix + "capacity")
        highest += _number(counters, prefix + "maxCapacity")
        for space in range(8):
            used += _number(counters, f"{prefix}space.{space}.used")
    if not found:
        return None
    if _share_one_maximum(counters):
        highest = max(_number(counters, f"sun.gc.generation.{g}.maxCapacity") for g in range(4))
    return Heap(used, committed, highest or None)


# The beginnings of the names of collector 0, or where there is none of collector 2 (Z of 17 and 21).
_COLLECTORS = (
    ("G1 ", "G1"),
    ("ZGC ", "Z"),
    ("Z ", "Z"),
    ("Parallel ", "Parallel"),
    ("PS", "Parallel"),
    ("Serial ", "Serial"),
    ("Copy", "Serial"),
    ("Shenandoah", "Shenandoah"),
)


def collector_of(counters: Counters) -> str | None:
    """G1, Parallel, Serial, Z or Shenandoah, the word of -XX:+Use…GC; None where the file names none."""
    names = [str(counters.get(f"sun.gc.collector.{n}.name", "")) for n in range(3)]
    found = (short for name in names for start, short in _COLLECTORS if name.startswith(start))
    return next(found, None)


def _share_one_maximum(counters: Counters) -> bool:
    # With G1 and generational Z each generation may grow to the whole heap: their sum is no maximum.
    names = (str(counters.get(f"sun.gc.collector.{n}.name", "")) for n in range(3))
    return any(name.startswith(("G1 ", "ZGC ")) for name in names)


def _number(counters: Counters, name: str) -> int:
    value = counters.get(name, 0)
    return value if isinstance(value, int) else 0
