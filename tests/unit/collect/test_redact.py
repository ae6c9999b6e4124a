"""A dump that is here, redacted into a file of its own."""

from __future__ import annotations

import gzip
import hashlib
import stat
from pathlib import Path

import pytest
import zstandard

from jvmdiag.collect.job import Progress
from jvmdiag.collect.redact import Redacted, redact_file, redacted_name
from jvmdiag.errors import (
    BadRequest,
    DumpIncomplete,
    JvmdiagError,
    NoSuchFile,
    NotADump,
    OutputExists,
    TransferCut,
    VerificationFailed,
)
from jvmdiag.hprof.histogram import histogram_of_file
from jvmdiag.hprof.rules import Rules
from jvmdiag.transfer.manifest import manifest_path, read_manifest
from jvmdiag.transfer.verify import verify_file
from tests.hprof_bytes import heap_dump

DUMP = heap_dump()


def redact(source: Path, rules: Rules = Rules.parse("all")) -> Redacted:  # noqa: B008 - it is frozen
    return redact_file(source, source.parent / "out", rules, Progress())


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("web.hprof", DUMP),
        ("web.hprof.gz", gzip.compress(DUMP[:99]) + gzip.compress(DUMP[99:])),
        ("web.hprof.zst", zstandard.compress(DUMP)),
    ],
)
def test_a_dump_is_redacted_however_it_is_stored(name: str, stored: bytes, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_bytes(stored)
    done = redact(source)
    path = Path(done.artifact.path)
    assert path == tmp_path / "out" / "web.redacted.hprof.gz"
    out = gzip.decompress(path.read_bytes())
    assert len(out) == len(DUMP) == done.artifact.raw_bytes
    assert b"Secret" in DUMP
    assert b"Secret" not in out
    assert histogram_of_file(path) == histogram_of_file(source)
    assert done.source_sha256 == hashlib.sha256(stored).hexdigest()
    assert source.read_bytes() == stored


def test_the_file_is_for_its_owner_and_the_manifest_says_what_was_done(tmp_path: Path) -> None:
    source = tmp_path / "web.hprof"
    source.write_bytes(DUMP)
    done = redact_file(source, tmp_path, Rules.parse("strings", fields=True), Progress())
    path = Path(done.artifact.path)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, manifest_path(path))] == [0o600, 0o600]
    manifest = read_manifest(manifest_path(path))
    assert (manifest.method, manifest.kind, manifest.target) == ("redact", "heap dump", "local://")
    assert manifest.notes == (
        "redacted: byte[] and char[], and all primitive fields, zeroed",
        f"source: web.hprof, sha256 {done.source_sha256}",
    )
    assert verify_file(path).ok


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        (DUMP[:-9], DumpIncomplete),
        (DUMP[:200], DumpIncomplete),
        (b"", NotADump),
        (b"PK\x03\x04" * 50, NotADump),
        (gzip.compress(DUMP)[:-1], TransferCut),
    ],
)
def test_what_is_not_whole_gives_no_file(stored: bytes, error: type[JvmdiagError], tmp_path: Path) -> None:
    source = tmp_path / "web.hprof"
    source.write_bytes(stored)
    with pytest.raises(error):
        redact(source)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    source = tmp_path / "web.hprof"
    source.write_bytes(DUMP)
    redact(source)
    with pytest.raises(OutputExists):
        redact(source)


def test_what_is_not_there_or_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile):
        redact(tmp_path / "none.hprof")
    with pytest.raises(NotADump):
        redact(tmp_path)


THREADS = (
    b"2026-11-23 16:00:08\nFull thread dump OpenJDK 64-Bit Server VM (17.0.9+9 mixed mode):\n\n"
    b'"main" #1 prio=5 os_prio=0\n\n"secret-7" #12 prio=5 os_prio=0\n\n"http-8" #13 prio=5 os_prio=0\n\n'
    b"JNI global refs: 15, weak refs: 0\n\n"
)


@pytest.mark.parametrize(("name", "stored"), [("web.txt", THREADS), ("web.txt.gz", gzip.compress(THREADS))])
def test_a_thread_dump_is_redacted_too(name: str, stored: bytes, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_bytes(stored)
    done = redact(source, Rules.parse("keep:http-[0-9]+"))
    path = Path(done.artifact.path)
    assert path == tmp_path / "out" / "web.redacted.txt.gz"
    assert gzip.decompress(path.read_bytes()) == THREADS.replace(b"secret-7", b"group-1-1")
    assert read_manifest(manifest_path(path)).kind == "thread dump"
    assert verify_file(path).ok
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_a_thread_dump_no_fields_and_no_classes_can_be_hidden(tmp_path: Path) -> None:
    source = tmp_path / "web.txt"
    source.write_bytes(THREADS)
    for rules in (Rules.parse("all", fields=True), Rules.parse("all", names=True)):
        with pytest.raises(BadRequest, match="a thread dump has no fields"):
            redact(source, rules)
    source.write_bytes(THREADS[:-40])
    with pytest.raises(VerificationFailed, match="lacks its closing line"):
        redact(source)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "expected"), [("a.hprof", "a"), ("a.hprof.gz", "a"), ("heap.zst", "heap"), ("b", "b")]
)
def test_the_name_says_what_it_is(name: str, expected: str) -> None:
    assert redacted_name(name) == f"{expected}.redacted.hprof.gz"
