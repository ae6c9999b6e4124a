"""What surrounds a JVM that is to be dumped: room, other dumps, CPUs, limits, watchdogs. One command reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.impact.disk import Room, mount_of
from jvmdiag.model import HealthProbe, Jvm

_TIMEOUT_S = 20.0
# What systemctl writes: 30s, 1min 30s, 500ms; "infinity" and 0 are none.
_SPAN = re.compile(r"(\d+)(us|ms|s|min|h|d)\b")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class DumpThere:
    """A file on the target that is a heap dump by its name. `age_s` is since it was last written."""

    path: str
    size_bytes: int
    age_s: float


@dataclass(frozen=True)
class Surroundings:
    """`cpus` is what the JVM may use at once: its affinity, cut by the quotas of its cgroups; None where not known.
    `contention` is how many want a CPU of the machine for each that there is, over the last minute; 1 at least.
    `locked` says that a jvmdiag is taking a heap dump of this JVM.
    """

    rooms: tuple[Room, ...]
    dumps: tuple[DumpThere, ...] = ()
    cpus: float | None = None
    contention: float = 1.0
    file_size_limit_bytes: int | None = None
    watchdog: HealthProbe | None = None
    locked: bool = False


@cache
def _script() -> str:
    return Path(__file__).with_name("around.sh").read_text(encoding="utf-8")


def lock_path(jvm: Jvm) -> str:
    """The file whose lock says that a heap dump of this JVM is under way, in its mount namespace.

    /dev/shm ends with its container, and is writable where the root is not. Containers that share one are told
    apart by the number of their mount namespace, which is the same for whoever looks.
    """
    namespace = "".join(c for c in jvm.mnt_ns if c.isdigit())
    return f"/dev/shm/.jvmdiag-{jvm.nspid}-{namespace}.lock"


def look_around(reach: Reach, jvm: Jvm, directories: Sequence[str]) -> Surroundings:
    """What surrounds `jvm`, looked at as its own user; each of `directories` becomes a Room. Costs one command.

    Raises CommandRefused where the look did not run to its end.
    """
    argv = ["sh", "-c", _script(), "sh", str(jvm.pid), reach.prefix, lock_path(jvm), *directories]
    done = reach.host.run(argv, user=jvm.owner, timeout_s=_TIMEOUT_S)
    return parse_around(done.text, jvm, why=done.complaint)


def parse_around(text: str, jvm: Jvm, why: str = "") -> Surroundings:
    """The value of what around.sh printed. Raises CommandRefused where its last line is missing. Pure."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    if ("end", "") not in lines:
        raise CommandRefused(f"what surrounds the JVM {jvm.pid} could not be looked at", why=why)
    said: dict[str, list[str]] = {}
    for word, rest in lines:
        said.setdefault(word, []).append(rest)
    now = int(said.get("now", ["0"])[0] or 0)
    limit = said.get("filesize", [""])[0]
    return Surroundings(
        rooms=tuple(_room(rest, jvm) for rest in said.get("dir", ())),
        dumps=tuple(dict.fromkeys(_dump(rest, now) for rest in said.get("dump", ()))),
        cpus=_cpus(jvm, said.get("cpus", [""])[0], said.get("quota", ())),
        contention=_contention(said.get("load", [""])[0]),
        file_size_limit_bytes=int(limit) if limit.isdigit() else None,
        watchdog=_watchdog(said.get("watchdog", [""])[0]),
        locked="locked" in said,
    )


def _room(rest: str, jvm: Jvm) -> Room:
    writable, block_bytes, free_blocks, directory = rest.split(" ", 3)
    mount = mount_of(jvm.mounts, directory)
    return Room(
        directory=directory,
        fstype=mount.fstype if mount else "?",
        writable=writable == "yes",
        free_bytes=int(block_bytes) * int(free_blocks),
        in_memory=bool(mount and mount.in_memory),
        linked=writable == "link",
    )


def _dump(rest: str, now: int) -> DumpThere:
    size, modified, path = rest.split(" ", 2)
    return DumpThere(path.replace("//", "/"), int(size), float(max(now - int(modified), 0)))


def _cpus(jvm: Jvm, mask: str, quotas: Sequence[str]) -> float | None:
    """`mask` is /proc's: hexadecimal words with commas. A quota is "50000 100000"; max and -1 are none."""
    said = [o.partition("=")[2] for o in jvm.options if o.startswith("-XX:ActiveProcessorCount=")]
    digits = mask.replace(",", "").strip()
    found = [float(bin(int(digits, 16)).count("1"))] if digits else []
    found += [float(count) for count in said if count.isdigit() and count != "0"]
    for quota, _, period in (quota.partition(" ") for quota in quotas):
        if quota.isdigit() and period.isdigit() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def _contention(rest: str) -> float:
    load, _, count = rest.partition(" ")
    return max(float(load) / int(count), 1.0) if load and count.isdigit() and int(count) else 1.0


def _watchdog(rest: str) -> HealthProbe | None:
    span, _, unit = rest.rpartition(" ")
    seconds = sum(int(number) * _SECONDS[word] for number, word in _SPAN.findall(span))
    if not seconds:
        return None
    # A service says that it is alive at half the time by convention, so half may be over when it falls silent.
    return HealthProbe(f"systemd's WatchdogSec of {unit}", seconds / 2, "is killed", kills=True)
