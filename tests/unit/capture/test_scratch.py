"""Where a dump may be written: by the JVM's user, with room left for others, and never into its own memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.scratch import (
    MARGIN,
    RESERVE_BYTES,
    Room,
    bursts_memory,
    candidates,
    choose_room,
    dump_bytes_on_disk,
    look_for_room,
    mount_of,
    scratch_path,
)
from jvmdiag.errors import NoSpaceOnTarget, ReadOnlyTarget
from jvmdiag.hosts.local import LocalHost
from jvmdiag.model import Jvm, MemoryLimit, Mount
from tests.fakes import FakeHost, done
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


@pytest.mark.skipif(sys.platform != "linux", reason="the survey is for targets, which run Linux")
def test_real_directories_are_looked_at_in_one_command(tmp_path: Path) -> None:
    there = tmp_path / "a b$x"
    there.mkdir()
    host = FakeHost(elsewhere=LocalHost())
    owner = replace(TOMCAT.owner, uid=there.stat().st_uid, gid=there.stat().st_gid)
    rooms = look_for_room(
        Reach(host, "", None), replace(TOMCAT, owner=owner), [str(there), str(tmp_path / "none")]
    )
    assert [(room.directory, room.writable) for room in rooms] == [
        (str(there), True),
        (str(tmp_path / "none"), False),
    ]
    assert rooms[0].free_bytes > 0
    assert len(host.asked) == 1


def test_the_survey_is_made_as_the_jvms_user_behind_the_prefix() -> None:
    host = FakeHost({lambda argv: argv[3:5] == ("sh", "/proc/7/root"): done("yes 4096 1000\nno 0 0\n")})
    rooms = look_for_room(Reach(host, "/proc/7/root", None), TOMCAT, ["/tmp", "/frozen"])
    assert host.asked[0].user == TOMCAT.owner
    assert host.asked[0].argv[5:] == ("/tmp", "/frozen")
    assert [(room.directory, room.writable, room.free_bytes) for room in rooms] == [
        ("/tmp", True, 4_096_000),
        ("/frozen", False, 0),
    ]


def test_a_directory_has_the_type_of_the_mount_that_holds_it() -> None:
    host = FakeHost({lambda argv: True: done("yes 4096 10\n" * 3)})
    rooms = look_for_room(Reach(host, "", None), LIMITED, ["/tmp", "/scratch/x", "/dev/shm"])
    assert [(room.fstype, room.in_memory) for room in rooms] == [
        ("overlay", False),
        ("tmpfs", True),
        ("tmpfs", True),
    ]


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


def test_the_first_directory_with_room_is_chosen_and_a_disk_before_memory() -> None:
    rooms = (memory("/tmp", 9 * GIB), disk("/var/tmp", 100), disk("/data", 9 * GIB), disk("/more", 99 * GIB))
    assert choose_room(rooms, TOMCAT, GIB).directory == "/data"


def test_a_reserve_is_left_on_a_disk_to_the_byte() -> None:
    need = dump_bytes_on_disk(TOMCAT, GIB)
    assert choose_room([disk("/a", need + RESERVE_BYTES)], TOMCAT, GIB).directory == "/a"
    with pytest.raises(NoSpaceOnTarget):
        choose_room([disk("/a", need + RESERVE_BYTES - 1)], TOMCAT, GIB)


def test_memory_is_taken_where_nothing_else_is_there_and_the_limit_bears_it() -> None:
    assert choose_room([memory("/dev/shm", 2 * GIB)], TOMCAT, GIB).directory == "/dev/shm"


def limited(limit: int, used: int) -> Jvm:
    return replace(TOMCAT, memory=MemoryLimit(limit, used))


def test_a_dump_that_would_get_the_container_killed_is_refused() -> None:
    with pytest.raises(NoSpaceOnTarget, match="memory limit"):
        choose_room([memory("/tmp", 9 * GIB)], limited(2 * GIB, GIB), GIB)


def test_the_limit_bears_a_dump_up_to_its_last_byte() -> None:
    room = memory("/tmp", 9 * GIB)
    assert not bursts_memory(room, limited(2 * GIB, GIB), GIB)
    assert bursts_memory(room, limited(2 * GIB, GIB), GIB + 1)
    assert not bursts_memory(room, TOMCAT, 99 * GIB)
    assert not bursts_memory(disk("/tmp", 1), limited(GIB, GIB), 99 * GIB)


def test_a_target_that_cannot_be_written_at_all_is_told_from_one_that_is_full() -> None:
    frozen = disk("/tmp", 9 * GIB, writable=False)
    with pytest.raises(ReadOnlyTarget) as caught:
        choose_room([frozen], TOMCAT, GIB)
    assert "  /tmp (overlay, not writable)" in caught.value.advice
    with pytest.raises(NoSpaceOnTarget) as full:
        choose_room([frozen, disk("/data", 300 * MIB)], TOMCAT, GIB)
    assert "  /data (overlay, 315 MB free)" in full.value.advice


def test_a_scratch_name_is_hidden_and_never_the_same() -> None:
    names = {scratch_path(disk("/data/", 1)) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("/data/.jvmdiag-") and name.endswith(".hprof") for name in names)
    assert scratch_path(disk("/", 1)).startswith("/.jvmdiag-")
