"""The journal of a dump that is half here."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.errors import BadRequest, NotADump
from jvmdiag.transfer.manifest import Manifest
from jvmdiag.transfer.unfinished import (
    Unfinished,
    journal_path,
    journals,
    read_unfinished,
    remove_unfinished,
    write_unfinished,
)

KNOWN = Manifest(
    kind="heap dump",
    file="web.hprof.gz",
    target="docker://web",
    method="direct",
    started_at="2026-03-01T12:00:00.250Z",
    ended_at="2026-03-01T12:00:00.250Z",
    codec="gzip",
    raw_bytes=0,
    stored_bytes=0,
    raw_sha256="",
    stored_sha256="",
)
UNFINISHED = Unfinished(
    path="/tmp/.jvmdiag-1.hprof", nspid=1, start_ticks=77, redaction="strings", manifest=KNOWN
)


def test_what_is_written_is_read_and_nobody_else_can(tmp_path: Path) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, UNFINISHED)
    assert read_unfinished(file) == UNFINISHED
    assert file.stat().st_mode & 0o777 == 0o600
    remove_unfinished(file)
    remove_unfinished(file)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_journal_is_said_to_be_none(tmp_path: Path) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, UNFINISHED)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(NotADump, match="is not a journal of jvmdiag"):
        read_unfinished(file)


def test_a_directory_and_each_name_of_a_file_lead_to_it(tmp_path: Path) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, UNFINISHED)
    for place in (tmp_path, tmp_path / "web.hprof.gz", tmp_path / "web.hprof.gz.partial", file):
        assert list(journals(place)) == [file]


def test_a_file_without_a_journal_is_an_error_and_an_empty_directory_is_none(tmp_path: Path) -> None:
    assert list(journals(tmp_path)) == []
    with pytest.raises(BadRequest, match="nothing is known of"):
        list(journals(tmp_path / "web.hprof.gz"))
