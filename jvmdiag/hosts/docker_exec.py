"""A container as a Host: commands are execs in it, over sockets taken over from the engine's HTTP."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import ssl
import threading
import time
from typing import Any

from jvmdiag.errors import ConnectionLost, JvmdiagError
from jvmdiag.hosts.base import CHUNK, ByteStream, Host, Recorder
from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.docker_errors import reason
from jvmdiag.hosts.frames import Demultiplexer
from jvmdiag.hosts.tail import Tail
from jvmdiag.model import Completed, Owner, StreamEnd

_EXIT_CODE_S = 5.0
_BY_ITSELF_S = 1.0
_END_S = 8.0
_HEAD_BYTES = 512
_NEVER_RAN = b"OCI runtime exec failed"
# In the environment of every exec, so that an abandoned one is found again: the engine tells only its
# pid on the engine's host.
_MARK = "JVMDIAG_EXEC"
# TERM first, and time to heed it, which a busy machine takes: a shell that is killed leaves its children to PID 1,
# which may be a JVM that reaps nobody. A second TERM would break off its wait for them.
_END_MARKED = """
token=$1
send() {
    found=
    for f in $(grep -l "$token" /proc/[0-9]*/environ 2>/dev/null); do
        p=${f#/proc/}
        kill -"$1" "${p%/environ}" 2>/dev/null && found=1
    done
    [ -n "$found" ]
}
send TERM || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.1
    send 0 || exit 0
done
send KILL
exit 0
"""


class DockerHost(Host):
    """A running container: commands are execs in it, as the image's user or as the one that is asked for."""

    def __init__(self, engine: Engine, container_id: str, name: str, record: Recorder | None = None) -> None:
        super().__init__(name, record)
        self.engine = engine
        self.container_id = container_id

    @property
    def is_guarded(self) -> bool:
        return self.engine.is_guarded

    def _run(self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float) -> Completed:
        started = time.monotonic()
        # A command without stdin gets none, and reads its end: over TLS there is no other way to end it.
        with _ExecStream(self, argv, user, stdin=bool(stdin)) as stream:
            stream.deadline = started + timeout_s
            feeder = threading.Thread(target=stream.send_all, args=(stdin,), daemon=True)
            feeder.start()
            out = b"".join(stream)
            end = stream.finish()
        if end.exit_code is None:
            raise ConnectionLost(f"{self.name} did not say how {argv[0]} ended")
        # A command that never ran wrote nothing: what came is the runtime's complaint.
        out = out if end.size_bytes else b""
        return Completed(argv, end.exit_code, out, end.stderr, time.monotonic() - started)

    def _stream(self, argv: tuple[str, ...], user: Owner | None) -> ByteStream:
        return _ExecStream(self, argv, user)


class _ExecStream(ByteStream):
    """An exec with its socket taken over from the HTTP connection.

    The far process learns of our end by its stdin: the engine closes it when the socket closes.
    """

    def __init__(
        self, host: DockerHost, argv: tuple[str, ...], user: Owner | None, *, stdin: bool = True
    ) -> None:
        self._host = host
        self._argv = argv
        self.deadline: float | None = None
        self._size_bytes = 0
        self._complaints = Tail()
        self._demultiplexer = Demultiplexer(self._complaints.add)
        self._head = b""
        self._user = user
        self._token = f"{_MARK}={secrets.token_hex(8)}"
        client = host.engine.client
        with host.engine.asked(f"run {argv[0]}", host.name):
            made = client.exec_create(
                host.container_id, list(argv), stdin=stdin, user=str(user or ""), environment=[self._token]
            )
            self._id: str = made["Id"]
            self._raw = client.exec_start(self._id, socket=True)
        self._socket = getattr(self._raw, "_sock", self._raw)
        self._pending = _read_ahead(self._raw, self._socket)
        self._closed = self._finished = False
        tls = isinstance(self._socket, ssl.SSLSocket)
        self._speaking: Any = threading.Lock() if tls else contextlib.nullcontext()

    def read(self) -> bytes:
        while True:
            data = self._pending or self._receive()
            self._pending = b""
            if not data:
                return b""
            out = self._demultiplexer.feed(data)
            if out:
                self._head = self._head or out[:_HEAD_BYTES]
                self._size_bytes += len(out)
                return out

    def _receive(self) -> bytes:
        left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0.001)
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                return self._receive_tls(self._socket, left)
            self._socket.settimeout(left)
            return bytes(self._socket.recv(CHUNK))
        except TimeoutError:
            raise TimeoutError(f"{self._argv[0]} on {self._host.name} did not end in time") from None
        except OSError as error:
            raise ConnectionLost("the Docker Engine closed the stream", why=reason(error)) from None

    def _receive_tls(self, tls: ssl.SSLSocket, timeout_s: float | None) -> bytes:
        """Waits outside the lock. OpenSSL does not bear a read beside a write: what came is lost, as if at an end."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            with self._speaking, contextlib.suppress(ssl.SSLWantReadError):
                tls.settimeout(0)
                try:
                    return bytes(tls.recv(CHUNK))
                finally:
                    tls.settimeout(None)
            left = None if until is None else max(until - time.monotonic(), 0)
            if not select.select([tls], [], [], left)[0]:
                raise TimeoutError

    def send(self, data: bytes) -> None:
        if not data:
            return
        with contextlib.suppress(OSError), self._speaking:
            self._socket.sendall(data)

    def send_all(self, data: bytes) -> None:
        """Send and close stdin."""
        self.send(data)
        self.end_input()

    def end_input(self) -> None:
        # A TLS connection cannot be closed one way: scripts end by themselves.
        if not isinstance(self._socket, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def finish(self) -> StreamEnd:
        self.end_input()
        while self.read():
            pass
        code = self._exit_code() if self._demultiplexer.between_frames else None
        self._finished = code is not None
        if code in (126, 127) and self._head.startswith(_NEVER_RAN):
            # runc's own word that there is nothing to run comes on stdout.
            missing = b"not found" in self._head or b"no such file" in self._head
            return StreamEnd(127 if missing else 126, self._head, 0)
        return StreamEnd(code, self._complaints.value, self._size_bytes)

    def _exit_code(self) -> int | None:
        until = time.monotonic() + _EXIT_CODE_S
        while True:
            with self._host.engine.asked(f"say how {self._argv[0]} ended", self._host.name):
                state = self._host.engine.client.exec_inspect(self._id)
            if state["ExitCode"] is not None and not state["Running"]:
                return int(state["ExitCode"])
            if time.monotonic() > until:
                return None
            time.sleep(0.02)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for end in (getattr(self._raw, "_response", None), self._socket, self._raw):
            if end is not None:
                with contextlib.suppress(OSError, ValueError):
                    end.close()
        # What ends others is not ended by one more: an engine that is stuck would be asked for ever.
        if not self._finished and _END_MARKED not in self._argv:
            self._end_process()

    def _end_process(self) -> None:
        """End what was abandoned: the engine goes on swallowing the output of a process nobody listens to."""
        until = time.monotonic() + _BY_ITSELF_S
        with contextlib.suppress(JvmdiagError, TimeoutError):
            # Most are short, or end with their stdin; what is killed may leave a zombie to the target's PID 1.
            while self._is_running():
                if time.monotonic() > until:
                    argv = ("sh", "-c", _END_MARKED, "sh", self._token)
                    self._host.run(argv, user=self._user, timeout_s=_END_S)
                    return
                time.sleep(0.05)

    def _is_running(self) -> bool:
        with self._host.engine.asked(f"say how {self._argv[0]} ended", self._host.name):
            return bool(self._host.engine.client.exec_inspect(self._id)["Running"])


def _read_ahead(raw: Any, sock: Any) -> bytes:
    """What the HTTP reader read beyond the header: the first frames of a quick command.

    docker-py hands out the socket below that reader and leaves these bytes behind.
    """
    response = getattr(raw, "_response", None)
    reader = getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None)
    if reader is None or not hasattr(reader, "peek"):
        return b""
    sock.setblocking(False)
    try:
        held = bytes(reader.peek())
        reader.read(len(held))
    except (BlockingIOError, ssl.SSLWantReadError, ValueError):
        held = b""
    finally:
        sock.setblocking(True)
    return held
