"""A TCP proxy that delays every byte, as a long line does: no `tc netem` and no root needed.

    python -m tests.real.delay 22 --one-way-ms 25

It can also cut all its connections, or fall silent as a line does that dies without a word.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import threading
import time
from collections import deque
from types import TracebackType

_PIECE_BYTES = 256 << 10
# What a line holds: beyond it the sender waits, as for a full socket.
_HELD_BYTES = 64 << 20


class DelayProxy:
    """Listens on a free port of 127.0.0.1 and hands on to `port`, each way `one_way_s` later."""

    def __init__(self, port: int, one_way_s: float = 0.0, host: str = "127.0.0.1") -> None:
        self._there = (host, port)
        self._one_way_s = one_way_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._there)
                for end in (near, far):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [near, far]
                _Way(near, far, self._one_way_s, self._flowing).start()
                _Way(far, near, self._one_way_s, self._flowing).start()

    def cut(self) -> None:
        """Break every connection, both ends."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Hand on nothing any more, and tell nobody."""
        self._flowing.clear()

    def stop(self) -> None:
        self._flowing.set()
        # Closing a socket does not wake an accept() on Linux; shutting it down does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for end in self._sockets:
            end.close()

    def __enter__(self) -> DelayProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Way:
    """One direction: a thread that reads and stamps, a thread that waits and writes."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, delay_s: float, flowing: threading.Event
    ) -> None:
        self._source, self._sink, self._delay_s, self._flowing = source, sink, delay_s, flowing
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self) -> None:
        piece = b"-"
        while piece:
            try:
                piece = self._source.recv(_PIECE_BYTES)
            except OSError:
                piece = b""
            with self._changed:
                while self._held_bytes > _HELD_BYTES:
                    self._changed.wait()
                self._held.append((time.monotonic() + self._delay_s, piece))
                self._held_bytes += len(piece)
                self._changed.notify_all()

    def _write(self) -> None:
        while True:
            with self._changed:
                while not self._held:
                    self._changed.wait()
                due, piece = self._held.popleft()
                self._held_bytes -= len(piece)
                self._changed.notify_all()
            time.sleep(max(0.0, due - time.monotonic()))
            self._flowing.wait()
            try:
                if not piece:
                    self._sink.shutdown(socket.SHUT_WR)
                    return
                self._sink.sendall(piece)
            except OSError:
                return


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("port", type=int)
    parser.add_argument("--one-way-ms", type=float, default=25.0)
    given = parser.parse_args()
    with DelayProxy(given.port, given.one_way_ms / 1000) as proxy:
        print(proxy.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
