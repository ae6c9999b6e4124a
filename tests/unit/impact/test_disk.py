"""Where a dump may be written: by the JVM's user, with room left for others, and never into its own memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from jvmdiag.errors import NoSpaceOnTarget, ReadOnlyTarget, WouldBeKilled
from jvmdiag.impact.disk import (
    MARGIN,
    RESERVE_BYTES,
    Room,
    bursts_memory,
    candidates,
    choose_room,
    disk_findings,
    dump_bytes_on_disk,
    mount_of,
    roomiest,
    scratch_path,
)
from jvmdiag.impact.finding import Finding, Level, Subject
from jvmdiag.model import Jvm, MemoryLimit, Mount
from tests.unit.jvm.probe_case import the_jvm_of

TOMCAT = the_jvm_of("tomcat-inside")
LIMITED = the_jvm_of("options-and-limit-inside")
MIB = 1 << 20
GIB = 1 << 30


def disk(directory: str, free_bytes: int, *, writable: bool = True) -> Room:
    return Room(directory, "overlay", writable, free_bytes, in_memory=False)


def memory(directory: str, free_bytes: int) -> Room:
    return Room(directory, "tmpfs", writable=True, free_bytes=free_bytes, in_memory=True)


def test_a_directory_that_was_named_is_the_only_one_that_is_looked_at() -> None:
    assert candidates(TOMCAT, "/data") == ("/data",)


def test_tmp_comes_first_then_the_jvms_own_then_every_mount_for_files_once_each() -> None:
    jvm = replace(
        TOMCAT,
        options=("-Djava.io.tmpdir=/scratch", "-Dcatalina.base=/srv/tc", "-XX:HeapDumpPath=/dumps/"),
        cwd="/srv/tc",
        mounts=(
            Mount("/", "overlay", "overlay", read_only=False),
            Mount("/proc", "proc", "proc", read_only=False),
            Mount("/data", "ext4", "/dev/vda", read_only=False),
            Mount("/frozen", "ext4", "/dev/vda", read_only=True),
            Mount("/tmp", "tmpfs", "tmpfs", read_only=False),
        ),
    )
    assert candidates(jvm, None) == (
        "/tmp",
        "/var/tmp",
        "/scratch",
        "/srv/tc/temp",
        "/srv/tc",
        "/dumps",
        "/",
        "/data",
        "/dev/shm",
    )


def test_a_jvm_that_is_no_tomcat_has_no_directory_of_tomcats() -> None:
    assert "/temp" not in candidates(the_jvm_of("jdk17-listening-host"), None)


def test_relative_and_empty_directories_are_none() -> None:
    jvm = replace(TOMCAT, options=("-Djava.io.tmpdir=work", "-Djava.io.tmpdir"), cwd="", mounts=())
    assert candidates(jvm, None) == ("/tmp", "/var/tmp", "/dev/shm")


def mount(point: str, fstype: str = "ext4") -> Mount:
    return Mount(point, fstype, "x", read_only=False)


def test_the_deepest_mount_holds_a_path_and_of_two_at_one_point_the_later() -> None:
    mounts = (mount("/"), mount("/data", "old"), mount("/data/x"), mount("/data", "new"), mount("/dat"))
    for path, expected in (
        ("/data/y", "new"),
        ("/data", "new"),
        ("/data/x/z", "ext4"),
        ("/database", "ext4"),
    ):
        found = mount_of(mounts, path)
        assert found is not None
        assert found.fstype == expected
    assert mount_of(mounts, "/database") == mount("/")
    assert mount_of((), "/tmp") is None


@pytest.mark.parametrize(
    ("version", "times"), [("11.0.13", 1), ("21.0.8", 1), ("22", 2), ("25.0.2", 2), (None, 1)]
)
def test_a_jvm_of_22_and_later_takes_the_room_twice(version: str | None, times: int) -> None:
    assert dump_bytes_on_disk(replace(TOMCAT, version=version), GIB) == int(GIB * MARGIN * times)


def chosen(rooms: Sequence[Room], jvm: Jvm = TOMCAT, need: int = GIB) -> str | None:
    room = choose_room(rooms, jvm, need)
    return room.directory if room else None


def test_the_first_directory_with_room_is_chosen_and_a_disk_before_memory() -> None:
    rooms = (memory("/tmp", 9 * GIB), disk("/var/tmp", 100), disk("/data", 9 * GIB), disk("/more", 99 * GIB))
    assert chosen(rooms) == "/data"


def test_a_reserve_is_left_on_a_disk_to_the_byte() -> None:
    assert chosen([disk("/a", GIB + RESERVE_BYTES)]) == "/a"
    assert chosen([disk("/a", GIB + RESERVE_BYTES - 1)]) is None


def test_memory_is_taken_where_nothing_else_is_there_and_the_limit_bears_it() -> None:
    assert chosen([memory("/dev/shm", 2 * GIB)]) == "/dev/shm"
    found = disk_findings([memory("/dev/shm", 2 * GIB)], TOMCAT, GIB, None)
    assert [(f.subject, f.level) for f in found] == [(Subject.DISK, Level.OK), (Subject.MEMORY, Level.RISKY)]


def test_where_none_has_enough_the_roomiest_is_a_disk() -> None:
    rooms = (memory("/tmp", 9 * GIB), disk("/a", 5), disk("/b", 7), disk("/c", 9, writable=False))
    assert roomiest(rooms) == rooms[2]
    assert roomiest([rooms[3]]) is None


def limited(limit: int, used: int) -> Jvm:
    return replace(TOMCAT, memory=MemoryLimit(limit, used))


def refusal(rooms: Sequence[Room], jvm: Jvm = TOMCAT, limit: int | None = None) -> Finding:
    [found] = disk_findings(rooms, jvm, GIB, limit)
    assert found.level is Level.REFUSED
    return found


def test_a_dump_that_would_get_the_container_killed_is_refused() -> None:
    found = refusal([memory("/tmp", 9 * GIB)], limited(2 * GIB, GIB))
    assert (found.subject, found.error) == (Subject.MEMORY, WouldBeKilled)
    assert "1.1 GB of its limit of 2.1 GB are in use" in found.what


def test_a_file_size_limit_of_its_user_is_found() -> None:
    found = refusal([disk("/data", 99 * GIB)], limit=GIB)
    assert (found.subject, found.error) == (Subject.DISK, NoSpaceOnTarget)
    assert "ulimit -f" in found.what
    assert disk_findings([disk("/data", 99 * GIB)], TOMCAT, GIB, 2 * GIB)[0].level is Level.OK


def test_the_limit_bears_a_dump_up_to_its_last_byte() -> None:
    room = memory("/tmp", 9 * GIB)
    assert not bursts_memory(room, limited(2 * GIB, GIB), GIB)
    assert bursts_memory(room, limited(2 * GIB, GIB), GIB + 1)
    assert not bursts_memory(room, TOMCAT, 99 * GIB)
    assert not bursts_memory(disk("/tmp", 1), limited(GIB, GIB), 99 * GIB)


def test_a_target_that_cannot_be_written_at_all_is_told_from_one_that_is_full() -> None:
    frozen = disk("/tmp", 9 * GIB, writable=False)
    closed = refusal([frozen])
    assert closed.error is ReadOnlyTarget
    assert "looked at /tmp (overlay, not writable)" in closed.advice
    full = refusal([frozen, disk("/data", 300 * MIB)])
    assert full.error is NoSpaceOnTarget
    assert "looked at /data (overlay, 315 MB free)" in full.advice


def test_a_scratch_name_is_hidden_and_never_the_same() -> None:
    names = {scratch_path(disk("/data/", 1)) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("/data/.jvmdiag-") and name.endswith(".hprof") for name in names)
    assert scratch_path(disk("/", 1)).startswith("/.jvmdiag-")
