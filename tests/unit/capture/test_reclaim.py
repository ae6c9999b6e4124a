"""Disk that is given back while a dump is copied: holes in a real file."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.reclaim import Reclaim
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.local import LocalHost
from tests.fakes import FakeHost, Streamed

HERE = Reach(LocalHost(), "", None)
SIZE = 4 << 20


def test_what_is_safe_here_takes_no_disk_there_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "a 'dump"
    file.write_bytes(b"x" * SIZE)
    before = file.stat().st_blocks
    told: list[str] = []
    reclaim = Reclaim(str(file), told.append)
    assert reclaim.works(HERE)
    for safe in (1 << 20, 1 << 20, 3 << 20):
        reclaim.safe(safe)
    reclaim.close()
    assert file.stat().st_blocks <= before // 4 + 8
    assert file.read_bytes() == bytes(3 << 20) + b"x" * (1 << 20)
    assert told == []


def test_where_a_hole_cannot_be_made_it_says_so_once(tmp_path: Path) -> None:
    told: list[str] = []
    reclaim = Reclaim(str(tmp_path / "not there"), told.append)
    assert reclaim.works(HERE)
    reclaim.safe(1)
    reclaim.close()
    assert not reclaim.works(HERE)
    reclaim.close()
    assert len(told) == 1
    assert "is not given back" in told[0]


def test_a_target_without_fallocate_is_known_before_anybody_counts_on_it() -> None:
    told: list[str] = []
    reclaim = Reclaim("/x", told.append)
    lacks = Reach(
        FakeHost({lambda _: True: Streamed(exit_code=3, stderr=b"there is no fallocate")}), "", None
    )
    assert not reclaim.works(lacks)
    assert not reclaim.works(lacks)
    assert told == ["the disk of the dump there is not given back meanwhile: there is no fallocate"]


def test_a_way_that_breaks_ends_it_and_nothing_else() -> None:
    told: list[str] = []
    reclaim = Reclaim("/x", told.append)
    assert not reclaim.works(Reach(FakeHost({lambda _: True: ConnectionLost("cut")}), "", None))
    reclaim.safe(1)
    reclaim.close()
    assert len(told) == 1
