"""A run's record is there while anything of it may be on the target, and no longer."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jvmdiag.collect.job import Job
from jvmdiag.collect.recording import attaching, boot_of
from jvmdiag.errors import DumpIncomplete, LocalDiskFull
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import Machine
from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.around import lock_path
from jvmdiag.impact.runs import RunRecord, Runs
from jvmdiag.target import DockerTarget, LocalTarget
from tests.fakes import FakeHost, done
from tests.unit.collect.test_heap import Desk, PretendedJvm, this_process
from tests.unit.scenes import in_a_container

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="targets run Linux")


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Runs()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("target dir", "here"):
        (tmp_path / name).mkdir()
    return Desk(tmp_path / "target dir", tmp_path / "here")


def records(runs: Runs) -> tuple[RunRecord, ...]:
    found, strange = runs.all()
    assert strange == ()
    return found


@dataclass
class Watching(PretendedJvm):
    """Looks at the records when it is asked for a dump, before it writes a byte."""

    seen: list[RunRecord] = field(default_factory=list)

    def ask(self, line: str, timeout_s: float) -> bytes:
        if line.startswith("GC.heap_dump"):
            self.seen += records(Runs())
        return super().ask(line, timeout_s)


def test_the_record_is_there_before_the_jvm_is_asked_and_gone_when_the_target_is_clean(
    desk: Desk, runs: Runs
) -> None:
    desk.jvm = jvm = Watching()
    desk.take()
    [record] = jvm.seen
    me = this_process()
    assert record.run == this_run()
    assert record.target == "local://"
    assert record.boot == boot_of(LocalHost()) != ""
    assert record.jvm is not None
    assert (record.jvm.nspid, record.jvm.start_ticks, record.jvm.owner) == (
        me.nspid,
        me.start_ticks,
        str(me.owner),
    )
    [dump, lock] = record.made
    assert Path(dump.path).parent == desk.there
    assert lock.path == lock_path(me)
    assert record.partial == f"{desk.named_here[0]}.partial"
    assert records(runs) == ()


def test_a_dump_that_is_kept_keeps_its_record(desk: Desk, runs: Runs) -> None:
    desk.take(keep=True)
    [record] = records(runs)
    assert [record.made[0].path] == [str(path) for path in desk.left_there]


def test_a_whole_dump_whose_copy_failed_keeps_its_record(desk: Desk, runs: Runs) -> None:
    def full(_: int) -> None:
        raise LocalDiskFull("the disk is full")

    desk.advance = full
    with pytest.raises(LocalDiskFull):
        desk.take()
    assert len(records(runs)) == 1
    assert desk.left_there


def test_a_dump_that_was_removed_after_a_failure_has_none(desk: Desk, runs: Runs) -> None:
    desk.jvm = PretendedJvm(refuses="Dump file is incomplete: something\n")
    with pytest.raises(DumpIncomplete):
        desk.take()
    assert desk.left_there == []
    assert records(runs) == ()


def test_where_no_record_can_be_kept_the_dump_is_taken_and_that_is_said(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    desk.take()
    assert [warning for warning in desk.warned if "no record of this run" in warning]
    assert desk.left_there == []


def triggers(listening: bool, stale: str | None, cwd: str) -> list[str]:
    jvm = replace(this_process(), attach_listening=listening, stale_trigger=stale, cwd=cwd)
    host = LocalHost()
    with attaching(Job(LocalTarget()), Machine("local://", host)) as tell:
        tell(jvm)
        return [made.path for record in records(Runs()) for made in record.made]


def test_an_attach_is_recorded_with_the_files_that_it_may_make(runs: Runs) -> None:
    name = f".attach_pid{os.getpid()}"
    assert triggers(listening=False, stale=None, cwd="/srv/a b") == [f"/tmp/{name}", f"/srv/a b/{name}"]
    assert triggers(listening=False, stale=None, cwd="/") == [f"/tmp/{name}", f"/{name}"]
    assert records(runs) == ()


def test_a_jvm_that_listens_and_a_trigger_that_lies_there_already_are_not_ours() -> None:
    name = f".attach_pid{os.getpid()}"
    assert triggers(listening=True, stale=None, cwd="/srv") == []
    assert triggers(listening=False, stale=f"/tmp/{name}", cwd="/srv") == [f"/srv/{name}"]


@pytest.mark.parametrize("cwd", ["", "relative", "/srv/a\nb"])
def test_a_directory_that_no_record_can_name_is_left_out(cwd: str) -> None:
    assert triggers(listening=False, stale=None, cwd=cwd) == [f"/tmp/.attach_pid{os.getpid()}"]


def test_in_a_container_the_record_is_there_before_anything_looks(runs: Runs) -> None:
    """A sidecar may be started for the very first look."""
    place = in_a_container(this_process()).place
    with attaching(Job(DockerTarget("web")), place):
        [record] = records(runs)
        assert (record.target, record.engine, record.container) == ("docker://web", "here", "c0ffee")
        assert (record.jvm, record.made) == (None, ())
    assert records(runs) == ()


def an_error() -> None:
    raise DumpIncomplete("not whole")


@pytest.mark.parametrize("work", [an_error, lambda: None])
def test_an_error_takes_the_record_of_an_attach_away_too(runs: Runs, work: Callable[[], None]) -> None:
    try:
        with attaching(Job(DockerTarget("web")), in_a_container(this_process()).place):
            work()
    except DumpIncomplete:
        pass
    assert records(runs) == ()


def test_a_machine_that_does_not_say_its_boot_has_none() -> None:
    silent = FakeHost({lambda argv: argv[0] == "cat": done("", 1)})
    assert boot_of(silent) == ""
