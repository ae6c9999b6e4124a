"""Disk that is given back while a dump is copied: holes in a real file."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.reclaim import Reclaim
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.local import LocalHost
from tests.fakes import FakeHost

HERE = Reach(LocalHost(), "", None)
SIZE = 4 << 20


def test_what_is_safe_here_takes_no_disk_there_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "a 'dump"
    file.write_bytes(b"x" * SIZE)
    before = file.stat().st_blocks
    told: list[str] = []
    reclaim = Reclaim(str(file), told.append)
    for safe in (1 << 20, 1 << 20, 3 << 20):
        reclaim.safe(HERE, safe)
    reclaim.close()
    assert file.stat().st_blocks <= before // 4 + 8
    assert file.read_bytes() == bytes(3 << 20) + b"x" * (1 << 20)
    assert told == []


def test_where_it_cannot_it_says_so_once_and_the_file_is_as_it_was(tmp_path: Path) -> None:
    told: list[str] = []
    reclaim = Reclaim(str(tmp_path / "not there"), told.append)
    reclaim.safe(HERE, 1)
    reclaim.close()
    reclaim.safe(HERE, 2)
    reclaim.close()
    assert len(told) == 1
    assert "is not given back" in told[0]


def test_a_way_that_breaks_ends_it_and_nothing_else(tmp_path: Path) -> None:
    told: list[str] = []
    reclaim = Reclaim(str(tmp_path / "x"), told.append)
    broken = Reach(FakeHost({lambda _: True: ConnectionLost("cut")}), "", None)
    reclaim.safe(broken, 1)
    reclaim.safe(broken, 2)
    reclaim.close()
    assert len(told) == 1
