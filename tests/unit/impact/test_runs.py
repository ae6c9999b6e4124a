"""Records: private, whole or not at all, and only this user's word counts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import HEAP_DUMP, Made, RecordedJvm, RunRecord, Runs

RECORD = RunRecord(
    id="0123456789abcdef",
    target="docker://web",
    engine="unix:///var/run/docker.sock",
    container="c0ffee",
    jvm=RecordedJvm(1, 4711, "1001:1001", "Load", own_mounts=False),
    made=(Made(HEAP_DUMP, "/data/a b'c\"d/.jvmdiag-1.hprof"),),
    partial="/here/web-heap.hprof.gz.partial",
    run=this_run(),
    at_s=1000.0,
)


def path_of(runs: Runs, record: RunRecord = RECORD) -> Path:
    return runs.directory / f"{record.id}.json"


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "state" / "runs")


def test_a_record_is_read_back_as_it_was_written(runs: Runs) -> None:
    later = replace(RECORD, id="later", at_s=2000.0, jvm=None, made=())
    assert runs.keep(later)
    assert runs.keep(RECORD)
    assert runs.all() == ((RECORD, later), ())
    runs.drop(RECORD.id)
    runs.drop(RECORD.id)
    assert runs.all() == ((later,), ())


def test_a_record_and_its_directory_are_this_users_alone(runs: Runs) -> None:
    previous = os.umask(0)
    try:
        runs.keep(RECORD)
    finally:
        os.umask(previous)
    assert path_of(runs).stat().st_mode & 0o777 == 0o600
    assert runs.directory.stat().st_mode & 0o777 == 0o700


def test_where_no_record_can_be_written_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not Runs(tmp_path / "file" / "runs").keep(RECORD)


def test_without_a_directory_there_are_no_records(runs: Runs) -> None:
    assert runs.all() == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "jvmdiag.run/1"}',
        '{"schema": "another/1"}',
        '{"schema": "jvmdiag.run/1", "id": "0123',
    ],
)
def test_a_torn_file_is_named_and_left_as_it_is(runs: Runs, text: str) -> None:
    runs.keep(RECORD)
    path_of(runs).write_text(text)
    records, [(path, why)] = runs.all()
    assert records == ()
    assert path == str(path_of(runs))
    assert why
    assert path_of(runs).read_text() == text


def changed(runs: Runs, **fields: object) -> str:
    runs.keep(RECORD)
    document = json.loads(path_of(runs).read_text())
    path_of(runs).write_text(json.dumps(document | fields))
    records, [(_, why)] = runs.all()
    assert records == ()
    return why


@pytest.mark.parametrize("path", ["tmp/x", "/tmp/../etc/x", "/tmp/x\n/etc/y", 7])
def test_a_path_that_no_run_would_make_makes_no_record(runs: Runs, path: object) -> None:
    assert "path of a target" in changed(runs, made=[{"kind": "heap dump", "path": path}]) or path == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "another"},
        {"at_s": "yesterday"},
        {"jvm": {"nspid": 1}},
        {"jvm": 5},
        {"run": None},
        {"made": {"kind": 1}},
        {"partial": None},
    ],
)
def test_a_strange_field_makes_no_record(runs: Runs, fields: dict[str, object]) -> None:
    assert changed(runs, **fields)


def test_what_others_may_write_is_nobodys_word(runs: Runs) -> None:
    runs.keep(RECORD)
    path_of(runs).chmod(0o622)
    assert "not this user's alone" in runs.all()[1][0][1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_nobodys_word(runs: Runs) -> None:
    runs.keep(RECORD)
    os.chown(path_of(runs), 12345, 12345)
    assert "not this user's alone" in runs.all()[1][0][1]


def test_a_link_and_a_fifo_are_no_records(runs: Runs, tmp_path: Path) -> None:
    runs.keep(RECORD)
    path_of(runs).rename(tmp_path / "moved")
    path_of(runs).symlink_to(tmp_path / "moved")
    os.mkfifo(runs.directory / "fifo.json", 0o600)
    records, strange = runs.all()
    assert records == ()
    assert len(strange) == 2


def test_a_record_is_under_way_while_its_run_lives() -> None:
    gone = replace(RECORD, run=replace(this_run(), start_ticks=1))
    assert RECORD.under_way(now_s=1e12)
    assert not gone.under_way(now_s=RECORD.at_s)


def test_a_run_that_cannot_be_seen_is_under_way_for_a_day_at_most() -> None:
    elsewhere = replace(RECORD, run=replace(this_run(), machine="another"))
    assert elsewhere.under_way(now_s=RECORD.at_s + 86000)
    assert not elsewhere.under_way(now_s=RECORD.at_s + 87000)
