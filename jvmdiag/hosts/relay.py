"""A Docker Engine behind SSH, as a UNIX socket of this machine: each connection is one `docker system dial-stdio`."""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jvmdiag.errors import ConnectionRefused, JvmdiagError
from jvmdiag.hosts.base import CHUNK
from jvmdiag.hosts.ssh_errors import foreign_errors

if TYPE_CHECKING:
    import paramiko

    from jvmdiag.hosts.ssh import SshHost

# The docker command's own way for DOCKER_HOST=ssh://…; it needs the docker command on the host.
DIAL = ("docker", "system", "dial-stdio")
_LOOK_MS = 200
_END_S = 2.0
# sshd allows ten sessions (MaxSessions), and counts one until its command has ended, after we have let go.
_SESSION_S = 15.0
_AGAIN_S = 0.1
_NO_SESSION = 2  # SSH_OPEN_CONNECT_FAILED of RFC 4254, which is what sshd says then


@contextmanager
def relay(host: SshHost) -> Iterator[str]:
    """The base URL of a socket that leads to the engine on `host`, for as long as the context lasts.

    The socket lies in a directory that only this user can enter.
    """
    with tempfile.TemporaryDirectory(prefix="jvmdiag-") as directory, _Relay(host) as opened:
        yield opened.listen(Path(directory) / "engine.sock")


class _Relay:
    def __init__(self, host: SshHost) -> None:
        self._host = host
        self._listener = socket.socket(socket.AF_UNIX)
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def listen(self, path: Path) -> str:
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._start(self._accept)
        return f"unix://{path}"

    def __enter__(self) -> _Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # Closing alone would leave a thread in accept() or recv().
        for one in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_END_S)
        self._listener.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="relay", daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                channel = self._dial()
            except (JvmdiagError, TimeoutError):
                client.close()
                continue
            if self._closing.is_set():
                # It came up while the context was left, which has seen to the others.
                channel.close()
                client.close()
                return
            self._clients = [c for c in self._clients if c.fileno() >= 0]
            self._clients.append(client)
            delivered = threading.Event()
            self._start(partial(self._outwards, client, channel, delivered))
            self._start(partial(self._inwards, client, channel, delivered))
            self._start(partial(self._complaints, channel))

    def _dial(self) -> paramiko.Channel:
        """A channel to the engine; one that sshd has no session for just now is asked for again."""
        until = time.monotonic() + _SESSION_S
        while True:
            try:
                return self._host.open_channel_command(DIAL)
            except ConnectionRefused as error:
                lasting = getattr(error.__cause__, "code", None) != _NO_SESSION
                if lasting or time.monotonic() > until or self._closing.wait(_AGAIN_S):
                    raise

    def _outwards(self, client: socket.socket, channel: paramiko.Channel, delivered: threading.Event) -> None:
        with self._quietly():
            while data := client.recv(CHUNK):
                channel.sendall(data)
            channel.shutdown_write()
        # A channel that the far side has closed may still hold what it sent before.
        _await_hangup(client, delivered)
        channel.close()
        # A socket closed with bytes unread would take from the client what it has not read yet.
        with contextlib.suppress(OSError):
            while client.recv(CHUNK):
                continue
        client.close()

    def _inwards(self, client: socket.socket, channel: paramiko.Channel, delivered: threading.Event) -> None:
        with self._quietly():
            while data := channel.recv(CHUNK):
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        delivered.set()
        channel.close()

    def _complaints(self, channel: paramiko.Channel) -> None:
        """Unread stderr would stop the channel when its window is full."""
        with self._quietly():
            while channel.recv_stderr(CHUNK):
                continue

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        # Whoever waits at the other end of the socket sees it close, and says why in its own words.
        with contextlib.suppress(OSError, JvmdiagError), foreign_errors(self._host.hop.address):
            yield


def _await_hangup(client: socket.socket, delivered: threading.Event) -> None:
    """Until all is delivered, or `client` is closed altogether: a half-closed one still reads."""
    poller = select.poll()
    poller.register(client, 0)
    while not delivered.is_set() and not poller.poll(_LOOK_MS):
        continue
