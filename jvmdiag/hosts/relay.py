"""A Docker Engine behind SSH, as a UNIX socket of this machine: each connection is one `docker system dial-stdio`."""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jvmdiag.errors import ConnectionLost, EngineUnreachable, JvmdiagError
from jvmdiag.hosts.base import CHUNK, ByteStream
from jvmdiag.hosts.sudo import ROOT
from jvmdiag.model import StreamEnd

if TYPE_CHECKING:
    from jvmdiag.hosts.ssh import SshHost

# The docker command's own way for DOCKER_HOST=ssh://…; it needs the docker command on the host.
DIAL = ("docker", "system", "dial-stdio")
_LOOK_MS = 200
_END_S = 2.0


@contextmanager
def relay(host: SshHost) -> Iterator[str]:
    """The base URL of a socket that leads to the engine on `host`, for as long as the context lasts.

    The socket lies in a directory that only this user can enter. Where sudo was asked for, root dials;
    a password is asked for here and now. Raises SudoRefused, and EngineUnreachable with the host's own
    words in place of the client's complaint about a socket that was closed.
    """
    if host.sudo:
        host.settle(ROOT)
    with tempfile.TemporaryDirectory(prefix="jvmdiag-") as directory, _Relay(host) as opened:
        try:
            yield opened.listen(Path(directory) / "engine.sock")
        except (EngineUnreachable, ConnectionLost):
            if opened.failure is None:
                raise
            raise opened.failure from None


class _Relay:
    """`failure` is why the last connection came to nothing; None where it carried something."""

    def __init__(self, host: SshHost) -> None:
        self.failure: JvmdiagError | None = None
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
            self._clients = [c for c in self._clients if c.fileno() >= 0]
            self._clients.append(client)
            self._start(partial(self._serve, client))

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                stream = self._host.stream(DIAL, user=ROOT if self._host.sudo else None)
            except JvmdiagError as error:
                self.failure = error
                return
            # It may have come up while the context was left, which has seen to the others.
            with stream:
                if not self._closing.is_set():
                    self._carry(client, stream)

    def _carry(self, client: socket.socket, stream: ByteStream) -> None:
        over = threading.Event()
        threading.Thread(target=self._inwards, args=(client, stream, over), name="relay", daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(CHUNK):
                stream.send(data)
        stream.end_input()
        # A stream that has ended may still hold what came before its end.
        _await_hangup(client, over)
        over.set()
        # A socket closed with bytes unread would take from the client what it has not read yet.
        with contextlib.suppress(OSError):
            while client.recv(CHUNK):
                continue

    def _inwards(self, client: socket.socket, stream: ByteStream, over: threading.Event) -> None:
        # Whoever waits at the other end of the socket sees it close, and then asks for the failure.
        with contextlib.suppress(OSError):
            failure = self._deliver(client, stream)
            if failure and not over.is_set():
                self.failure = failure
            client.shutdown(socket.SHUT_WR)
        over.set()

    def _deliver(self, client: socket.socket, stream: ByteStream) -> JvmdiagError | None:
        """All that comes, to its end; why it failed, where it did. Raises OSError where the client is gone."""
        try:
            while data := stream.read():
                self.failure = None
                client.sendall(data)
            end = stream.finish()
        except JvmdiagError as error:
            return error
        failed = end.exit_code and not end.size_bytes
        return unreachable(self._host.name, self._host.login, end) if failed else None


def _await_hangup(client: socket.socket, over: threading.Event) -> None:
    """Until all is over, or `client` is closed altogether: a half-closed one still reads."""
    poller = select.poll()
    poller.register(client, 0)
    while not over.is_set() and not poller.poll(_LOOK_MS):
        continue


def unreachable(where: str, login: str, end: StreamEnd) -> EngineUnreachable:
    """What `docker system dial-stdio` says on the host, and what helps."""
    said = " ".join(end.stderr.decode("utf-8", "replace").split())[:300]
    if end.exit_code == 127:
        advice = (
            "the host needs the docker command, in the PATH of a shell that is not interactive: "
            f"ssh {login}@HOST 'command -v docker'"
        )
    elif "permission denied" in said.lower():
        advice = f"add --sudo, or let {login} use the engine there: usermod -aG docker {login}"
    else:
        advice = "is it running there? try on the host: docker info"
    return EngineUnreachable(
        f"no Docker Engine answers on {where}",
        why=f"{' '.join(DIAL)} there ended with {end.exit_code}: {said or 'it says nothing'}",
        advice=advice,
    )
