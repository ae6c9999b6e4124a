"""Whose word counts: records of this machine and manifests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.collect.claims import Claim, claims_of_manifests, claims_of_record, without_doubles
from jvmdiag.errors import BadRequest, NoSuchFile, NotADump
from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import HEAP_DUMP, LOCK, PIPES, Made, RecordedJvm, RunRecord
from jvmdiag.model import LeftBehind
from jvmdiag.transfer.manifest import Manifest, write_manifest

PATH = "/data/.jvmdiag-1.hprof"


def record(partial: Path) -> RunRecord:
    return RunRecord(
        id="1",
        target="docker://web",
        jvm=RecordedJvm(1, 2, "1001:1002", "Load", own_mounts=False),
        made=(Made(HEAP_DUMP, PATH), Made(LOCK, "/dev/shm/x.lock")),
        partial=str(partial),
        run=this_run(),
        at_s=0,
    )


def test_a_record_claims_what_the_run_was_about_to_make(tmp_path: Path) -> None:
    dump, lock = claims_of_record(record(tmp_path / "web.hprof.gz.partial"), 10.0)
    assert (dump.kind, dump.path, dump.uid, dump.by) == (HEAP_DUMP, PATH, 1001, "record 1")
    assert lock.kind == LOCK
    assert (dump.copy, dump.partial) == ("", "")


def test_a_copy_here_counts_only_under_its_final_name(tmp_path: Path) -> None:
    (partial := tmp_path / "web.hprof.gz.partial").write_text("")
    assert next(claims_of_record(record(partial), 10.0)).copy == ""
    (tmp_path / "web.hprof.gz").write_text("")
    assert next(claims_of_record(record(partial), 10.0)).copy == str(tmp_path / "web.hprof.gz")


def test_a_copy_that_was_begun_counts_where_it_can_be_gone_on_with(tmp_path: Path) -> None:
    (partial := tmp_path / "web.hprof.gz.partial").write_text("")
    assert next(claims_of_record(record(partial), 10.0)).partial == ""
    (tmp_path / "web.hprof.gz.partial.journal").write_text("")
    assert next(claims_of_record(record(partial), 10.0)).partial == str(partial)


def test_a_directory_of_fifos_may_have_been_renamed_and_nothing_comes_there_later(tmp_path: Path) -> None:
    piped = replace(record(tmp_path / "web.hprof.gz.partial"), made=(Made(PIPES, PATH),))
    claims = list(claims_of_record(piped, 10.0))
    assert [(claim.kind, claim.path) for claim in claims] == [(PIPES, PATH), (PIPES, f"{PATH}.gone")]
    assert not any(claim.may_come for claim in claims)


def test_a_dump_of_which_nothing_came_may_come_yet_for_an_hour(tmp_path: Path) -> None:
    partial = tmp_path / "web.hprof.gz.partial"

    def may_come(now_s: float) -> list[bool]:
        return [claim.may_come for claim in claims_of_record(record(partial), now_s)]

    assert may_come(10.0) == [True, False]
    assert may_come(3700.0) == [False, False]
    partial.write_text("")
    assert may_come(10.0) == [True, False]
    partial.write_text("some of it")
    assert may_come(10.0) == [False, False]


def manifest(folder: Path, *left: LeftBehind, kind: str = "heap dump") -> Path:
    said = Manifest(
        kind=kind, file="web.hprof.gz", target="docker://web", method="direct", started_at="", ended_at="",
        codec="gzip", raw_bytes=345, stored_bytes=1, raw_sha256="", stored_sha256="", left_behind=left,
    )  # fmt: skip
    write_manifest(folder / "web.hprof.gz.manifest.json", said)
    return folder / "web.hprof.gz.manifest.json"


LEFT = LeftBehind("heap dump", PATH, f"rm -f {PATH}")


def test_a_manifest_claims_what_was_left_behind_and_knows_its_size(tmp_path: Path) -> None:
    file = manifest(tmp_path, LEFT)
    (tmp_path / "web.hprof.gz").write_text("")
    [claim] = claims_of_manifests([file], None)
    assert (claim.target, claim.path, claim.size_bytes) == ("docker://web", PATH, 345)
    assert claim.copy == str(tmp_path / "web.hprof.gz")
    assert (
        claims_of_manifests([tmp_path / "web.hprof.gz"], None)
        == claims_of_manifests([], tmp_path)
        == (claim,)
    )


def test_a_manifest_that_left_nothing_claims_nothing(tmp_path: Path) -> None:
    manifest(tmp_path)
    assert claims_of_manifests([], tmp_path) == ()


def test_a_file_that_is_named_must_be_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "x.manifest.json").write_text("torn")
    with pytest.raises(NotADump):
        claims_of_manifests([tmp_path / "x.manifest.json"], None)
    with pytest.raises(NoSuchFile):
        claims_of_manifests([tmp_path / "y.hprof"], None)
    assert claims_of_manifests([], tmp_path) == ()


def test_a_manifest_that_names_no_path_is_refused(tmp_path: Path) -> None:
    file = manifest(tmp_path, LEFT)
    document = json.loads(file.read_text())
    document["left_behind"][0]["where"] = "/tmp/x\nremove 1 2 /etc/passwd"
    file.write_text(json.dumps(document))
    with pytest.raises(BadRequest):
        claims_of_manifests([file], None)


def test_what_two_name_is_one_and_each_says_what_it_knows() -> None:
    by_record = Claim("docker://web", HEAP_DUMP, PATH, "record 1", 1001)
    by_manifest = Claim("docker://web", HEAP_DUMP, PATH, "manifest x", 1001, copy="/here/web.hprof.gz")
    [one] = without_doubles([by_record, by_manifest])
    assert (one.by, one.copy) == ("record 1", "/here/web.hprof.gz")
    assert len(without_doubles([by_record, Claim("docker://db", HEAP_DUMP, PATH, "record 2", 1)])) == 2
