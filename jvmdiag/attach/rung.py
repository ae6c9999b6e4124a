"""What the rungs of the ladder have in common: the scene they look at, Ready or NotReady, a Speaker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ContainerPlace, Place, View, ViewKind
from jvmdiag.model import Jvm, Owner, SigQuit, Vm

THREAD_PRINT = "Thread.print"
# SIGQUIT ends many a program that catches it: those in Go, for one.
NO_HOTSPOT = "it is not known to be a HotSpot JVM: no libjvm.so is seen in its memory map"


@dataclass(frozen=True)
class ImageChoice:
    """Which JDK image to use and whether to pull it; `advance(layer, done_bytes, total_bytes)`."""

    name: str | None = None
    pull: bool = True
    advance: Callable[[str, int, int], None] = lambda _layer, _done, _total: None


@dataclass(frozen=True)
class Scene:
    """A JVM as `view` of `place` sees it, and what the user said about JDK images."""

    place: Place
    view: View
    jvm: Jvm
    image: ImageChoice

    @property
    def container_pid(self) -> int:
        """The JVM's pid inside its container (or on its machine), whoever looks."""
        around = self.view.kind is ViewKind.ENGINE_HOST
        return self.jvm.nspids[min(1, len(self.jvm.nspids) - 1)] if around else self.jvm.pid

    @property
    def inside(self) -> Host:
        """The host whose PID and mount namespaces are the JVM's own machine or container."""
        return self.place.inside if isinstance(self.place, ContainerPlace) else self.place.host


@dataclass(frozen=True)
class Ready:
    """The rung can work: how, what it would run (for --dry-run), and what it costs the target."""

    detail: str
    commands: tuple[str, ...]
    risk: str


@dataclass(frozen=True)
class NotReady:
    """The rung cannot work, and why."""

    reason: str


Readiness = Ready | NotReady


@dataclass(frozen=True)
class Reach:
    """How the JVM's files are reached: on which host, as whom, and behind which prefix. `pid` is the JVM's there, None
    where it is gone or not seen."""

    host: Host
    prefix: str
    user: Owner | None
    pid: int | None = None

    def path(self, path: str) -> str:
        """`path` of the JVM's mount namespace as a path of `host`."""
        return f"{self.prefix}{path}"


def reach_of(view: View, jvm: Jvm) -> Reach:
    """Through /proc/PID/root, as root where the one who looked was root on that machine, else as its owner."""
    as_root = jvm.seen_as_root and view.kind in (ViewKind.MACHINE, ViewKind.ENGINE_HOST)
    prefix = "" if jvm.shares_mnt_ns else f"/proc/{jvm.pid}/root"
    return Reach(view.host, prefix, None if as_root else jvm.owner, jvm.pid)


class Speaker(ABC):
    """A rung in use. `detail` says for the manifest how exactly, `notes` what happened before."""

    method: str
    detail: str
    reach: Reach | None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def ask(self, line: str, timeout_s: float) -> bytes:
        """The JVM's answer to a diagnostic command, e.g. `Thread.print -l`.

        Raises AttachRefused, JvmHung, JvmGone, CommandRefused.
        """


class Rung(ABC):
    """One way to speak to a JVM. `name` is what --method takes."""

    name: str

    @abstractmethod
    def probe(self, scene: Scene, line: str) -> Readiness:
        """Whether it could put `line` to the JVM. Costs nothing but what is known already."""

    @abstractmethod
    def open(self, scene: Scene) -> AbstractContextManager[Speaker]:
        """The rung in use; leaving the context undoes what it made."""


def not_ours(jvm: Jvm) -> str:
    """Why a JVM that is not `readable` cannot be spoken to, and what helps."""
    return f"it belongs to user {jvm.user}: be that user or root, or add --sudo"


def stopped(state: str) -> str:
    """Why a process in that state of the kernel's cannot answer; empty where it can."""
    if state in ("T", "t"):
        return f"the process is stopped (state {state}): it cannot answer until it gets SIGCONT"
    return ""


def attach_obstacle(jvm: Jvm) -> str | None:
    """Why no client at all could attach to this JVM, or None. Each is known before a signal is sent.

    Of a JVM that is not `readable` most is not known.
    """
    if jvm.vm is Vm.OPENJ9:
        return "it is an OpenJ9 VM, which does not speak HotSpot's attach protocol"
    if jvm.readable and jvm.vm is not Vm.HOTSPOT:
        return NO_HOTSPOT
    if why := stopped(jvm.state):
        return why
    if jvm.attach_disabled_by:
        return f"attach is switched off by -XX:+DisableAttachMechanism in {jvm.attach_disabled_by}"
    if jvm.attach_listening:
        return None
    if jvm.readable and not _can_write_tmp(jvm):
        return "its /tmp is read-only, and the JVM opens its attach socket only there"
    if jvm.readable and not jvm.tmp_is_ours:
        return f"its /tmp is not for its user ({jvm.user}) to write, and the JVM opens its attach socket only there"
    if jvm.sigquit in (SigQuit.DEFAULT, SigQuit.IGNORED):
        return "it does not catch SIGQUIT (-Xrs, or it is still starting) and has not opened its socket yet"
    return None


def _can_write_tmp(jvm: Jvm) -> bool:
    covering = [
        m
        for m in jvm.mounts
        if m.point == "/" or "/tmp".startswith(m.point.rstrip("/") + "/") or m.point == "/tmp"
    ]
    # Of two mounts over the same point the later one counts.
    return not covering or not max(reversed(covering), key=lambda m: len(m.point)).read_only
