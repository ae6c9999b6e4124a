"""What is added to a snapshot on request: a dump that is not whole there may be all there is of it."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.snapshot_more import fetch_found, not_fetched
from jvmdiag.collect.snapshot_taking import Taking
from jvmdiag.snapshot.found import Found, Kind
from jvmdiag.snapshot.item import Risk
from jvmdiag.target import LocalTarget
from jvmdiag.transfer.bundle import FAILED, SKIPPED, Folder
from jvmdiag.transfer.bundle_sealed import SealedFolder
from jvmdiag.transfer.seal import Seal, fresh_key, opened
from tests import hprof_bytes as make

CUT = make.small_dump()[:-5]


def fetched(job: Job, folder: Folder, there: Path) -> Taking:
    run = Taking(job, Risk.LIGHT, Progress(), folder, time.monotonic())
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(CUT)
    fetch_found(run, job, (Found(Kind.HEAP_DUMP, str(there), len(CUT), 0.0),), Journal(), Progress())
    return run


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "far/java_pid1.hprof"


def test_a_dump_that_is_cut_there_is_in_the_folder_and_said_so(tmp_path: Path, there: Path) -> None:
    run = fetched(Job(LocalTarget()), Folder(tmp_path / "out", "snap"), there)
    [entry] = run.entries
    assert entry.status == FAILED and entry.why.endswith("; its copy is found/java_pid1.hprof.gz.partial")
    assert gzip.decompress((run.folder.path / "found/java_pid1.hprof.gz.partial").read_bytes()) == CUT


def test_one_that_was_packed_there_is_as_well(tmp_path: Path, there: Path) -> None:
    packed = there.with_name("java_pid1.hprof.gz")
    run = fetched(Job(LocalTarget()), Folder(tmp_path / "out", "snap"), packed)
    assert run.entries[0].why.endswith("; its copy is found/java_pid1.hprof.gz.partial")


def test_encrypted_it_stays_beside_the_archive(tmp_path: Path, there: Path) -> None:
    key, recipient = fresh_key()
    seal = Seal((recipient,))
    folder = SealedFolder(tmp_path / "out", "snap", seal)
    run = fetched(replace(Job(LocalTarget()), seal=seal), folder, there)
    name = "snap-1-java_pid1.hprof.age.partial"
    assert run.entries[0].why.endswith(f"; its copy is {name} beside the archive")
    folder.remove()
    [copy] = (tmp_path / "out").iterdir()
    assert copy.name == name
    with copy.open("rb") as file, opened(file, (key,), "it") as plain:
        assert plain.read() == CUT


def test_of_very_many_files_the_last_written_are_named_and_the_others_counted() -> None:
    found = tuple(Found(Kind.RECORDING, f"/rec/{n}.jfr", 7, float(n)) for n in reversed(range(60_000)))
    entries = list(not_fetched(found))
    assert [entry.name for entry in entries[:2]] == ["/rec/0.jfr", "/rec/1.jfr"]
    assert (len(entries), entries[-1].name) == (101, "59,900 more files")
    assert {entry.status for entry in entries} == {SKIPPED}
