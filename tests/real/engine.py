"""A Docker Engine for the tests: the one that is offered, or one of our own that touches no other."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import docker

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


class CannotHave(Exception):
    """A real part that the tests need cannot be had on this machine; the message says why."""


def cache_dir() -> Path:
    """The folder outside the checkout in which images, wheels and the engine's data persist."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jvmdiag-test"
    folder = Path(os.environ.get("JVMDIAG_TEST_CACHE") or default).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def as_root(argv: Sequence[str]) -> list[str]:
    """`argv`, behind sudo where we are not root; sudo never asks."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "-n", *argv]


def run_as_root(*argv: str, check: bool = True) -> None:
    done = subprocess.run(as_root(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise CannotHave(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")


def answers(url: str | None) -> bool:
    """Whether a Docker Engine answers at `url`, or where the environment says if None."""
    try:
        client = docker.DockerClient(base_url=url, timeout=5) if url else docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


class Engine:
    """A context manager: inside it, an engine answers at `url`.

    JVMDIAG_TEST_DOCKER_HOST names one to use. JVMDIAG_TEST_USE_ENGINE=1 allows the machine's own.
    Else a dockerd is started, with data in the cache folder, and stopped at the end: about 1 s each.
    Raises CannotHave.
    """

    def __init__(self) -> None:
        self.url = os.environ.get("JVMDIAG_TEST_DOCKER_HOST", "")
        self._own: OwnDockerd | None = None

    def __enter__(self) -> Engine:
        if self.url:
            if not answers(self.url):
                raise CannotHave(
                    f"no Docker Engine answers at {self.url}, the value of JVMDIAG_TEST_DOCKER_HOST"
                )
        elif os.environ.get("JVMDIAG_TEST_USE_ENGINE") == "1" and answers(None):
            self.url = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        else:
            self._own = OwnDockerd(cache_dir() / "docker")
            self._own.start()
            self.url = self._own.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            self._own.stop()

    def client(self) -> docker.DockerClient:
        """A client with a long timeout, for builds; the caller closes it."""
        return docker.DockerClient(base_url=self.url, timeout=600)


class OwnDockerd:
    """A dockerd that shares nothing with another: own data, socket, bridge and containerd namespace.

    It writes no iptables rule: a second dockerd that did would replace the first one's chains.
    So its containers reach no network, and their ports are reached through docker-proxy on 127.0.0.1.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A socket's path is limited to 107 bytes. The same path each time, so that after a crash
        # dockerd finds its own containerd again instead of waiting for its database's lock.
        digest = hashlib.sha256(bytes(folder)).digest()
        self.run_dir = Path("/run") / f"jvmdiag-{digest[:4].hex()}"
        self.bridge = f"jvmdiag-{digest[:3].hex()}"
        # 198.18.0.0/15 is set aside for benchmarks (RFC 2544): no LAN, VPN or other engine has it.
        self.bridge_mac = f"02:{digest[:5].hex(':')}"
        self.bridge_address = f"198.{18 + digest[0] % 2}.{digest[1]}.1/24"
        self.socket = self.run_dir / "docker.sock"
        self.url = f"unix://{self.socket}"
        self.pidfile = folder / "dockerd.pid"
        self.log = folder / "dockerd.log"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the engine answers. Raises CannotHave, with the end of dockerd's log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._stop_leftover()
            run_as_root("mkdir", "-p", str(self.run_dir))
            self._make_bridge()
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    as_root(self._argv()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C ends the tests first, and the tests end dockerd
                )
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends the dockerd that was started here, its containers with it, and removes its bridge."""
        if self._process:
            self._end(self._pid())
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None
            run_as_root("ip", "link", "delete", self.bridge, check=False)
            # dockerd leaves the host's network namespace mounted there.
            run_as_root("umount", str(self.run_dir / "exec/netns/default"), check=False)
            run_as_root("rm", "-rf", "--one-file-system", str(self.run_dir), check=False)
        if self._lock:
            self._lock.close()
            self._lock = None

    def _argv(self) -> list[str]:
        options = {
            "host": self.url,
            "group": str(os.getegid()),
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.run_dir / "exec"),
            "pidfile": str(self.pidfile),
            "bridge": self.bridge,
            # Where a containerd of the system runs, dockerd uses that one.
            "containerd-namespace": "jvmdiag-test",
            "containerd-plugins-namespace": "jvmdiag-test-plugins",
            "iptables": "false",
            "ip6tables": "false",
            "ip-masq": "false",
            "ip-forward": "false",
            "shutdown-timeout": "5",
            "log-level": "warn",
        }
        return ["dockerd", *(f"--{name}={value}" for name, value in options.items())]

    def _take_lock(self) -> None:
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            advice = "wait for it, or set JVMDIAG_TEST_CACHE to another folder"
            raise CannotHave(f"another test run uses the engine in {self.folder}: {advice}") from None

    def _make_bridge(self) -> None:
        if not Path("/sys/class/net", self.bridge).exists():
            run_as_root("ip", "link", "add", self.bridge, "type", "bridge")
        run_as_root("ip", "address", "replace", self.bridge_address, "dev", self.bridge)
        # Without one of its own a bridge has the lowest of its ports': another when a container comes or goes, and what
        # knew it a moment before sends to nobody for a minute.
        run_as_root("ip", "link", "set", self.bridge, "address", self.bridge_mac, "up")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.socket.exists() and answers(self.url)):
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                state = "ended" if ended else f"does not answer after {START_TIMEOUT_S:.0f} s"
                raise CannotHave(f"dockerd {state}; its log, {self.log}, ends with:\n{tail}")
            time.sleep(0.05)

    def _pid(self) -> int | None:
        """The pid of the dockerd on our data, or None."""
        try:
            pid = int(self.pidfile.read_text())
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        """A pid alone may be another process by now; a zombie has no arguments."""
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"--data-root={self.folder / 'data'}".encode() in words

    def _stop_leftover(self) -> None:
        """We hold the lock, so a dockerd on our data belongs to a run that was killed."""
        self._end(self._pid())
        # dockerd believes in both while those pids exist, as whatever; its containerd dies with it.
        run_as_root("rm", "-f", str(self.pidfile), str(self.run_dir / "exec/containerd/containerd.pid"))

    def _end(self, pid: int | None) -> None:
        if pid is None:
            return
        for signal in ("-TERM", "-KILL"):
            run_as_root("kill", signal, str(pid), check=False)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while time.monotonic() < deadline:
                if not self._is_ours(pid):
                    return
                time.sleep(0.05)
