"""A snapshot that is encrypted: one archive for its recipients, and no plain byte before it."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.errors import BadRequest, OutputExists
from jvmdiag.transfer.bundle import TAKEN, Bundle, BundledItem
from jvmdiag.transfer.bundle_sealed import SealedFolder
from jvmdiag.transfer.seal import MAGIC, fresh_key, keys_of, opened, seal_for
from jvmdiag.transfer.verify import verify_file
from tests.unit.transfer.test_bundle import a_bundle

SECRET = b"hunter2" * 20


def a_key(tmp_path: Path) -> tuple[tuple[object, ...], str]:
    key, recipient = fresh_key()
    (tmp_path / "key.txt").write_text(f"{key}\n")
    return keys_of((tmp_path / "key.txt",)), recipient


def filled(folder: SealedFolder) -> Bundle:
    stored = folder.write("logs/a.log", SECRET)
    item = BundledItem(
        name="a", status=TAKEN, file="logs/a.log", size_bytes=stored.size_bytes, sha256=stored.sha256
    )
    bundle = a_bundle(item)
    folder.write_manifest(bundle)
    return bundle


def test_it_is_encrypted_from_its_first_file_to_its_archive(tmp_path: Path) -> None:
    keys, recipient = a_key(tmp_path)
    folder = SealedFolder(tmp_path / "out", "snap", seal_for((recipient,)))
    bundle = filled(folder)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"a.log.age", "manifest.json.age"}
    assert all(path.read_bytes().startswith(MAGIC) and SECRET not in path.read_bytes() for path in files)
    # A run that is killed now has left what its recipients can open.
    with (folder.path / "logs/a.log.age").open("rb") as file, opened(file, keys, "it") as plain:
        assert plain.read() == SECRET
    archive, _ = folder.archive(bundle)
    folder.remove()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["snap.tar.gz.age"]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with archive.open("rb") as file, opened(file, keys, "it") as plain:
        data = plain.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["snap/manifest.json", "snap/logs/a.log"]


def test_the_archive_is_for_its_recipients_and_for_no_key_of_the_run(tmp_path: Path) -> None:
    _, recipient = a_key(tmp_path)
    folder = SealedFolder(tmp_path, "snap", seal_for((recipient,)))
    archive, _ = folder.archive(filled(folder))
    with archive.open("rb") as file, opened(file, (folder._key,), "it") as plain, pytest.raises(BadRequest):
        plain.read()


def test_it_is_verified_file_by_file_with_a_key(tmp_path: Path) -> None:
    keys, recipient = a_key(tmp_path)
    folder = SealedFolder(tmp_path, "snap", seal_for((recipient,)))
    bundle = filled(folder)
    archive, _ = folder.archive(bundle)
    verdict = verify_file(archive, keys=keys)
    assert verdict.ok and [one.name for one in verdict.witnesses] == ["age", "logs/a.log"]
    assert not verify_file(archive).ok
    # Written again, with a file beside it.
    heap = BundledItem(name="heap dump", status=TAKEN, beside="it.hprof.gz.age", size_bytes=3, sha256="00")
    bundle = replace(bundle, items=(*bundle.items, heap))
    folder.write_manifest(bundle)
    archive, _ = folder.archive(bundle)
    assert not verify_file(archive, keys=keys).ok
    (tmp_path / "it.hprof.gz.age").write_bytes(b"abc")
    assert "sha256 is" in verify_file(archive, keys=keys).witnesses[-1].detail
    archive.write_bytes(archive.read_bytes()[:-1])
    assert next(one.name for one in verify_file(archive, keys=keys).witnesses if not one.agrees) == "age"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    _, recipient = a_key(tmp_path)
    (tmp_path / "snap.tar.gz.age").touch()
    with pytest.raises(OutputExists):
        SealedFolder(tmp_path, "snap", seal_for((recipient,)))
    assert not os.path.lexists(tmp_path / "snap.partial")
