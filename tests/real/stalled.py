"""A reader that stalls between a JVM and its client: the request passes, and the answer waits unread until it may."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from pathlib import Path
from types import TracebackType

# Version, operation and three arguments, each ended by a zero byte.
_WORDS = 5
_WAIT_S = 60.0


class StalledReader:
    """Takes the place of the attach socket of a JVM whose /tmp is `tmp`, and gives it back at the end.

    The answer to a request that holds `stalls` waits in the JVM's socket, unread, until `go`.
    """

    def __init__(self, tmp: Path, nspid: int, stalls: bytes) -> None:
        self._path = tmp / f".java_pid{nspid}"
        self._jvms = tmp / f".java_pid{nspid}.jvms"
        self._stalls = stalls
        self._listener = socket.socket(socket.AF_UNIX)
        self._answering, self._go = threading.Event(), threading.Event()
        self.request = b""

    def wait_until_the_jvm_answers(self) -> None:
        """Until the JVM has written the first bytes of what nobody reads."""
        assert self._answering.wait(_WAIT_S)

    def go(self) -> None:
        self._go.set()

    def ask(self, request: bytes) -> socket.socket:
        """A connection of one's own with that request sent. The caller closes it."""
        return asked(self._jvms, request)

    def __enter__(self) -> StalledReader:
        self._path.rename(self._jvms)
        self._listener.bind(str(self._path))
        self._path.chmod(0o777)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go()
        # Closing a socket does not wake an accept() on Linux; shutting it down does.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._jvms.rename(self._path)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A client that was given up is gone before its answer comes, or its request.
        with client, contextlib.suppress(OSError):
            request = b""
            while request.count(b"\0") < _WORDS:
                if not (more := client.recv(4096)):
                    return
                request += more
            with asked(self._jvms, request) as jvm:
                if self._stalls in request:
                    self.request = request
                    select.select([jvm], [], [], _WAIT_S)
                    self._answering.set()
                    self._go.wait(_WAIT_S)
                while chunk := jvm.recv(1 << 16):
                    client.sendall(chunk)


def asked(path: Path, request: bytes) -> socket.socket:
    """A connection to the attach socket at `path`, with that request sent: a JVM takes them in their order."""
    jvm = socket.socket(socket.AF_UNIX)
    jvm.connect(str(path))
    jvm.sendall(request)
    return jvm
