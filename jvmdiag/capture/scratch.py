"""Where on the target a heap dump can be written: by the JVM's own user, in its own mount namespace."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import BadRequest, NoSpaceOnTarget, ReadOnlyTarget
from jvmdiag.model import Jvm, Mount

# The estimate is of a heap that goes on growing, and hprof is wider than the heap.
MARGIN = 1.2
# What is left free for the application and its neighbours, whatever happens.
RESERVE_BYTES = 256 << 20
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
# `test -w` asks the kernel, so a read-only file system counts. The figures are bytes of a block, free blocks.
_SURVEY = """
prefix=$1; shift
for dir; do
    writable=no
    [ -d "$prefix$dir" ] && [ -w "$prefix$dir" ] && writable=yes
    # Behind a prefix a link leads out of the JVM's mount namespace, into ours.
    part=$dir
    while [ -n "$prefix" ] && [ -n "$part" ]; do
        [ -L "$prefix$part" ] && writable=link
        part=${part%/*}
    done
    printf '%s %s\\n' "$writable" "$(stat -f -c '%S %a' "$prefix$dir/." 2>/dev/null || echo 0 0)"
done
"""


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
        state = f"{self.free_bytes / 1e6:,.0f} MB free" if self.writable else closed
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


def look_for_room(reach: Reach, jvm: Jvm, directories: Sequence[str]) -> tuple[Room, ...]:
    """What each of `directories` offers the JVM's user. Costs one command."""
    done = reach.host.run(["sh", "-c", _SURVEY, "sh", reach.prefix, *directories], user=jvm.owner)
    rooms = []
    for directory, line in zip(directories, done.text.splitlines(), strict=False):
        writable, block_bytes, free_blocks = line.split()
        mount = mount_of(jvm.mounts, directory)
        rooms.append(
            Room(
                directory=directory,
                fstype=mount.fstype if mount else "?",
                writable=writable == "yes",
                free_bytes=int(block_bytes) * int(free_blocks),
                in_memory=bool(mount and mount.in_memory),
                linked=writable == "link",
            )
        )
    return tuple(rooms)


def mount_of(mounts: Iterable[Mount], path: str) -> Mount | None:
    """The mount that holds `path`: the one with the longest matching point, the last where several match."""
    covering = [m for m in mounts if PurePosixPath(path).is_relative_to(m.point)]
    return max(reversed(covering), key=lambda m: len(m.point), default=None)


def dump_bytes_on_disk(jvm: Jvm, estimate_bytes: int) -> int:
    """What the dump takes at its peak: from 22 on the JVM writes it beside itself and merges: twice."""
    return int(estimate_bytes * MARGIN * (2 if (jvm.major or 0) >= 22 else 1))


def choose_room(rooms: Sequence[Room], jvm: Jvm, estimate_bytes: int, *, force: bool = False) -> Room:
    """The first directory that has room with the reserve left: disk before memory, and memory only
    where the container's limit bears it. With `force` the one with the most room, if none has enough.

    Raises ReadOnlyTarget or NoSpaceOnTarget with every directory that was looked at.
    """
    need = dump_bytes_on_disk(jvm, estimate_bytes)
    writable = [r for r in rooms if r.writable]
    looked = tuple(f"  {room}" for room in rooms)
    if not writable:
        raise ReadOnlyTarget(
            "the JVM can write into none of the target's directories",
            advice=(*looked, "name one that it can write into: --dump-dir DIR, or mount a volume"),
        )
    for room in sorted(writable, key=lambda r: r.in_memory):
        if room.free_bytes >= need + (0 if room.in_memory else RESERVE_BYTES) and not bursts_memory(
            room, jvm, need
        ):
            return room
    if force:
        return max(writable, key=lambda r: (not r.in_memory, r.free_bytes))
    raise NoSpaceOnTarget(
        f"no directory of the target has room for a dump of about {need / 1e6:,.0f} MB",
        why="a reserve is left free on disk, and a tmpfs counts against the container's memory limit",
        advice=(
            *looked,
            "free some, mount a volume, name another directory with --dump-dir, or take a histogram instead",
        ),
    )


def bursts_memory(room: Room, jvm: Jvm, need_bytes: int) -> bool:
    """Whether the dump in that directory would get the container killed: a tmpfs is its own memory."""
    if not room.in_memory or jvm.memory is None:
        return False
    return need_bytes > jvm.memory.limit_bytes - jvm.memory.used_bytes


def scratch_path(room: Room) -> str:
    """A name nobody else uses; the JVM creates it anew, with mode 0600."""
    return f"{room.directory.rstrip('/')}/.jvmdiag-{secrets.token_hex(6)}.hprof"
