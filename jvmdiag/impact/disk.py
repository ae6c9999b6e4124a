"""Where on the target a heap dump can be written: by the JVM's own user, in its own mount namespace."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from jvmdiag.errors import BadRequest, NoSpaceOnTarget, ReadOnlyTarget, WouldBeKilled
from jvmdiag.impact.finding import Finding, Subject, ok, refused, risky
from jvmdiag.model import Jvm, Mount
from jvmdiag.units import size

# The estimate is of a heap that goes on growing, and hprof is wider than the heap.
MARGIN = 1.2
# What is left free for the application and its neighbours, whatever happens.
RESERVE_BYTES = 256 << 20
_NO_DISK = "or --no-disk: nothing is written there, and the pause is as long as the bytes take to get here"
_NOT_FOR_FILES = {
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "devtmpfs",
    "debugfs",
    "tracefs",
    "fusectl",
    "securityfs",
    "pstore",
    "bpf",
    "configfs",
    "hugetlbfs",
    "binfmt_misc",
    "autofs",
    "nsfs",
    "rpc_pipefs",
}


@dataclass(frozen=True)
class Room:
    """A directory as the JVM sees it. `free_bytes` is what its user may still write there."""

    directory: str
    fstype: str
    writable: bool
    free_bytes: int
    in_memory: bool
    linked: bool = False
    """Whether a part of the path is a symbolic link, where that cannot be followed from outside."""

    def __str__(self) -> str:
        closed = "behind a symbolic link: name the directory itself" if self.linked else "not writable"
        state = f"{size(self.free_bytes)} free" if self.writable else closed
        return f"{self.directory} ({self.fstype}, {state})"


def candidates(jvm: Jvm, wanted: str | None) -> tuple[str, ...]:
    """Directories worth a look: the one that was named, else /tmp and its kin, the JVM's own, and every
    mount that takes files."""
    if wanted is not None:
        if not wanted.startswith("/"):
            raise BadRequest(
                f"--dump-dir {wanted!r} is no absolute path", advice="name it from the target's root"
            )
        return (wanted,)
    properties = dict(o[2:].partition("=")[::2] for o in jvm.options if o.startswith("-D"))
    heap_dump_path = [o.partition("=")[2] for o in jvm.options if o.startswith("-XX:HeapDumpPath=")]
    own = [
        properties.get("java.io.tmpdir", ""),
        properties.get("catalina.base", "") + "/temp",
        jvm.cwd,
        *heap_dump_path,
    ]
    mounted = [m.point for m in jvm.mounts if m.fstype not in _NOT_FOR_FILES and not m.read_only]
    wished = ["/tmp", "/var/tmp", *own, *mounted, "/dev/shm"]
    return tuple(dict.fromkeys(str(PurePosixPath(d)) for d in wished if d.startswith("/") and d != "/temp"))


def mount_of(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that holds `path`: the one with the longest matching point, the last where several match."""
    covering = [m for m in mounts if PurePosixPath(path).is_relative_to(m.point)]
    return max(reversed(covering), key=lambda m: len(m.point), default=None)


def writes_parts(jvm: Jvm) -> bool:
    """Whether it writes a dump in parts beside the file, and merges them: from 22 on."""
    return (jvm.major or 0) >= 22


def dump_bytes_on_disk(jvm: Jvm, estimate_bytes: int) -> int:
    """What the dump takes at its peak: with parts beside it, twice."""
    return int(estimate_bytes * MARGIN * (2 if writes_parts(jvm) else 1))


def choose_room(rooms: Sequence[Room], jvm: Jvm, need_bytes: int) -> Room | None:
    """The first directory that has room with the reserve left: disk before memory, and memory only where
    the container's limit bears it; None where there is none."""
    fitting = (r for r in rooms if fits(r, need_bytes) and not bursts_memory(r, jvm, need_bytes))
    return next(iter(sorted(fitting, key=lambda r: r.in_memory)), None)


def roomiest(rooms: Sequence[Room]) -> Room | None:
    """The directory to take where none has enough: disk before memory, then the most room."""
    writable = (r for r in rooms if r.writable)
    return max(writable, key=lambda r: (not r.in_memory, r.free_bytes), default=None)


def fifo_room(rooms: Sequence[Room]) -> Room | None:
    """The directory for a FIFO: memory before disk, for a full disk may have no place for a directory."""
    writable = (r for r in rooms if r.writable)
    return max(writable, key=lambda r: (r.in_memory, r.free_bytes), default=None)


def fifo_findings(rooms: Sequence[Room]) -> tuple[Finding, ...]:
    """Where the FIFO stands of a dump that takes no disk."""
    if room := fifo_room(rooms):
        return (ok(Subject.DISK, f"nothing is written there: it comes through a FIFO in {room.directory}"),)
    looked = tuple(f"looked at {room}" for room in rooms)
    closed = "the JVM can write into none of the target's directories, and a FIFO has to stand in one"
    return (refused(Subject.DISK, ReadOnlyTarget, closed, *looked, "mount a tmpfs of any size"),)


def fits(room: Room, need_bytes: int) -> bool:
    """Whether `need_bytes` find room, and the file system keeps its reserve."""
    reserve_bytes = 0 if room.in_memory else RESERVE_BYTES
    return room.writable and room.free_bytes >= need_bytes + reserve_bytes


def bursts_memory(room: Room, jvm: Jvm, need_bytes: int) -> bool:
    """Whether the dump in that directory would get the container killed: a tmpfs is its own memory."""
    if not room.in_memory or jvm.memory is None:
        return False
    return need_bytes > jvm.memory.limit_bytes - jvm.memory.used_bytes


def disk_findings(
    rooms: Sequence[Room], jvm: Jvm, estimate_bytes: int, file_size_limit_bytes: int | None
) -> tuple[Finding, ...]:
    """Whether the dump finds room, and what the directory that it would take means for the memory."""
    need = dump_bytes_on_disk(jvm, estimate_bytes)
    looked = tuple(f"looked at {room}" for room in rooms)
    if not any(room.writable for room in rooms):
        closed = "the JVM can write into none of the target's directories"
        name = "name one that it can write into: --dump-dir DIR, or mount a volume"
        return (refused(Subject.DISK, ReadOnlyTarget, closed, *looked, name),)
    if file_size_limit_bytes is not None and need > file_size_limit_bytes:
        limit = f"its user's files end at {size(file_size_limit_bytes)} (ulimit -f), and the dump is about {size(need)}"
        return (refused(Subject.DISK, NoSpaceOnTarget, limit, _NO_DISK),)
    if room := choose_room(rooms, jvm, need):
        return _of_room(room, jvm, need)
    return _of_no_room(rooms, jvm, need, looked)


def _of_room(room: Room, jvm: Jvm, need_bytes: int) -> tuple[Finding, ...]:
    fits_there = f"about {size(need_bytes)} go to {room}"
    if not room.in_memory:
        return (ok(Subject.DISK, fits_there),)
    taken = f"{room.directory} is memory ({room.fstype}): the dump takes about {size(need_bytes)} of it"
    if jvm.memory:
        left = jvm.memory.limit_bytes - jvm.memory.used_bytes
        taken += f", and {size(left)} are left of the container's limit of {size(jvm.memory.limit_bytes)}"
    disk = "name a directory on a disk: --dump-dir DIR"
    return ok(Subject.DISK, fits_there), risky(Subject.MEMORY, taken, disk)


def _of_no_room(
    rooms: Sequence[Room], jvm: Jvm, need_bytes: int, looked: tuple[str, ...]
) -> tuple[Finding, ...]:
    instead = "free some, mount a volume, name another directory with --dump-dir, or take a histogram instead"
    deadly = [r for r in rooms if fits(r, need_bytes) and bursts_memory(r, jvm, need_bytes)]
    if deadly and jvm.memory and all(r.in_memory for r in rooms if r.writable):
        killed = (
            f"a dump of about {size(need_bytes)} in {deadly[0].directory}, which is memory ({deadly[0].fstype}), "
            f"would get the container killed: {size(jvm.memory.used_bytes)} of its limit of "
            f"{size(jvm.memory.limit_bytes)} are in use"
        )
        return (refused(Subject.MEMORY, WouldBeKilled, killed, *looked, instead, _NO_DISK),)
    needed = f"a dump of about {size(need_bytes)} and a reserve of {size(RESERVE_BYTES)}"
    full = f"no directory of the target has room for {needed}"
    return (refused(Subject.DISK, NoSpaceOnTarget, full, *looked, instead, _NO_DISK),)


def scratch_path(room: Room) -> str:
    """A name nobody else uses; the JVM creates it anew, with mode 0600."""
    return f"{room.directory.rstrip('/')}/.jvmdiag-{secrets.token_hex(6)}.hprof"
