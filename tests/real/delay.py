"""A TCP proxy that delays every byte, as a long line does: no `tc netem` and no root needed.

    python -m tests.real.delay 22 --one-way-ms 25

It can also carry so many bytes a second only, cut all its connections, flip a bit of what comes back, or fall silent
as a line does that dies without a word.
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
# Smaller ones are headers and answers, not the bytes of a file.
_LARGE_BYTES = 4 << 10


class DelayProxy:
    """Listens on a free port of 127.0.0.1 and hands on to `port`, or a UNIX socket, each way `one_way_s` later."""

    def __init__(
        self,
        port: int | str,
        one_way_s: float = 0.0,
        host: str = "127.0.0.1",
        bytes_per_s: float = float("inf"),
    ) -> None:
        self._there = port if isinstance(port, str) else (host, port)
        self._line = _Line(one_way_s, bytes_per_s)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = self._connected()
                except OSError:
                    near.close()  # nobody listens there just now: it is being restarted, say
                    continue
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [near, far]
                _Way(near, far, self._line, back=False).start()
                _Way(far, near, self._line, back=True).start()

    def _connected(self) -> socket.socket:
        if isinstance(self._there, str):
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._there)
            return far
        far = socket.create_connection(self._there)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far

    @property
    def passed_bytes(self) -> int:
        """How much has come back so far."""
        return self._line.passed_bytes

    def carry(self, bytes_per_s: float) -> None:
        """So many on each connection from the next piece on."""
        self._line.bytes_per_s = bytes_per_s

    def flip(self) -> None:
        """Alter one bit of the next large piece that comes back."""
        self._line.flips = True

    def cut(self) -> None:
        """Break every connection, both ends."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def fall_silent(self) -> None:
        """Hand on nothing any more, and tell nobody."""
        self._line.flowing.clear()

    def stop(self) -> None:
        self._line.flowing.set()
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


class _Line:
    """What all connections of a proxy have in common."""

    def __init__(self, one_way_s: float, bytes_per_s: float) -> None:
        self.one_way_s, self.bytes_per_s = one_way_s, bytes_per_s
        self.flowing = threading.Event()
        self.flowing.set()
        self.passed_bytes = 0
        self.flips = False

    def carry_back(self, piece: bytes) -> bytes:
        """What comes of a piece on its way back: later, and not always what it was."""
        time.sleep(len(piece) / self.bytes_per_s)
        self.passed_bytes += len(piece)
        if self.flips and len(piece) >= _LARGE_BYTES:
            self.flips = False
            at = len(piece) // 2
            return piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
        return piece


class _Way:
    """One direction: a thread that reads and stamps, a thread that waits and writes."""

    def __init__(self, source: socket.socket, sink: socket.socket, line: _Line, *, back: bool) -> None:
        self._source, self._sink, self._line, self._back = source, sink, line, back
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
                self._held.append((time.monotonic() + self._line.one_way_s, piece))
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
            self._line.flowing.wait()
            if self._back:
                piece = self._line.carry_back(piece)
            try:
                if not piece:
                    self._sink.shutdown(socket.SHUT_WR)
                    return
                self._sink.sendall(piece)
            except OSError:
                # Who is gone answers what still comes with a reset, and the other end is told.
                for end in (self._source, self._sink):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
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
