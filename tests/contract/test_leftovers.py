"""The look for leftovers, on this machine: real files, FIFOs, locks, and processes that hold them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact.leftovers import Lying, look_at, remove
from jvmdiag.model import Owner
from tests import hprof_bytes as make

DUMP = make.large_dump(1 << 16)
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="targets run Linux")


def here() -> Reach:
    return Reach(LocalHost(), "", None)


def look(path: Path) -> Lying:
    """What lies at `path` alone."""
    return look_at(here(), [str(path)], []).named[0]


def removed(one: Lying) -> str:
    return remove(here(), [one])[one.path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory whose name a shell would take apart."""
    (made := tmp_path / "a b'c\"d $(id) *").mkdir()
    return made


def test_a_whole_dump_is_told_from_one_that_was_cut(folder: Path) -> None:
    for name, content, ending in (
        ("whole", DUMP, "whole"),
        ("cut", DUMP[:-1], "cut"),
        ("text", b"hello", "other"),
        ("empty", b"", "other"),
    ):
        (path := folder / f"{name}.hprof").write_bytes(content)
        one = look(path)
        assert (one.kind, one.ending, one.size_bytes) == ("file", ending, len(content))
        assert one.uid == os.geteuid()
        assert one.user is None


def test_the_parts_of_a_dump_are_found_by_its_name_alone(folder: Path) -> None:
    dump = folder / ".jvmdiag-1.hprof"
    for name in (
        ".jvmdiag-1.hprof.p0",
        ".jvmdiag-1.hprof.p12",
        ".jvmdiag-12.hprof.p0",
        ".jvmdiag-1.hprof.pdf",
    ):
        (folder / name).write_bytes(b"x")
    found = look_at(here(), [str(dump)], []).named
    assert [(Path(one.path).name, one.kind) for one in found] == [
        (".jvmdiag-1.hprof", "missing"),
        (".jvmdiag-1.hprof.p0", "file"),
        (".jvmdiag-1.hprof.p12", "file"),
    ]


def test_what_is_looked_at_is_removed_and_nothing_else(folder: Path) -> None:
    (mine := folder / "x.hprof").write_bytes(DUMP)
    (theirs := folder / "y.hprof").write_bytes(DUMP)
    assert removed(look(mine)) == "removed"
    assert not mine.exists()
    assert theirs.read_bytes() == DUMP
    assert not look(mine).there


def test_a_file_that_somebody_has_open_stays(folder: Path) -> None:
    (path := folder / "x.hprof").write_bytes(DUMP)
    unused = look(path)
    with path.open("ab"):
        assert look(path).user == os.getpid()
        assert removed(unused) == "busy"
    assert path.read_bytes() == DUMP


def test_a_dump_that_a_client_still_asks_for_is_in_use_before_it_is_there(folder: Path) -> None:
    path = folder / "x.hprof"
    with subprocess.Popen(
        ["sh", "-c", "read -r _", f'GC.heap_dump -all "{path}"'], stdin=subprocess.PIPE
    ) as client:
        one = look(path)
        assert not one.there
        assert one.user == client.pid


def test_a_file_that_is_another_by_now_stays(folder: Path) -> None:
    (path := folder / "x.hprof").write_bytes(DUMP)
    before = look(path)
    path.rename(folder / "kept")
    path.write_bytes(DUMP)
    assert removed(before) == "changed"
    with path.open("ab") as file:
        file.write(b"more")
    assert removed(before) == "changed"
    assert path.exists()


def test_what_is_gone_by_now_is_said_to_be(folder: Path) -> None:
    (path := folder / "x.hprof").write_bytes(DUMP)
    before = look(path)
    path.unlink()
    assert removed(before) == "gone"


def test_a_link_is_named_and_what_it_leads_to_is_left(folder: Path) -> None:
    (target := folder / "precious").write_bytes(DUMP)
    (link := folder / "x.hprof").symlink_to(target)
    assert look(link).kind == "link"
    (link.parent / "dangling.hprof").symlink_to(folder / "nothing")
    assert look(link.parent / "dangling.hprof").kind == "link"
    assert target.read_bytes() == DUMP


def test_behind_a_prefix_no_link_is_followed_out_of_it(folder: Path) -> None:
    (root := folder / "root").mkdir()
    (outside := folder / "outside").mkdir()
    (outside / "x.hprof").write_bytes(DUMP)
    (root / "tmp").symlink_to(outside)
    reach = Reach(LocalHost(), str(root), None)
    there = look_at(reach, ["/tmp/x.hprof"], ["/tmp"])
    assert [one.kind for one in there.named] == ["link"]
    assert there.others == ()
    inode = (outside / "x.hprof").stat().st_ino
    followed = Lying("/tmp/x.hprof", "file", 0, 0, len(DUMP), inode)
    assert remove(reach, [followed]) == {"/tmp/x.hprof": "changed"}
    assert (outside / "x.hprof").exists()


def look_through(folder: Path) -> None:
    """Let other users into pytest's directories, which are closed to them."""
    for one in (folder, *folder.parents):
        if one != Path("/tmp") and str(one).startswith("/tmp/"):
            one.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as another user")
def test_a_directory_that_is_closed_to_the_one_who_looks_is_not_taken_for_empty(tmp_path: Path) -> None:
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    (closed / "x.hprof").write_bytes(DUMP)
    look_through(tmp_path)
    reach = Reach(LocalHost(), "", Owner(12345, 12345))
    [one] = look_at(reach, [str(closed / "x.hprof")], []).named
    assert one.kind == "closed"


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_who_waits_for_a_reader_of_a_fifo_is_let_go_when_it_is_removed(folder: Path) -> None:
    """A JVM that waits in open() stands still with its next collection, and unlinking alone would leave it there."""
    os.mkfifo(fifo := folder / ".jvmdiag-1.hprof")
    opened: list[int] = []
    waiting = in_a_thread(lambda: opened.append(os.open(fifo, os.O_WRONLY)))
    one = look(fifo)
    assert (one.kind, one.ending, one.user) == ("fifo", "", None)
    assert removed(one) == "removed"
    waiting.join(10)
    assert opened
    with pytest.raises(BrokenPipeError):
        os.write(opened[0], b"x")
    os.close(opened[0])
    assert not fifo.exists()


@dataclass(frozen=True)
class Pipes:
    """A directory of two FIFOs, as of a dump without disk."""

    path: Path

    def __post_init__(self) -> None:
        self.path.mkdir(mode=0o700)
        for fifo in self.fifos:
            os.mkfifo(fifo, 0o600)

    @property
    def fifos(self) -> tuple[Path, Path]:
        return self.path / "heap.hprof", self.path / "heap.hprof.p0"


@pytest.fixture
def pipes(folder: Path) -> Pipes:
    return Pipes(folder / ".jvmdiag-1 2.hprof")


def test_a_directory_of_fifos_is_removed_and_who_waits_in_one_is_let_go(pipes: Pipes) -> None:
    opened: list[int] = []
    waiting = [in_a_thread(lambda at=at: opened.append(os.open(at, os.O_WRONLY))) for at in pipes.fifos]  # type: ignore[misc]
    one = look(pipes.path)
    assert (one.kind, one.ending, one.user) == ("directory", "", None)
    assert removed(one) == "removed"
    for thread in waiting:
        thread.join(10)
    assert len(opened) == 2
    for fd in opened:
        with pytest.raises(BrokenPipeError):
            os.write(fd, b"x")
        os.close(fd)
    assert list(pipes.path.parent.iterdir()) == []


@pytest.mark.parametrize("made", [0, 1])
def test_one_that_was_taken_apart_half_goes_too(pipes: Pipes, made: int) -> None:
    """Its shell was killed behind the renaming, or before every FIFO was made."""
    gone = pipes.path.rename(pipes.path.with_name(f"{pipes.path.name}.gone"))
    for fifo in list(gone.iterdir())[made:]:
        fifo.unlink()
    assert removed(look(gone)) == "removed"
    assert list(gone.parent.iterdir()) == []


def test_a_directory_whose_fifo_is_read_stays_as_it_is(pipes: Pipes) -> None:
    unused = look(pipes.path)
    for fifo in pipes.fifos:
        fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        assert look(pipes.path).user == os.getpid()
        assert removed(unused) == "busy"
        os.close(fd)
    assert all(fifo.is_fifo() for fifo in pipes.fifos)


def test_a_directory_with_anything_else_in_it_stays_as_it_is(pipes: Pipes) -> None:
    before = look(pipes.path)
    for strange in (".hidden", "heap.hprof.p1"):
        (other := pipes.path / strange).write_bytes(DUMP)
        assert look(pipes.path).kind == "other"
        assert removed(replace(before, size_bytes=pipes.path.stat().st_size)) == "changed"
        other.unlink()
    (pipes.path / "link").symlink_to(pipes.fifos[0])
    assert look(pipes.path).kind == "other"
    assert all(fifo.is_fifo() for fifo in pipes.fifos)


def test_a_directory_that_is_another_by_now_stays(pipes: Pipes) -> None:
    before = look(pipes.path)
    pipes.path.rename(pipes.path.with_name("kept"))
    again = Pipes(pipes.path)
    assert removed(before) == "changed"
    assert all(fifo.is_fifo() for fifo in again.fifos)


def test_a_link_to_a_directory_is_none(pipes: Pipes) -> None:
    (link := pipes.path.with_name("link")).symlink_to(pipes.path)
    assert look(link).kind == "link"
    followed = replace(look(pipes.path), path=str(link))
    assert removed(followed) == "changed"
    assert all(fifo.is_fifo() for fifo in pipes.fifos)


def test_a_directory_goes_behind_a_prefix_too(pipes: Pipes, tmp_path: Path) -> None:
    reach = Reach(LocalHost(), str(tmp_path), None)
    inside = f"/{pipes.path.relative_to(tmp_path)}"
    [one] = look_at(reach, [inside], []).named
    assert remove(reach, [one]) == {inside: "removed"}
    assert list(pipes.path.parent.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as another user")
def test_a_directory_that_only_its_owner_may_look_into_is_closed_to_others(tmp_path: Path) -> None:
    pipes = Pipes(tmp_path / ".jvmdiag-1.hprof")
    look_through(tmp_path)
    reach = Reach(LocalHost(), "", Owner(12345, 12345))
    [one] = look_at(reach, [str(pipes.path)], []).named
    assert one.kind == "closed"
    assert remove(reach, [replace(one, kind="directory")]) == {str(pipes.path): "changed"}
    assert all(fifo.is_fifo() for fifo in pipes.fifos)


def test_a_lock_that_is_held_stays_and_one_that_is_not_goes(folder: Path) -> None:
    (lock := folder / ".jvmdiag-1-4026531840.lock").touch()
    free = look(lock)
    with subprocess.Popen(
        ["flock", str(lock), "sh", "-c", "echo held; read -r _"], stdin=-1, stdout=-1
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        assert removed(free) == "busy"
        holder.communicate(b"\n")
    assert removed(look(lock)) == "removed"


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as another user")
def test_a_lock_whose_holder_cannot_be_seen_stays(tmp_path: Path) -> None:
    """As of a run that holds it from the engine's host, looked at from inside the container."""
    look_through(tmp_path)
    (lock := tmp_path / ".jvmdiag-1-4026531840.lock").touch()
    os.chown(tmp_path, 12345, 12345)
    os.chown(lock, 12345, 12345)
    reach = Reach(LocalHost(), "", Owner(12345, 12345))
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        [one] = look_at(reach, [str(lock)], []).named
        assert one.user is None
        assert remove(reach, [one]) == {str(lock): "busy"}
    assert remove(reach, [one]) == {str(lock): "removed"}


def test_dumps_of_others_are_seen_in_their_directories_and_other_files_are_not(folder: Path) -> None:
    for name in (
        "java_pid1.hprof",
        "old.hprof.gz",
        ".jvmdiag-9.hprof",
        ".attach_pid7",
        "core.js",
        "notes.txt",
    ):
        (folder / name).write_bytes(b"hello")
    (folder / "core.4711").write_bytes(b"\x7fELF and more")
    (folder / "core").mkdir()
    os.mkfifo(folder / "core.fifo")
    (folder / "someones.hprof").mkdir()
    (folder / ".jvmdiag-7.hprof").mkdir()
    os.utime(folder / "java_pid1.hprof", (time.time() - 3600,) * 2)
    others = {Path(one.path).name: one for one in look_at(here(), [], [str(folder)]).others}
    assert sorted(others) == [
        ".attach_pid7",
        ".jvmdiag-7.hprof",
        ".jvmdiag-9.hprof",
        "core.4711",
        "java_pid1.hprof",
        "old.hprof.gz",
    ]
    assert 3600 <= others["java_pid1.hprof"].age_s < 3700
    assert others["java_pid1.hprof"].size_bytes == 5
    assert others[".jvmdiag-7.hprof"].kind == "directory"
