"""A small file is whole or not there, and has no name before."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from jvmdiag.errors import NotWritable
from jvmdiag.transfer.whole import write_whole


def named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that knows no files without a name: macOS, say."""
    monkeypatch.delattr(os, "O_TMPFILE")


@pytest.mark.parametrize("prepare", [lambda _: None, named_alone])
def test_it_takes_its_name_whole_and_in_place_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[pytest.MonkeyPatch], None]
) -> None:
    prepare(monkeypatch)
    final = tmp_path / "it.json"
    for text in (b"one", b"two"):
        write_whole(final, text)
        assert final.read_bytes() == text
        assert stat.S_IMODE(final.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["it.json"]


def test_before_it_is_whole_no_name_leads_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    fsync = os.fsync

    def spied(fd: int) -> None:
        seen.append([path.name for path in tmp_path.iterdir()])
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spied)
    write_whole(tmp_path / "it.json", b"one")
    assert seen[0] == []


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotWritable):
        write_whole(tmp_path / "gone/it.json", b"one")
