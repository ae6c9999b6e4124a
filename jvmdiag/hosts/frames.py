"""The multiplexed stream of a Docker Engine: frames of stdout and stderr, taken apart.

A frame is an 8-byte header (kind, three zeros, big-endian size) and its payload. The engine writes
frames of 10 to 32 KiB, so a large read holds many: they are joined before they are handed on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

STDOUT, STDERR = 1, 2
_HEADER = struct.Struct(">BxxxL")


class Demultiplexer:
    """Takes bytes cut anywhere; gives stdout back and hands stderr to `complain`."""

    def __init__(self, complain: Callable[[memoryview], None]) -> None:
        self._complain = complain
        self._kind = 0
        self._left = 0
        self._header = b""

    @property
    def between_frames(self) -> bool:
        """Whether the stream may end here: false inside a frame or a header."""
        return self._left == 0 and not self._header

    def feed(self, data: bytes) -> bytes:
        """The stdout payload in `data`. Raises ValueError where it is not such a stream."""
        out: list[memoryview] = []
        view, at = memoryview(data), 0
        while at < len(view):
            if self._left == 0:
                at = self._take_header(view, at)
                continue
            payload = view[at : at + self._left]
            at += len(payload)
            self._left -= len(payload)
            if self._kind == STDERR:
                self._complain(payload)
            else:
                out.append(payload)
        return b"".join(out)

    def _take_header(self, view: memoryview, at: int) -> int:
        missing = _HEADER.size - len(self._header)
        self._header += bytes(view[at : at + missing])
        if len(self._header) == _HEADER.size:
            self._kind, self._left = _HEADER.unpack(self._header)
            if self._kind not in (0, STDOUT, STDERR):
                raise ValueError(f"not a frame of the engine: {self._header!r}")
            self._header = b""
        return at + missing
