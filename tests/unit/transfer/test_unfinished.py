"""The journal of a dump that is half here."""

from __future__ import annotations

import os
from dataclasses import replace
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
    path="/tmp/.jvmdiag-0123456789ab.hprof", nspid=1, start_ticks=77, redaction="strings", manifest=KNOWN
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


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/tmp/.jvmdiag-0123456789ab.hprof.p0", "/tmp/../etc/.jvmdiag-0123456789ab.hprof", "x"],
)
def test_a_journal_that_names_another_file_of_the_target_is_not_believed(tmp_path: Path, path: str) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, replace(UNFINISHED, path=path))
    with pytest.raises(NotADump, match="no path that jvmdiag lets a JVM write to"):
        read_unfinished(file)


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "../web.hprof.gz", "other.hprof.gz"])
def test_a_journal_that_names_another_file_of_this_machine_is_not_believed(tmp_path: Path, name: str) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, replace(UNFINISHED, manifest=replace(KNOWN, file=name)))
    with pytest.raises(NotADump, match="it is of another file"):
        read_unfinished(file)


@pytest.mark.parametrize("which", ["journal", "partial"])
@pytest.mark.parametrize("how", ["link", "owner"])
def test_what_somebody_else_may_have_made_is_not_believed(tmp_path: Path, which: str, how: str) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, UNFINISHED)
    (tmp_path / "web.hprof.gz.partial").touch()
    bad = file if which == "journal" else tmp_path / "web.hprof.gz.partial"
    if how == "link":
        bad.rename(tmp_path / "elsewhere")
        bad.symlink_to(tmp_path / "elsewhere")
    elif os.geteuid() == 0:
        os.chown(bad, 12345, -1)
    else:
        pytest.skip("only root can give a file away")
    with pytest.raises(NotADump, match="belongs to somebody else, or is a link"):
        read_unfinished(file)


def test_what_a_newer_version_asked_for_is_not_left_out_silently(tmp_path: Path) -> None:
    file = journal_path(tmp_path, "web.hprof.gz")
    write_unfinished(file, UNFINISHED)
    file.write_text(file.read_text().replace('"path":', '"encrypt_to": "age1x", "path":', 1))
    with pytest.raises(NotADump, match="encrypt_to, which a newer jvmdiag understands"):
        read_unfinished(file)
