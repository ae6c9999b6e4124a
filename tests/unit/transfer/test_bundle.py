"""A snapshot's folder and archive: private, whole or not at all, and verified file by file."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from jvmdiag.errors import NotADump, OutputExists
from jvmdiag.transfer.bundle import FAILED, PARTIAL, TAKEN, Bundle, BundledItem, Folder, write_archive
from jvmdiag.transfer.document import document_bytes
from jvmdiag.transfer.manifest import JvmFacts
from jvmdiag.transfer.verify import verify_file

JVM = JvmFacts(1, 1, "app", "7:7", "HotSpot", "17.0.1", None, "/bin/java", "Main", (), 1.0)


def a_bundle(*items: BundledItem) -> Bundle:
    return Bundle(
        target="docker://web", jvm=JVM, risk="light", started_at="", ended_at="", took_s=1.0, items=items
    )


def a_snapshot(directory: Path, **files: bytes) -> tuple[Path, Bundle]:
    folder = Folder(directory, "snap")
    items = [BundledItem(name="lost", status=FAILED, why="it was refused")]
    for name, data in (files or {"a.txt": b"one\n", "logs/b.log": b"two\n"}).items():
        stored = folder.write(name, data)
        items.append(
            BundledItem(
                name=name, status=TAKEN, file=name, size_bytes=stored.size_bytes, sha256=stored.sha256
            )
        )
    bundle = a_bundle(*items)
    folder.write_manifest(bundle)
    return folder.commit(), bundle


def disagreeing(place: Path) -> dict[str, str]:
    verdict = verify_file(place)
    assert verdict.ok is not bool([w for w in verdict.witnesses if not w.agrees])
    return {witness.name: witness.detail for witness in verdict.witnesses if not witness.agrees}


def test_it_is_private_and_takes_its_name_at_the_end(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = Folder(tmp_path, "snap")
        folder.write("logs/a.log", b"text")
        assert not (tmp_path / "snap").exists()
        assert {stat.S_IMODE(p.stat().st_mode) for p in (folder.path, folder.path / "logs")} == {0o700}
        assert stat.S_IMODE((folder.path / "logs/a.log").stat().st_mode) == 0o600
        assert folder.commit() == tmp_path / "snap"
    finally:
        os.umask(before)


def test_a_name_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "snap")
    with pytest.raises(OutputExists):
        Folder(tmp_path, "snap")
    (tmp_path / "snap").mkdir()
    with pytest.raises(OutputExists):
        folder.commit()


def test_what_is_partial_is_in_the_archive_and_verified_as_well(tmp_path: Path) -> None:
    folder, bundle = a_snapshot(tmp_path)
    cut = replace(bundle, items=(*bundle.items[:-1], replace(bundle.items[-1], status=PARTIAL)))
    (folder / "manifest.json").write_bytes(document_bytes(asdict(cut)))
    archive, _ = write_archive(folder, cut)
    assert len(verify_file(folder).witnesses) == len(verify_file(archive).witnesses) == 2
    (folder / "logs/b.log").write_bytes(b"TWO\n")
    assert list(disagreeing(folder)) == ["logs/b.log"]


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_what_is_whole_is_verified_file_by_file(tmp_path: Path, form: str) -> None:
    folder, bundle = a_snapshot(tmp_path)
    archive, pumped = write_archive(folder, bundle)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert archive.stat().st_size == pumped.stored_bytes
    verdict = verify_file(folder if form == "folder" else archive)
    assert (verdict.ok, verdict.kind, verdict.raw_bytes) == (True, "snapshot", 8)
    assert [witness.name for witness in verdict.witnesses] == ["a.txt", "logs/b.log"]


def test_the_archive_is_a_tar_like_any_other(tmp_path: Path) -> None:
    folder, bundle = a_snapshot(tmp_path, **{"long/" + "x" * 150: bytes(1023), "empty": b"", "a": bytes(512)})
    archive, _ = write_archive(folder, bundle)
    with tarfile.open(archive) as tar:
        sizes = {member.name: member.size for member in tar.getmembers()}
    assert sizes.pop("snap/manifest.json") > 0
    assert sizes == {"snap/long/" + "x" * 150: 1023, "snap/empty": 0, "snap/a": 512}
    assert verify_file(archive).ok


def test_a_file_that_was_changed_or_is_gone_is_named(tmp_path: Path) -> None:
    folder, _ = a_snapshot(tmp_path)
    (folder / "a.txt").write_bytes(b"onf\n")
    (folder / "logs/b.log").unlink()
    wrong = disagreeing(folder)
    assert "the manifest says" in wrong["a.txt"] and "not there" in wrong["logs/b.log"]


def test_a_link_is_no_file_of_it(tmp_path: Path) -> None:
    folder, _ = a_snapshot(tmp_path)
    (tmp_path / "elsewhere").write_bytes(b"one\n")
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(tmp_path / "elsewhere")
    assert disagreeing(folder).keys() == {"a.txt"}


@pytest.mark.parametrize("file", ["../outside", "/etc/hostname", ""])
def test_a_manifest_that_leads_out_of_its_folder_is_not_followed(tmp_path: Path, file: str) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    folder = Folder(tmp_path, "snap")
    folder.write_manifest(a_bundle(BundledItem(name="x", status=TAKEN, file=file, size_bytes=1, sha256="0")))
    assert "not there" in disagreeing(folder.commit())[file]


def test_an_archive_that_was_cut_says_what_is_missing(tmp_path: Path) -> None:
    big = os.urandom(200_000)
    folder, bundle = a_snapshot(tmp_path, first=b"1", big=big)
    archive, _ = write_archive(folder, bundle)
    archive.write_bytes(archive.read_bytes()[:-100_000])
    assert disagreeing(archive).keys() == {"big", "archive"}


@pytest.mark.parametrize(
    "damaged", [lambda raw: raw[:-4], lambda raw: raw[:-8] + bytes(8), lambda raw: raw + b"x"]
)
def test_an_archive_that_tar_would_complain_of_is_not_whole(
    tmp_path: Path, damaged: Callable[[bytes], bytes]
) -> None:
    folder, bundle = a_snapshot(tmp_path)
    archive, _ = write_archive(folder, bundle)
    archive.write_bytes(damaged(archive.read_bytes()))
    assert disagreeing(archive).keys() == {"archive"}


def test_any_other_archive_and_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "a.txt", "snap/a.txt")
    assert verify_file(tmp_path / "other.tar.gz").kind == "file"
    with pytest.raises(NotADump, match="directory"):
        verify_file(tmp_path)


def test_a_manifest_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schema": "other/1"}')
    with pytest.raises(NotADump, match="manifest of a snapshot"):
        verify_file(tmp_path)


def test_an_item_more_replaces_the_manifest(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "snap")
    first = a_bundle()
    folder.write_manifest(first)
    folder.write("page", b"old")
    stored = folder.write("page", b"new")
    item = BundledItem(name="page", status=TAKEN, file="page", size_bytes=3, sha256=stored.sha256)
    folder.write_manifest(replace(first, items=(item,)))
    assert verify_file(folder.commit()).ok
