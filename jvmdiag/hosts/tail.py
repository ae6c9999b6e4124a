"""The last bytes of a command's stderr: enough for a message, bounded whatever it writes."""

from __future__ import annotations

import threading

LIMIT_BYTES = 64 << 10


class Tail:
    """Keeps the last 64 KiB of what is added; safe between a writing and a reading thread."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._lock = threading.Lock()

    def add(self, data: bytes | memoryview) -> None:
        with self._lock:
            self._held += data
            del self._held[:-LIMIT_BYTES]

    @property
    def value(self) -> bytes:
        with self._lock:
            return bytes(self._held)
