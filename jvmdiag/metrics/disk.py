"""Disk: how full what the JVM has mounted is, and how long the machine's disks take. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jvmdiag.metrics.cpu import pressure
from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.look import Look
from jvmdiag.model import Mount

# Whole disks: what a partition does its disk does too.
_DISK = re.compile(
    r"^ +\d+ +\d+ (sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+) (\d[\d ]*)$", re.MULTILINE
)
_SECTOR_BYTES = 512
# What is asked of these is answered by this machine's kernel, at once.
_LOCAL = frozenset(
    {
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "f2fs",
        "zfs",
        "overlay",
        "aufs",
        "tmpfs",
        "vfat",
        "jfs",
        "reiserfs",
        "bcachefs",
    }
)
_FAR = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "virtiofs"})
_UNINTERESTING = ("/proc/", "/sys/", "/dev/", "/run/", "/etc/hosts/", "/etc/hostname/", "/etc/resolv.conf/")
_POINTS_ASKED = 12


def points_of(mounts: Sequence[Mount]) -> tuple[str, ...]:
    """The mount points whose room is asked for: file systems of this machine, the shortest first, twelve at most.

    An overlay below the root is that of a container which runs there, on a disk that is listed anyway.
    """
    local = (m.point for m in mounts if m.fstype in _LOCAL and m.fstype != "overlay")
    found = {point for point in local if not f"{point}/".startswith(_UNINTERESTING)}
    return tuple(
        sorted({"/", *found}, key=lambda point: (point.count("/"), len(point), point))[:_POINTS_ASKED]
    )


def disk_group(before: Look, after: Look, mounts: Sequence[Mount]) -> Group:
    unseen = [
        f"{m.point}: {m.fstype}, which is mounted over the network and may never answer"
        for m in mounts
        if m.fstype in _FAR
    ]
    if not after.text("rooms"):
        unseen.append("how full the mounts are: it takes stat there")
    disks = present(maybe("disk.pressure", pressure(after, "io")))
    return Group("disk", flat((_rooms(after, mounts), _disks(before, after), disks)), tuple(unseen))


def _rooms(after: Look, mounts: Sequence[Mount]) -> Iterator[Figure]:
    for line in after.text("rooms").splitlines():
        block, blocks, free, available, files, free_files, point = line.split(" ", 6)
        total, left, used = (
            int(blocks) * int(block),
            int(available) * int(block),
            (int(blocks) - int(free)) * int(block),
        )
        if not total:
            continue
        where = {"mount": point, "type": next((m.fstype for m in reversed(mounts) if m.point == point), "")}
        yield figure("disk.total", total, **where)
        yield figure("disk.used", used, **where)
        yield figure("disk.free", left, **where)
        yield figure("disk.used_share", used / (used + left) if used + left else 0.0, **where)
        if int(files):
            yield figure("disk.inodes_used_share", (int(files) - int(free_files)) / int(files), **where)


def _disks(before: Look, after: Look) -> Iterator[Figure]:
    earlier = {name: row.split() for name, row in _DISK.findall(before.text("system"))}
    seconds = after.at_s - before.at_s
    for name, row in _DISK.findall(after.text("system")):
        if name not in earlier or seconds <= 0:
            continue
        grown = [int(b) - int(a) for a, b in zip(earlier[name], row.split(), strict=False)]
        yield figure("disk.read", grown[2] * _SECTOR_BYTES / seconds, device=name)
        yield figure("disk.written", grown[6] * _SECTOR_BYTES / seconds, device=name)
        yield figure("disk.busy", min(grown[9] / 1000 / seconds, 1.0), device=name)
        if done := grown[0] + grown[4]:
            yield figure("disk.await", (grown[3] + grown[7]) / done / 1000, device=name)
