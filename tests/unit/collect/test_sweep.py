"""A sweep of this machine: what is ours goes on a yes, and nothing else, whatever it is called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.leftover import Leftover, State
from jvmdiag.collect.recording import boot_of
from jvmdiag.collect.sweep import Broom, Swept, sweep_target, targets_on_record
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import HEAP_DUMP, PIPES, Made, RecordedJvm, RunRecord, Runs
from jvmdiag.target import LocalTarget
from tests import hprof_bytes as make

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="targets run Linux")
DUMP = make.large_dump(1 << 16)
CUT = DUMP[:-100]
GONE = replace(this_run(), start_ticks=1)


@dataclass
class Desk:
    """A directory of this machine on which runs left something, and the records of them."""

    there: Path
    runs: Runs
    says: Sequence[State] = (State.LEFT,)
    shown: list[Leftover] = field(default_factory=list)

    def left(self, name: str, content: bytes = CUT, *, owner: str = "", **fields: object) -> Path:
        """Something at `name` with its record, of a run that is gone."""
        path = self.there / name
        path.write_bytes(content)
        me = owner or f"{os.geteuid()}:{os.getegid()}"
        record = RunRecord(
            id=f"{len(list(self.runs.all()[0])):04}",
            target="local://",
            boot=boot_of(LocalHost()),
            jvm=RecordedJvm(1, 2, me, "Load", own_mounts=False),
            made=(Made(HEAP_DUMP, str(path)),),
            run=GONE,
            at_s=1000.0,
        )
        self.runs.keep(replace(record, **fields))  # type: ignore[arg-type]
        return path

    def sweep(self, *, only_look: bool = False) -> Swept:
        def choose(found: Sequence[Leftover]) -> Sequence[Leftover]:
            self.shown += found
            # Those of other tests lie on the same machine.
            return [one for one in found if one.state in self.says and str(self.there) in one.where]

        [swept] = sweep_target(Job(LocalTarget()), (), Broom(Journal(), choose, only_look, self.runs))
        return replace(swept, found=tuple(one for one in swept.found if str(self.there) in one.where))

    @property
    def records(self) -> int:
        return len(self.runs.all()[0])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "a b'c").mkdir()
    return Desk(tmp_path / "a b'c", Runs(tmp_path / "runs"))


def test_what_a_run_that_is_gone_left_is_removed_with_its_record(desk: Desk) -> None:
    path = desk.left('x "y.hprof')
    Path(f"{path}.p0").write_bytes(b"part")
    (theirs := desk.there / ".jvmdiag-123.hprof").write_bytes(DUMP)
    swept = desk.sweep()
    assert [(one.where, one.state) for one in swept.found] == [
        (str(path), State.REMOVED),
        (f"{path}.p0", State.REMOVED),
    ]
    assert list(desk.there.iterdir()) == [theirs]
    assert theirs.read_bytes() == DUMP
    assert (desk.records, swept.dropped) == (0, ())
    assert desk.sweep().found == ()


def test_no_takes_nothing(desk: Desk) -> None:
    path = desk.left("x.hprof")
    desk.says = ()
    assert [one.state for one in desk.sweep().found] == [State.LEFT]
    assert path.exists()
    assert desk.records == 1


def test_only_looking_asks_nobody_and_keeps_every_record(desk: Desk) -> None:
    path = desk.left("x.hprof")
    desk.left("gone.hprof").unlink()
    swept = desk.sweep(only_look=True)
    assert desk.shown == []
    assert path.exists()
    assert desk.records == 2
    assert swept.dropped == ()


def test_a_record_of_nothing_that_is_there_goes(desk: Desk) -> None:
    desk.left("gone.hprof").unlink()
    swept = desk.sweep()
    assert (swept.found, len(swept.dropped), desk.records) == ((), 1, 0)


def test_a_run_under_way_is_named_and_never_touched(desk: Desk) -> None:
    path = desk.left("x.hprof", run=this_run())
    desk.says = tuple(State)
    assert [one.state for one in desk.sweep().found] == [State.UNDER_WAY]
    assert path.read_bytes() == CUT
    assert desk.records == 1


def test_a_whole_dump_goes_only_when_it_is_meant(desk: Desk) -> None:
    path = desk.left("x.hprof", DUMP)
    assert [one.state for one in desk.sweep().found] == [State.WHOLE]
    assert path.exists()
    desk.says = (State.WHOLE,)
    assert [one.state for one in desk.sweep().found] == [State.REMOVED]
    assert desk.records == 0


def test_a_choice_cannot_reach_what_is_not_removable(desk: Desk) -> None:
    desk.says = tuple(State)
    written = desk.left("written.hprof")
    foreign = desk.left("foreign.hprof", owner="12345:12345") if os.geteuid() == 0 else None
    desk.left("free.hprof")
    with written.open("ab"):
        states = {Path(one.where).name: one.state for one in desk.sweep().found}
    assert states["written.hprof"] is State.IN_USE
    assert states["free.hprof"] is State.REMOVED
    assert written.exists()
    if foreign:
        assert states["foreign.hprof"] is State.UNSURE
        assert foreign.exists()


def test_what_went_with_its_mount_namespace_is_said_with_what_to_do(desk: Desk) -> None:
    path = desk.left("x.hprof", jvm=RecordedJvm(1, 2, "0:0", "Load", own_mounts=True))
    [one] = desk.sweep().found
    assert one.state is State.UNSURE
    assert "then rm " in one.note
    assert path.exists()


def test_a_directory_of_fifos_is_removed_and_its_run_under_way_has_one_line(desk: Desk) -> None:
    path = desk.there / ".jvmdiag-1 2.hprof"
    desk.left(path.name, made=(Made(PIPES, str(path)),), run=this_run())
    path.unlink()
    path.mkdir()
    os.mkfifo(path / "heap.hprof")
    assert [(one.where, one.state) for one in desk.sweep().found] == [(str(path), State.UNDER_WAY)]
    [record], _ = desk.runs.all()
    desk.runs.keep(replace(record, run=GONE))
    gone = path.rename(f"{path}.gone")
    assert [(one.where, one.state) for one in desk.sweep().found] == [(str(gone), State.REMOVED)]
    assert (list(desk.there.iterdir()), desk.records) == ([], 0)


def test_another_boot_of_the_machine_is_another_jvm_and_the_same_file(desk: Desk) -> None:
    desk.left("x.hprof", boot="another")
    assert [one.state for one in desk.sweep().found] == [State.REMOVED]


def test_every_target_on_record_is_one_to_sweep(desk: Desk) -> None:
    desk.left("x.hprof")
    desk.left("y.hprof", target="docker://web")
    assert targets_on_record(desk.runs, ()) == ("local://", "docker://web")
