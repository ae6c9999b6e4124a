"""An OpenSSH server of the tests' own: a folder with keys and configuration, a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from jvmdiag.hosts.ssh_options import SshOptions
from jvmdiag.target import SshTarget

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
_START_S = 60.0


def missing() -> str:
    """Why no server can be started here; empty where one can."""
    if _SSHD is None:
        return "there is no sshd: apt-get install openssh-server"
    return "" if shutil.which("ssh-keygen") else "there is no ssh-keygen: apt-get install openssh-client"


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", comment: str = "jvmdiag test") -> Path:
    """A key pair at `path` and `path`.pub."""
    size = ["-b", "2048"] if kind == "rsa" else []
    argv = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that the kernel gives to nobody who asks for any."""
    first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = random.randrange(int(first) // 2, int(first))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Sshd:
    """A running server, as a context manager.

    `config` are sshd_config lines, which win over those made here. Anybody of this machine whom
    sshd may become (all for root, else just ourselves) logs in with `client_key`.
    """

    def __init__(
        self, folder: Path, *, config: tuple[str, ...] = (), host_keys: tuple[str, ...] = ("ed25519",)
    ) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = folder / "sshd.log"
        self.host_keys = [make_key(folder / f"host_{kind}", kind) for kind in host_keys]
        self.client_key = make_key(folder / "client")
        self.known_hosts = folder / "known_hosts"
        self.trust(*self.host_keys)
        self._authorized = folder / "authorized_keys"
        self.authorize(self.client_key)
        self._write_config(config)
        self._process: subprocess.Popen[bytes] | None = None

    def _write_config(self, config: tuple[str, ...]) -> None:
        # sshd takes the first SetEnv only. A bash that is not the outermost does not read ~/.bashrc, which may hold
        # slow things of whoever runs the tests; pyenv's holds a lock that outlives the session that is killed.
        set_env = [line.removeprefix("SetEnv ") for line in config if line.startswith("SetEnv ")]
        lines = [
            *(line for line in config if not line.startswith("SetEnv ")),
            f"SetEnv {' '.join(['SHLVL=9', *set_env])}",
            f"ListenAddress {self.host}:{self.port}",
            *(f"HostKey {key}" for key in self.host_keys),
            f"AuthorizedKeysFile {self._authorized}",
            f"PidFile {self.folder / 'sshd.pid'}",
            "StrictModes no",
            "PermitRootLogin yes",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "LogLevel VERBOSE",
            "PrintMotd no",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")

    def trust(self, *keys: Path, hosts: str = "") -> None:
        """Make known_hosts hold just these host keys, for this server or for `hosts`."""
        names = hosts or f"[{self.host}]:{self.port}"
        lines = [f"{names} {' '.join(_public(key).split()[:2])}\n" for key in keys]
        self.known_hosts.write_text("".join(lines))

    def authorize(self, *keys: Path) -> None:
        """Let just these keys in."""
        self._authorized.write_text("".join(_public(key) for key in keys))
        self._authorized.chmod(0o644)

    def target(self, user: str | None = None, port: int | None = None) -> SshTarget:
        return SshTarget(self.host, user or getpass.getuser(), port or self.port)

    def options(self, **changes: Any) -> SshOptions:
        """Options that know this server and nothing of the person who runs the tests."""
        mine: dict[str, Any] = {
            "config_path": None,
            "known_hosts": (self.known_hosts,),
            "identity_files": (self.client_key,),
        }
        return SshOptions(**{**mine, **changes})

    def start(self) -> None:
        """Start it and wait until it listens."""
        if os.geteuid() == 0:
            # sshd gives up its rights in there, and refuses to start without it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        argv = [str(_SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"sshd did not start: {self.log.read_text()}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1.0):
            return True
        return False

    def stop(self) -> None:
        """Stop the listener and every session of it."""
        if self._process is None:
            return
        sessions = descendants(self._process.pid)
        self._process.terminate()
        self._process.wait()
        self._process = None
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """The same server again, at the same port; sessions of before are gone."""
        self.stop()
        self.start()

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, as /proc says."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold spaces and parentheses of its own.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()
