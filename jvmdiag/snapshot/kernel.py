"""Items that the kernel answers: what /proc and the cgroups say of the JVM. It is not asked itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.jvm.links import real_sh
from jvmdiag.metrics.look import take_look
from jvmdiag.snapshot.busy import CpuTimes
from jvmdiag.snapshot.item import At, Item, Risk, Taken


@cache
def _script(name: str) -> bytes:
    # Over TLS to an engine stdin cannot be closed: a script ends by itself.
    parts = (real_sh().encode(), Path(__file__).with_name(name).read_bytes(), b"exit 0\n")
    return b"\n".join(parts)


def run_script(reach: Reach, name: str, words: Sequence[str], timeout_s: float) -> bytes:
    """What the script of this room printed, with real.sh before it. Raises CommandRefused where it failed."""
    done = reach.host.run(
        ["sh", "-s", "--", *words], stdin=_script(name), user=reach.user, timeout_s=timeout_s
    )
    if not done.ok:
        raise CommandRefused(f"{name} did not run on {reach.host.name}", why=done.complaint)
    return done.stdout


def cpu_times(at: At) -> CpuTimes:
    """The CPU time of each of its threads so far. Raises CommandRefused."""
    look = take_look(at.reach, at.scene.jvm, (), slow=False)
    return CpuTimes(look.at_s, {task.tid: task.cpu_s for task in look.tasks()})


@dataclass(frozen=True)
class OfProc(Item):
    """Files of /proc/PID, each under its name. `any_of`: not every machine has all of them."""

    files: tuple[str, ...] = ()
    any_of: bool = False

    def take(self, at: At) -> Taken:
        argv = ["cat", *(f"/proc/{at.pid}/{name}" for name in self.files)]
        done = at.reach.host.run(argv, user=at.reach.user, timeout_s=self.timeout_s)
        if not (done.ok or (self.any_of and done.stdout)):
            raise CommandRefused(f"{self.name} could not be read", why=done.complaint)
        return Taken(done.stdout)


@dataclass(frozen=True)
class Cgroup(Item):
    def take(self, at: At) -> Taken:
        return Taken(run_script(at.reach, "cgroup.sh", (at.pid, at.reach.prefix), self.timeout_s))


KERNEL = (
    OfProc("limits", "limits.txt", Risk.LIGHT, 10.0, "its resource limits", ("limits",)),
    OfProc("status", "status.txt", Risk.LIGHT, 10.0, "the process, as the kernel sees it", ("status",)),
    OfProc("mounts", "mounts.txt", Risk.LIGHT, 10.0, "its mounts", ("mountinfo",)),
    Cgroup("cgroup", "cgroup.txt", Risk.LIGHT, 10.0, "quota, limits and use of its cgroups"),
)


@dataclass(frozen=True)
class KernelThreads(Item):
    """Needs no answer of the JVM; the kernel's stack of a thread is for root alone."""

    def take(self, at: At) -> Taken:
        text = run_script(at.reach, "threads.sh", (at.pid,), self.timeout_s)
        return Taken(_NAME.sub(rb'\1"***"', text) if at.names else text)


_NAME = re.compile(rb'^([0-9]+) ".*"(?= state )', re.MULTILINE)
# Of a JVM that stands still, instead of thread dumps.
STANDING = (
    KernelThreads(
        "kernel threads",
        "threads-kernel.txt",
        Risk.LIGHT,
        20.0,
        "each thread by the kernel: state, CPU time, where it waits",
    ),
    OfProc(
        "sockets",
        "sockets.txt",
        Risk.LIGHT,
        10.0,
        "its connections, as /proc/net/tcp and tcp6 have them",
        ("net/sockstat", "net/tcp", "net/tcp6"),
        any_of=True,
    ),
)
