"""A dump on the target that nobody is asked for any more."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.far_file import FarFile, read_on
from jvmdiag.capture.patience import Patience
from jvmdiag.errors import ConnectionLost, DumpIncomplete, NoSuchFile, TransferCut
from jvmdiag.hosts.local import LocalHost
from tests.fakes import FakeHost, Streamed, done

CONTENT = random.Random(3).randbytes((2 << 20) + 77)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / ".jvmdiag-a 'b.hprof"
    file.write_bytes(CONTENT)
    return file


def far(path: Path, pid: int | None = None) -> FarFile:
    return FarFile(Reach(LocalHost(), "", None, pid), str(path), look_s=0.05)


def test_one_that_nobody_can_write_any_more_is_as_long_as_it_is(path: Path) -> None:
    assert far(path).written(5) == len(CONTENT)


def test_one_that_its_jvm_has_open_is_waited_for(path: Path) -> None:
    with path.open("ab") as file:

        def end() -> None:
            file.write(b"x")
            file.close()

        threading.Timer(0.2, end).start()
        assert far(path, os.getpid()).written(10) == len(CONTENT) + 1


def test_one_that_stays_open_is_an_error_after_a_while(path: Path) -> None:
    with path.open("ab"), pytest.raises(DumpIncomplete, match="still writing"):
        far(path, os.getpid()).written(0.2)


def test_a_part_of_it_that_is_open_counts_too(path: Path) -> None:
    part = path.with_name(f"{path.name}.p0")
    with part.open("wb"), pytest.raises(DumpIncomplete, match="still writing"):
        far(path, os.getpid()).written(0.2)


def test_one_that_is_not_there_and_will_not_come_is_said_to_be_gone(path: Path) -> None:
    path.unlink()
    with pytest.raises(NoSuchFile, match="it was removed"):
        far(path).written(5)


def test_one_that_a_jvm_may_still_begin_is_waited_for(path: Path) -> None:
    path.unlink()
    threading.Timer(0.2, lambda: path.write_bytes(b"x")).start()
    assert far(path, os.getpid()).written(10) == 1


def test_its_sums_are_those_of_its_parts(path: Path) -> None:
    parts = [(0, 1 << 20), (1 << 20, 1 << 20), (2 << 20, 77)]
    assert far(path).sums(parts) == [hashlib.sha256(CONTENT[at : at + n]).hexdigest() for at, n in parts]
    assert far(path).sums([(0, len(CONTENT))]) == [hashlib.sha256(CONTENT).hexdigest()]


def test_a_sum_of_what_could_not_be_read_is_none(path: Path) -> None:
    path.unlink()
    with pytest.raises(TransferCut):
        far(path).sums([(0, 5)])


def test_a_target_without_sha256sum_has_no_sums(path: Path) -> None:
    lacks = FakeHost({lambda _: True: done("", exit_code=3)})
    assert FarFile(Reach(lacks, "", None), str(path)).sums([(0, 5)]) is None


def test_it_is_read_from_any_byte_to_its_end(path: Path) -> None:
    for offset in (0, 1, 1 << 20, len(CONTENT)):
        assert b"".join(far(path).chunks(offset)) == CONTENT[offset:]


def test_reading_goes_on_over_another_way(path: Path) -> None:
    cut = FakeHost({lambda _: True: Streamed((CONTENT[:1000],), cut=True)})
    ways: list[Exception | FarFile] = [ConnectionLost("not yet"), far(path)]

    def reopen() -> FarFile:
        way = ways.pop(0)
        if isinstance(way, Exception):
            raise way
        return way

    told: list[str] = []
    first = FarFile(Reach(cut, "", None), str(path))
    assert b"".join(read_on(first, 0, reopen, Patience(9, told.append, pauses_s=(0.01,)))) == CONTENT
    assert len(told) == 2


def test_it_goes_with_its_parts(path: Path) -> None:
    for number in (0, 95):
        path.with_name(f"{path.name}.p{number}").touch()
    assert far(path).remove()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "well"), [(b"\x2c" + bytes(8), True), (b"\x2c" + bytes(7) + b"\x01", False), (b"", False)]
)
def test_a_dump_that_was_written_to_its_end_is_told_by_its_last_record(
    path: Path, end: bytes, well: bool
) -> None:
    path.write_bytes(b"x" * 99 + end)
    assert far(path).ends_well() is well


def test_a_target_without_a_shell_is_not_waited_for(path: Path) -> None:
    lacks = FakeHost({lambda _: True: done("", exit_code=127)})
    with pytest.raises(NoSuchFile, match="cannot be looked at"):
        FarFile(Reach(lacks, "", None), str(path)).written(60)
