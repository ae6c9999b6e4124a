"""A sweep of what runs left on this machine: by record, and what a snapshot had taken on a yes of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.leftover import Leftover, State
from jvmdiag.collect.recording import recorded_here
from jvmdiag.collect.snapshot import made_here
from jvmdiag.collect.sweep import Broom, targets_on_record
from jvmdiag.collect.sweep_here import sweep_here
from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import HEAP_DUMP, Made, RunRecord, Runs
from jvmdiag.target import DockerTarget

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it goes by /proc")
GONE = replace(this_run(), start_ticks=1)
ASSETS = (State.LEFT, State.EVIDENCE)


class Desk:
    """A directory with a snapshot that was cut off."""

    def __init__(self, tmp_path: Path) -> None:
        self.runs = Runs(tmp_path / "runs")
        self.out = tmp_path / "a b\nc"
        self.folder = self.out / "snap.partial"
        (self.folder / "logs").mkdir(parents=True)
        (self.folder / "logs/a.log").write_text("evidence")
        self.record = RunRecord(
            id="1", target="docker://web", here=made_here(self.out, "snap", sealed=False), run=GONE, at_s=1.0
        )
        self.runs.keep(self.record)

    def sweep(
        self, *targets: str, says: Sequence[State] = (), only_look: bool = False
    ) -> dict[str, Leftover]:
        def choose(found: Sequence[Leftover]) -> Sequence[Leftover]:
            return [one for one in found if one.state in says]

        swept = sweep_here(targets, Broom(Journal(), choose, only_look, self.runs))
        return {Path(one.where).name: one for each in swept for one in each.found}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_it_had_taken_stays_until_it_is_named_itself(desk: Desk) -> None:
    one = desk.sweep(says=(State.LEFT,))["snap.partial"]
    assert (one.state, one.size_bytes, one.note) == (
        State.EVIDENCE,
        8,
        "one file, whole; look before it goes",
    )
    assert (desk.folder / "logs/a.log").exists()
    assert desk.sweep(says=ASSETS, only_look=True)["snap.partial"].state is State.EVIDENCE
    assert desk.sweep("docker://other", says=ASSETS) == {}
    assert desk.sweep("docker://web", says=ASSETS)["snap.partial"].state is State.REMOVED
    assert not desk.folder.exists() and desk.out.exists()
    assert (desk.sweep(), desk.runs.all()) == ({}, ((), ()))


def test_one_that_only_lacks_its_name_is_told_how_to_get_it(desk: Desk) -> None:
    (desk.folder / "manifest.json").write_text("{}")
    assert desk.sweep()["snap.partial"].note.startswith("all of it but its name: mv -n -- ")


def test_nothing_that_merely_looks_like_it_is_touched(desk: Desk) -> None:
    (desk.out / "other.partial").mkdir()
    (desk.out / ".x.manifest.json.1.partial").touch()
    elsewhere = desk.out / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (desk.folder / "link").symlink_to(elsewhere)
    desk.sweep(says=ASSETS)
    assert sorted(path.name for path in desk.out.iterdir()) == [
        ".x.manifest.json.1.partial",
        "elsewhere",
        "other.partial",
    ]
    assert (elsewhere / "file").exists()


def test_a_link_in_its_place_is_not_followed(desk: Desk) -> None:
    (elsewhere := desk.out / "elsewhere").mkdir()
    desk.folder.rename(desk.out / "moved")
    desk.folder.symlink_to(elsewhere)
    one = desk.sweep(says=ASSETS)["snap.partial"]
    assert (one.state, elsewhere.is_dir(), desk.folder.is_symlink()) == (State.UNSURE, True, True)
    assert len(desk.runs.all()[0]) == 1


def test_a_run_that_goes_on_is_left_alone(desk: Desk) -> None:
    desk.runs.keep(replace(desk.record, run=this_run()))
    assert desk.sweep(says=ASSETS)["snap.partial"].state is State.UNDER_WAY
    assert desk.folder.exists()


def test_what_another_machine_has_on_record_is_for_that_one(desk: Desk) -> None:
    desk.runs.keep(replace(desk.record, run=replace(GONE, machine="other")))
    assert desk.sweep(says=ASSETS) == {}
    assert desk.folder.exists() and len(desk.runs.all()[0]) == 1


def test_an_archive_that_was_cut_goes_unless_it_is_written(desk: Desk) -> None:
    (archive := desk.out / "snap.tar.gz.partial").write_text("half")
    with archive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert desk.sweep(says=ASSETS[:1])[archive.name].state is State.IN_USE
    assert desk.sweep(says=ASSETS[:1])[archive.name].state is State.REMOVED
    assert len(desk.runs.all()[0]) == 1


def mounted_over(desk: Desk) -> Path:
    """Its disk is not mounted any more: the mount point is there, and empty. Returns where the disk is."""
    away = desk.out.rename(desk.out.with_name("away"))
    desk.out.mkdir()
    return away


def not_there(desk: Desk) -> Path:
    return desk.out.rename(desk.out.with_name("away"))


def linked(desk: Desk) -> Path:
    """It is a link by now, to where its disk was mounted."""
    away = not_there(desk)
    desk.out.symlink_to(desk.out.with_name("mnt"))
    return away


@pytest.mark.parametrize(
    ("unmounted", "said"),
    [
        (not_there, "is not there: is its disk mounted?"),
        (mounted_over, "another directory"),
        (linked, "is not there: is its disk mounted?"),
    ],
)
def test_a_record_stays_where_nobody_can_know_that_its_folder_is_gone(
    desk: Desk, unmounted: Callable[[Desk], Path], said: str
) -> None:
    desk.runs.keep(replace(desk.record, here_in=desk.out.stat().st_ino))
    away = unmounted(desk)
    one = desk.sweep(says=ASSETS)["snap.partial"]
    assert (one.state, said in one.note) == (State.UNSURE, True)
    assert f"rm -- {desk.runs.path('1')}" in one.note
    assert len(desk.runs.all()[0]) == 1
    # It is mounted again.
    if desk.out.is_symlink():
        desk.out.unlink()
    elif desk.out.exists():
        desk.out.rmdir()
    away.rename(desk.out)
    assert desk.sweep(says=ASSETS)["snap.partial"].state is State.REMOVED
    assert desk.runs.all() == ((), ())


def test_a_record_whose_folder_somebody_removed_goes_and_is_told(desk: Desk) -> None:
    desk.runs.keep(replace(desk.record, here_in=desk.out.stat().st_ino))
    shutil.rmtree(desk.folder)
    [swept] = sweep_here((), Broom(Journal(), lambda _: (), runs=desk.runs))
    assert (swept.found, swept.dropped) == ((), ("record 1: nothing of it is there any more",))
    assert desk.runs.all() == ((), ())


def test_a_run_whose_disk_went_away_meanwhile_leaves_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (out := tmp_path / "out").mkdir()
    with recorded_here(Job(DockerTarget("web")), made_here(out, "snap", sealed=False), lambda _: None):
        (out / "snap.partial").mkdir()
        inode = out.stat().st_ino
        out.rename(tmp_path / "away")
    [record] = Runs().all()[0]
    assert record.here_in == inode


def test_documents_of_a_killed_dump_go_by_its_record(desk: Desk) -> None:
    partial = desk.out / "web.hprof.gz.partial"
    names = [
        f".web.hprof.gz.manifest.json.{GONE.pid}.partial",
        f".web.hprof.gz.partial.journal.{GONE.pid}.partial",
    ]
    for name in (*names, ".web.hprof.gz.manifest.json.1.partial"):
        (desk.out / name).touch()
    made = (Made(HEAP_DUMP, "/tmp/.jvmdiag-1.hprof"),)
    desk.runs.keep(replace(desk.record, id="2", made=made, here=(), partial=str(partial)))
    assert sorted(name for name, one in desk.sweep(says=ASSETS).items() if "web" in name) == names
    assert [path.name for path in desk.out.glob(".web*")] == [".web.hprof.gz.manifest.json.1.partial"]
    # That there may be something on the target is still on record.
    assert [record.id for record in desk.runs.all()[0]] == ["2"]


def test_a_record_here_is_none_of_a_target(desk: Desk) -> None:
    assert targets_on_record(desk.runs, ()) == ()


def test_a_record_stays_as_long_as_what_it_speaks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    job, made = Job(DockerTarget("web")), made_here(tmp_path, "snap", sealed=True)
    assert [Path(one.path).name for one in made] == [
        "snap.partial",
        "snap.tar.gz.age.partial",
        ".snap.tar.gz.age.partial",
    ]
    with recorded_here(job, made, lambda _: None):
        assert [record.here for record in Runs().all()[0]] == [made]
        os.mkdir(made[0].path)  # noqa: PTH102 - a path of a record
    assert len(Runs().all()[0]) == 1
    Path(made[0].path).rmdir()
    with recorded_here(job, made, lambda _: None):
        pass
    assert len(Runs().all()[0]) == 1
