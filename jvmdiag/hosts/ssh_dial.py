"""The socket below an SSH connection: TCP, or the ProxyCommand of ~/.ssh/config."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from typing import IO

from jvmdiag.hosts.local import end_group


class ProxyCommand:
    """A ProxyCommand as a plain socket: paramiko's own spins for ever when the command has ended."""

    def __init__(self, command: str) -> None:
        self.sock, far = socket.socketpair()
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        with far:
            # The user's own configuration, run as ssh runs it: by a shell, which it replaces.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=far.fileno(),
                stdout=far.fileno(),
                stderr=self._complaints,
                start_new_session=True,
            )

    def complaint(self) -> str:
        """The last line the command wrote to stderr."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def close(self) -> None:
        self.sock.close()
        end_group(self._process, signal.SIGTERM, signal.SIGKILL)
        self._complaints.close()


def dial(host: str, port: int, family: str, timeout_s: float) -> socket.socket:
    """A TCP connection, each address tried in turn. Raises OSError of the last."""
    families = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
    wanted = families.get(family, socket.AF_UNSPEC)
    failure: OSError | None = None
    for kind, type_, protocol, _, address in socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM):
        sock = socket.socket(kind, type_, protocol)
        try:
            sock.settimeout(timeout_s)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("no address")
