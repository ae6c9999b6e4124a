"""A second reader of HPROF, for the tests alone: instances by class, down to the last sub-record.

Source: the format comment in HotSpot's heapDumper.cpp. Slow and plain on purpose.
"""

from __future__ import annotations

import struct
from collections import Counter

_WIDTHS = {4: 1, 8: 1, 5: 2, 9: 2, 6: 4, 10: 4, 7: 8, 11: 8}


def instances_by_class(data: bytes) -> Counter[str]:
    """Class name to number of instances and arrays of it, as in a class histogram."""
    id_size = struct.unpack_from(">I", data, data.index(b"\0") + 1)[0]
    reader = _Reader(id_size)
    at = data.index(b"\0") + 1 + 12
    while at < len(data):
        tag, _, length = struct.unpack_from(">BII", data, at)
        reader.record(tag, memoryview(data)[at + 9 : at + 9 + length])
        at += 9 + length
    return Counter({reader.names[one]: count for one, count in reader.counts.items()}) + reader.arrays


class _Reader:
    def __init__(self, id_size: int) -> None:
        self.id_size = id_size
        self.strings: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.counts: Counter[int] = Counter()
        self.arrays: Counter[str] = Counter()

    def id_at(self, body: memoryview, at: int) -> int:
        return int.from_bytes(body[at : at + self.id_size], "big")

    def record(self, tag: int, body: memoryview) -> None:
        if tag == 0x01:
            self.strings[self.id_at(body, 0)] = bytes(body[self.id_size :]).decode("utf-8", "replace")
        elif tag == 0x02:
            name = self.strings[self.id_at(body, 8 + self.id_size)]
            self.names[self.id_at(body, 4)] = name.replace("/", ".")
        elif tag in (0x0C, 0x1C):
            self.segment(body)

    def segment(self, body: memoryview) -> None:
        at = 0
        while at < len(body):
            kind = body[at]
            at = (
                self._object(kind, body, at + 1)
                if kind in (0x20, 0x21, 0x22, 0x23)
                else self._root(kind, at + 1)
            )
        assert at == len(body), "the last sub-record reaches beyond its segment"

    def _root(self, kind: int, at: int) -> int:
        behind = {0xFF: 0, 0x01: self.id_size, 0x02: 8, 0x03: 8, 0x04: 4, 0x05: 0, 0x06: 4, 0x07: 0, 0x08: 8}
        return at + self.id_size + behind[kind]

    def _object(self, kind: int, body: memoryview, at: int) -> int:
        size = self.id_size
        if kind == 0x20:
            return self._class(body, at)
        count = int.from_bytes(body[at + size + 4 : at + size + 8], "big")
        if kind == 0x21:
            self.counts[self.id_at(body, at + size + 4)] += 1
            return at + 2 * size + 8 + int.from_bytes(body[at + 2 * size + 4 : at + 2 * size + 8], "big")
        if kind == 0x22:
            self.counts[self.id_at(body, at + size + 8)] += 1
            return at + 2 * size + 8 + count * size
        width = body[at + size + 8]
        self.arrays["[" + "ZCFDBSIJ"[width - 4]] += 1
        return at + size + 9 + count * _WIDTHS[width]

    def _class(self, body: memoryview, at: int) -> int:
        at += 7 * self.id_size + 8
        pool, at = int.from_bytes(body[at : at + 2], "big"), at + 2
        for _ in range(pool):
            at += 3 + self._width(body[at + 2])
        statics, at = int.from_bytes(body[at : at + 2], "big"), at + 2
        for _ in range(statics):
            at += self.id_size + 1 + self._width(body[at + self.id_size])
        fields, at = int.from_bytes(body[at : at + 2], "big"), at + 2
        return at + fields * (self.id_size + 1)

    def _width(self, kind: int) -> int:
        return self.id_size if kind == 2 else _WIDTHS[kind]
