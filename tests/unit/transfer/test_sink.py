"""The file that has its name only when it is whole."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jvmdiag.errors import LocalDiskFull, NotWritable, OutputExists
from jvmdiag.transfer.sink import PartialFile, free_bytes, private_directory, take_name

NOBODY = 65534


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def no_file_larger_than(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def without_the_right_to_write(directory: Path) -> Iterator[None]:
    directory.chmod(0o500)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)  # root may write everywhere
    try:
        yield
    finally:
        os.seteuid(0)


def no_links(_old: Path, _new: Path) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def test_the_name_is_taken_at_commit_and_not_before(tmp_path: Path) -> None:
    with PartialFile(tmp_path, "heap.hprof") as file:
        file.write(b"abc")
        file.write(b"def")
        assert [entry.name for entry in tmp_path.iterdir()] == ["heap.hprof.partial"]
        assert file.commit() == tmp_path / "heap.hprof"
    assert [entry.name for entry in tmp_path.iterdir()] == ["heap.hprof"]
    assert (tmp_path / "heap.hprof").read_bytes() == b"abcdef"
    assert file.size_bytes == 6


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
def test_nobody_else_can_read_it_from_the_first_byte(tmp_path: Path, mask: int) -> None:
    with umask(mask), PartialFile(tmp_path, "heap.hprof") as file:
        assert mode(file.partial) == 0o600
        file.commit()
        assert mode(file.path) == 0o600


def test_leaving_without_commit_removes_it(tmp_path: Path) -> None:
    with PartialFile(tmp_path, "heap.hprof") as file:
        file.write(b"abc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_exception_removes_it_and_passes(tmp_path: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), PartialFile(tmp_path, "heap.hprof") as file:
        file.write(b"abc")
        raise stop
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_an_error_before_the_first_byte(tmp_path: Path) -> None:
    (tmp_path / "heap.hprof").write_bytes(b"precious")
    with pytest.raises(OutputExists), PartialFile(tmp_path, "heap.hprof"):
        pytest.fail("it was entered")
    assert (tmp_path / "heap.hprof").read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_to_nowhere_is_an_existing_file_too(tmp_path: Path) -> None:
    (tmp_path / "heap.hprof").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExists), PartialFile(tmp_path, "heap.hprof"):
        pytest.fail("it was entered")


def test_a_leftover_partial_is_named_with_the_command_that_removes_it(tmp_path: Path) -> None:
    leftover = tmp_path / "a b.hprof.partial"
    leftover.write_bytes(b"half")
    with pytest.raises(OutputExists) as caught, PartialFile(tmp_path, "a b.hprof"):
        pytest.fail("it was entered")
    assert f"rm -- '{leftover}'" in caught.value.advice[0]
    assert leftover.read_bytes() == b"half"


def test_a_link_in_the_place_of_the_partial_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "heap.hprof.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputExists), PartialFile(tmp_path, "heap.hprof"):
        pytest.fail("it was entered")
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_a_name_taken_meanwhile_is_not_overwritten_and_the_dump_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputExists) as caught, PartialFile(tmp_path, "heap.hprof") as file:
        file.write(b"dump")
        (tmp_path / "heap.hprof").write_bytes(b"precious")
        file.commit()
    assert (tmp_path / "heap.hprof").read_bytes() == b"precious"
    assert (tmp_path / "heap.hprof.partial").read_bytes() == b"dump"
    assert "mv -n" in caught.value.advice[0]


def test_without_hard_links_the_name_is_taken_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "x.partial").write_bytes(b"dump")
    take_name(tmp_path / "x.partial", tmp_path / "x", link=no_links)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("x", b"dump")]


def test_without_hard_links_nothing_is_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "x.partial").write_bytes(b"dump")
    (tmp_path / "x").write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        take_name(tmp_path / "x.partial", tmp_path / "x", link=no_links)
    assert (tmp_path / "x").read_bytes() == b"precious"
    assert (tmp_path / "x.partial").read_bytes() == b"dump"


def test_without_hard_links_a_failing_rename_leaves_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        take_name(tmp_path / "absent.partial", tmp_path / "x", link=no_links)
    assert not list(tmp_path.iterdir())


def test_a_file_that_finds_no_room_says_how_much_did_and_is_removed(tmp_path: Path) -> None:
    with (
        no_file_larger_than(4096),
        pytest.raises(LocalDiskFull) as caught,
        PartialFile(tmp_path, "heap.hprof") as file,
    ):
        file.write(b"x" * 5000)
    assert "4,096 bytes" in caught.value.why
    assert any("-o" in line for line in caught.value.advice)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device_is_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(LocalDiskFull) as caught, PartialFile(tmp_path, "heap.hprof") as file:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        os.close(full)
        file.write(b"x")
    assert "no space is left" in caught.value.why
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there_or_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, words in ((tmp_path / "absent", "no such directory"), (tmp_path / "file", "no directory")):
        with pytest.raises(NotWritable, match=words), PartialFile(place, "heap.hprof"):
            pytest.fail("it was entered")


def test_a_directory_without_the_right_to_write_is_named(tmp_path: Path) -> None:
    with (
        without_the_right_to_write(tmp_path),
        pytest.raises(NotWritable, match="permission denied"),
        PartialFile(tmp_path, "heap.hprof"),
    ):
        pytest.fail("it was entered")


def test_a_new_output_directory_is_private_with_its_parents(tmp_path: Path) -> None:
    with umask(0):
        made = private_directory(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert (mode(tmp_path / "a"), mode(made)) == (0o700, 0o700)


def test_an_existing_output_directory_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    private_directory(tmp_path / "there")
    assert mode(tmp_path / "there") == 0o755


def test_a_file_in_the_place_of_the_output_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotWritable):
            private_directory(place)


def test_the_room_is_that_of_the_file_system_also_before_the_directory_is_made(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    assert free_bytes(tmp_path / "not" / "yet") > 0


def test_one_that_was_there_is_gone_on_with_and_stays_whatever_happens(tmp_path: Path) -> None:
    partial = tmp_path / "dump.partial"
    partial.write_bytes(b"good and bad")
    with pytest.raises(KeyboardInterrupt), PartialFile(tmp_path, "dump", again=True) as file:
        assert file.size_bytes == 12
        file.cut(4)
        file.write(b" rest")
        raise KeyboardInterrupt
    assert partial.read_bytes() == b"good rest"


def test_two_cannot_go_on_with_the_same(tmp_path: Path) -> None:
    with PartialFile(tmp_path, "dump") as file:
        file.write(b"x")
        with pytest.raises(OutputExists, match="is being written"), PartialFile(tmp_path, "dump", again=True):
            pass
        assert file.partial.read_bytes() == b"x"


def test_going_on_with_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotWritable), PartialFile(tmp_path, "dump", again=True):
        pass


def test_bytes_that_are_kept_stay_also_where_the_disk_does_not_take_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PartialFile(tmp_path, "dump") as file:
        file.write(b"x")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(LocalDiskFull):
            file.keep_partial()
    assert file.partial.read_bytes() == b"x"
