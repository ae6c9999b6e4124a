"""A bounded piece of memory between a stream that must not wait and whoever takes what came."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

_MOST_BYTES = 256 << 20
_LEAST_BYTES = 16 << 20
_SHARE = 4


def spool_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """What a spool may hold on this machine: a quarter of the memory that is free, 16 to 256 MiB."""
    try:
        lines = meminfo.read_text().splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return _MOST_BYTES
    return max(_LEAST_BYTES, min(_MOST_BYTES, free // _SHARE))


class Spool:
    """A queue of chunks for one thread that puts and one that takes; `limit_bytes` may be passed by one chunk."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._chunks: deque[bytes] = deque()
        self._bytes = 0
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._changed = threading.Condition()

    def put(self, chunk: bytes) -> None:
        """Waits while it is full. What comes after `close` is dropped at once."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < self._limit or self._closed)
            if not self._closed:
                self._chunks.append(chunk)
                self._bytes += len(chunk)
                self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """No more comes; with an `error` what is held is worth nothing. The first end counts."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody takes any more: what is held goes."""
        with self._changed:
            self._closed = True
            self._chunks.clear()
            self._bytes = 0
            self._changed.notify_all()

    def take(self, timeout_s: float) -> bytes:
        """The next chunk; empty at the end. Raises the error it ended with, and TimeoutError where nothing came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._chunks or self._ended or self._closed, timeout_s):
                raise TimeoutError
            if self._error is not None:
                raise self._error
            if not self._chunks:
                return b""
            chunk = self._chunks.popleft()
            self._bytes -= len(chunk)
            self._changed.notify_all()
            return chunk
