"""What surrounds a JVM: the script on real directories, the parser on what it says elsewhere."""

from __future__ import annotations

import fcntl
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact.around import Surroundings, lock_path, look_around, parse_around
from jvmdiag.model import Jvm, Owner
from tests.fakes import FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of

TOMCAT = the_jvm_of("tomcat-inside")
LIMITED = the_jvm_of("options-and-limit-inside")
here = pytest.mark.skipif(sys.platform != "linux", reason="the script is for targets, which run Linux")


def this_process() -> Jvm:
    return replace(TOMCAT, pid=os.getpid(), nspids=(os.getpid(),), owner=Owner(os.geteuid(), os.getegid()))


def parsed(*lines: str, jvm: Jvm = TOMCAT) -> Surroundings:
    return parse_around("\n".join((*lines, "end", "")), jvm)


@here
def test_real_directories_and_dumps_are_seen_in_one_command(tmp_path: Path) -> None:
    there = tmp_path / "a b$x"
    there.mkdir()
    (there / "old one.hprof").write_bytes(b"x" * 7)
    (there / ".jvmdiag-0123.hprof.p0").write_bytes(b"")
    os.utime(there / "old one.hprof", (1, 1))
    host = FakeHost(elsewhere=LocalHost())
    found = look_around(Reach(host, "", None), this_process(), [str(there), str(tmp_path / "none")])
    assert [(room.directory, room.writable) for room in found.rooms] == [
        (str(there), True),
        (str(tmp_path / "none"), False),
    ]
    assert found.rooms[0].free_bytes > 0
    assert {(dump.path, dump.size_bytes) for dump in found.dumps} == {
        (f"{there}/old one.hprof", 7),
        (f"{there}/.jvmdiag-0123.hprof.p0", 0),
    }
    assert max(dump.age_s for dump in found.dumps) > 1e9
    assert found.cpus is not None and 0 < found.cpus <= (os.cpu_count() or 1)
    assert not found.locked
    assert len(host.asked) == 1


@here
def test_a_link_is_no_directory_where_it_leads_out_of_the_jvms_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "data").symlink_to("/etc")
    found = look_around(Reach(LocalHost(), str(tmp_path), None), this_process(), ["/data", "/etc"])
    assert [(room.writable, room.linked) for room in found.rooms] == [(False, True), (True, False)]


@here
def test_a_lock_that_somebody_holds_is_seen_and_one_that_nobody_holds_is_none(tmp_path: Path) -> None:
    (tmp_path / "dev/shm").mkdir(parents=True)
    jvm, reach = this_process(), Reach(LocalHost(), str(tmp_path), None)
    with (tmp_path / lock_path(jvm).lstrip("/")).open("w") as file:
        assert not look_around(reach, jvm, ["/tmp"]).locked
        fcntl.flock(file, fcntl.LOCK_EX)
        assert look_around(reach, jvm, ["/tmp"]).locked


def test_the_look_is_made_as_the_jvms_user_behind_the_prefix() -> None:
    said = done("now 1\ndir yes 4096 1000 /tmp\ndir no 0 0 /frozen x\nend\n")
    host = FakeHost({lambda argv: argv[3:6] == ("sh", "7", "/proc/7/root"): said})
    jvm = replace(TOMCAT, pid=7)
    rooms = look_around(Reach(host, "/proc/7/root", None), jvm, ["/tmp", "/frozen x"]).rooms
    assert host.asked[0].user == TOMCAT.owner
    assert host.asked[0].argv[7:] == ("/tmp", "/frozen x")
    assert [(room.directory, room.writable, room.free_bytes) for room in rooms] == [
        ("/tmp", True, 4_096_000),
        ("/frozen x", False, 0),
    ]


def test_a_directory_has_the_type_of_the_mount_that_holds_it() -> None:
    lines = [f"dir yes 4096 10 {name}" for name in ("/tmp", "/scratch/x", "/dev/shm")]
    rooms = parsed(*lines, jvm=LIMITED).rooms
    assert [(room.fstype, room.in_memory) for room in rooms] == [
        ("overlay", False),
        ("tmpfs", True),
        ("tmpfs", True),
    ]


@pytest.mark.parametrize(
    ("lines", "cpus"),
    [
        (("cpus 00000000,00000000,000000ff",), 8.0),
        (("cpus ff", "quota 50000 100000", "quota max 100000"), 0.5),
        (("cpus ff", "quota -1 100000"), 8.0),
        (("cpus ff", "quota 1600000 100000", "quota 300000 100000"), 3.0),
        (("cpus",), None),
        ((), None),
    ],
)
def test_the_cpus_are_the_tightest_of_affinity_and_quotas(lines: tuple[str, ...], cpus: float | None) -> None:
    assert parsed(*lines).cpus == cpus


@pytest.mark.parametrize(
    ("load", "contention"), [("8.40 2", 4.2), ("0.50 2", 1.0), ("3.00 ", 1.0), ("", 1.0)]
)
def test_a_machine_that_has_more_to_do_than_cpus_is_seen(load: str, contention: float) -> None:
    assert parsed(f"load {load}").contention == pytest.approx(contention)


def test_the_jvms_own_word_on_its_processors_counts() -> None:
    jvm = replace(TOMCAT, options=("-XX:ActiveProcessorCount=2",))
    assert parsed("cpus ff", jvm=jvm).cpus == 2.0


@pytest.mark.parametrize(
    ("span", "silent_s"),
    [("30s", 15.0), ("1min 30s", 45.0), ("500ms", 0.25), ("infinity", None), ("0", None)],
)
def test_a_watchdog_may_bite_after_half_its_time(span: str, silent_s: float | None) -> None:
    watchdog = parsed(f"watchdog {span} tomcat.service").watchdog
    assert (watchdog.silent_s if watchdog else None) == silent_s
    if watchdog:
        assert watchdog.kills and "tomcat.service" in watchdog.by


def test_limits_and_a_lock_are_read_and_what_is_missing_is_not_there() -> None:
    assert parsed("filesize 1048576", "locked").file_size_limit_bytes == 1 << 20
    nothing = parsed("now 0", "filesize ")
    assert (nothing.file_size_limit_bytes, nothing.locked, nothing.dumps) == (None, False, ())


def test_a_look_that_was_cut_is_an_error_and_no_empty_answer() -> None:
    with pytest.raises(CommandRefused, match="no shell"):
        parse_around("now 1\ndir yes 1 1 /tmp\n", TOMCAT, why="no shell")
