"""Going on with a dump that is half here: what is good of it is used, and nothing is lost where none is."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.collect import going_on
from jvmdiag.collect.going_on import Resumed
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.resume import Found, Unreadable, resume_dump, unfinished_in
from jvmdiag.errors import DumpIncomplete, NoSuchFile, OutputExists, VerificationFailed
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.runner import Runner, this_run
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules
from jvmdiag.impact.runs import HEAP_DUMP, LOCK, Made, RunRecord, Runs
from jvmdiag.target import LocalTarget
from jvmdiag.transfer import codec, recover
from jvmdiag.transfer.codec import Codec, Members, read_raw
from jvmdiag.transfer.manifest import Manifest
from jvmdiag.transfer.sink import PartialFile
from jvmdiag.transfer.unfinished import Unfinished, journal_path, write_unfinished
from tests import hprof_bytes as make

DUMP = make.large_dump(3 << 20)
MEMBER = 1 << 20
NAME = "web-heap.hprof.gz"


@dataclass
class Desk:
    """A dump in `there`, and what a run left of its copy in `here`."""

    there: Path
    here: Path
    warned: list[str] = field(default_factory=list)

    @property
    def far(self) -> Path:
        return self.there / ".jvmdiag-0123456789ab.hprof"

    @property
    def partial(self) -> Path:
        return self.here / f"{NAME}.partial"

    def left(self, partial: bytes | None, **more: object) -> None:
        self.far.write_bytes(DUMP)
        if partial is not None:
            self.partial.write_bytes(partial)
        known = Manifest(
            kind="heap dump",
            file=NAME,
            target="local://",
            method="direct",
            started_at="2026-03-01T12:00:00.250Z",
            ended_at="2026-03-01T12:00:00.250Z",
            codec="gzip",
            raw_bytes=0,
            stored_bytes=0,
            raw_sha256="",
            stored_sha256="",
            jvm_reported_bytes=len(DUMP),
        )
        unfinished = Unfinished(path=str(self.far), nspid=1, start_ticks=1, manifest=known)
        write_unfinished(journal_path(self.here, NAME), replace(unfinished, **more))  # type: ignore[arg-type]

    def resume(self) -> Resumed:
        job = Job(LocalTarget(), timeout_s=5, retry_s=0)
        [found] = unfinished_in(self.here, job)
        assert isinstance(found, Found)
        return resume_dump(found, Journal(), Progress(warn=self.warned.append))

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.here.iterdir())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for module in (codec, recover, going_on):
        monkeypatch.setattr(module, "MEMBER_BYTES", MEMBER)
    # Which JVM and which machine is found by the real parts in tests/real.
    monkeypatch.setattr(going_on, "reopen", lambda *_: Reach(LocalHost(), "", None))
    for name in ("the re's", "here"):
        (tmp_path / name).mkdir()
    return Desk(tmp_path / "the re's", tmp_path / "here")


def stored(raw: bytes = DUMP) -> bytes:
    members = Members(Codec.GZIP, MEMBER)
    return members.compress(raw) + members.flush()


@pytest.mark.parametrize(
    ("partial", "here_bytes"),
    [
        (stored()[:-9], len(DUMP) // MEMBER * MEMBER),
        (stored()[: len(stored()) // 2], MEMBER),
        (stored(DUMP[: 2 * MEMBER]), 2 * MEMBER),
        (stored(), len(DUMP)),
        (stored()[:100], 0),
        (b"", 0),
        (None, 0),
    ],
    ids=["nearly-all", "half", "at-a-border", "all", "no-member", "empty", "no-file"],
)
def test_the_rest_is_brought_and_all_of_it_verified(
    desk: Desk, partial: bytes | None, here_bytes: int
) -> None:
    desk.left(partial)
    done = desk.resume()
    final = Path(done.artifact.path)
    assert b"".join(read_raw(final)) == DUMP
    assert done.here_bytes == here_bytes
    assert desk.names == [NAME, f"{NAME}.manifest.json"]
    assert not desk.far.exists()
    said = json.loads(Path(f"{final}.manifest.json").read_text())
    assert [one["name"] for one in said["witnesses"]] == ["byte count", "size", "structure", "sha256"]
    assert any(f"from byte {here_bytes:,}" in note for note in said["notes"])


def flipped(data: bytes, member: int) -> bytes:
    """A member of which another content is here than there is: its own checksum fits."""
    at = member * MEMBER + 1000
    return stored(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


@pytest.mark.parametrize("member", [0, 1, 2])
def test_a_member_that_is_not_what_is_there_is_fetched_anew(desk: Desk, member: int) -> None:
    desk.left(flipped(DUMP, member)[:-5])
    done = desk.resume()
    assert b"".join(read_raw(done.artifact.path)) == DUMP
    if member < len(DUMP) // MEMBER:
        assert any(f"behind member {member}" in line for line in desk.warned)


def test_a_dump_that_is_no_longer_there_loses_nothing_here(desk: Desk) -> None:
    desk.left(half := stored()[: len(stored()) // 2])
    desk.far.unlink()
    with pytest.raises(NoSuchFile) as caught:
        desk.resume()
    assert str(desk.partial) in caught.value.advice[1]
    assert desk.partial.read_bytes() == half
    assert desk.names == [f"{NAME}.partial", f"{NAME}.partial.journal"]


def test_one_that_is_not_what_the_jvm_said_keeps_both(desk: Desk) -> None:
    desk.left(stored()[:-9])
    desk.far.write_bytes(DUMP[:-9])
    with pytest.raises(VerificationFailed, match="byte count"):
        desk.resume()
    assert desk.far.exists()
    assert desk.names == [f"{NAME}.partial", f"{NAME}.partial.journal"]


def test_one_that_has_its_name_already_is_only_accounted_for(desk: Desk) -> None:
    desk.left(None)
    (desk.here / NAME).write_bytes(stored())
    done = desk.resume()
    assert done.here_bytes == len(DUMP)
    assert desk.names == [NAME, f"{NAME}.manifest.json"]
    assert not desk.far.exists()


def test_another_dump_that_took_the_name_is_not_taken_for_it(desk: Desk) -> None:
    desk.left(half := stored()[:-9])
    other = stored(make.large_dump(1 << 20))
    (desk.here / NAME).write_bytes(other)
    with pytest.raises((OutputExists, VerificationFailed)):
        desk.resume()
    assert (desk.far.read_bytes(), desk.partial.read_bytes()) == (DUMP, half)
    assert (desk.here / NAME).read_bytes() == other


def test_one_that_has_its_name_and_whose_target_is_gone_is_accounted_for(desk: Desk) -> None:
    desk.left(None)
    (desk.here / NAME).write_bytes(stored())
    desk.far.unlink()
    [left] = desk.resume().left_behind
    assert left.where == str(desk.far)
    assert desk.names == [NAME, f"{NAME}.manifest.json"]


@pytest.mark.parametrize("state", ["linked", "claimed"])
def test_a_kill_while_the_name_was_taken_is_put_right(desk: Desk, state: str) -> None:
    desk.left(stored())
    final = desk.here / NAME
    if state == "linked":
        final.hardlink_to(desk.partial)
    else:
        final.touch()
    desk.resume()
    assert b"".join(read_raw(final)) == DUMP
    assert desk.names == [NAME, f"{NAME}.manifest.json"]


def test_a_journal_that_is_none_keeps_no_other_from_it(desk: Desk) -> None:
    desk.left(stored()[:-9])
    (desk.here / "a.partial.journal").write_text("{")
    job = Job(LocalTarget(), timeout_s=5, retry_s=0)
    bad, good = unfinished_in(desk.here, job)
    assert isinstance(bad, Unreadable)
    assert isinstance(good, Found)


def test_one_that_was_to_be_kept_there_is(desk: Desk) -> None:
    desk.left(stored()[:-9], keep=True)
    [left] = desk.resume().left_behind
    assert left.where == str(desk.far)
    assert desk.far.read_bytes() == DUMP


def test_one_that_is_being_written_is_left_alone(desk: Desk) -> None:
    desk.left(None)
    with PartialFile(desk.here, NAME) as sink:
        sink.write(b"x")
        with pytest.raises(OutputExists, match="is being written"):
            desk.resume()


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("rule", "fields", "names"),
    [("strings", False, False), ("keep:[a-z]+", True, False), ("all", True, True)],
)
def test_a_redacted_one_is_gone_on_with_redacted(
    desk: Desk, cut: float, rule: str, fields: bool, names: bool
) -> None:
    redactor = Redactor(Rules.parse(rule, fields=fields, names=names))
    clean = redactor.feed(DUMP) + redactor.finish()
    assert clean != DUMP
    partial = stored(clean)
    desk.left(partial[: int(len(partial) * cut)], redaction=rule, redacts_fields=fields, redacts_names=names)
    assert b"".join(read_raw(desk.resume().artifact.path)) == clean


def test_one_whose_disk_was_given_back_is_gone_on_with_from_what_is_here(desk: Desk) -> None:
    desk.left(stored()[:-9], reclaimed_bytes=MEMBER)
    holes = bytes(MEMBER) + DUMP[MEMBER:]
    desk.far.write_bytes(holes)
    assert b"".join(read_raw(desk.resume().artifact.path)) == DUMP


def test_one_whose_only_copy_was_damaged_is_not_filled_up_with_holes(desk: Desk) -> None:
    damaged = bytearray(stored())
    damaged[200_000] ^= 1
    desk.left(bytes(damaged), reclaimed_bytes=2 * MEMBER)
    with pytest.raises(DumpIncomplete, match="were here only"):
        desk.resume()
    assert desk.partial.read_bytes() == damaged
    assert desk.names == [f"{NAME}.partial", f"{NAME}.partial.journal"]


def test_an_encrypted_one_begins_anew_and_is_never_plain(desk: Desk) -> None:
    pyrage = pytest.importorskip("pyrage")
    key = pyrage.x25519.Identity.generate()
    desk.left(b"age-encryption.org/v1\n and half of it", sealed_for=(str(key.to_public()),))
    done = desk.resume()
    sealed = Path(done.artifact.path).read_bytes()
    assert gzip.decompress(pyrage.decrypt(sealed, [key])) == DUMP
    assert (done.here_bytes, done.artifact.stored_bytes) == (0, len(sealed))
    assert not desk.far.exists()


GONE = replace(this_run(), start_ticks=1)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    """Records in a place of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Runs()


def on_record(runs: Runs, dump: Path, run: Runner = GONE) -> RunRecord:
    """The dump, as a run wrote it down long ago."""
    made = (Made(HEAP_DUMP, str(dump)), Made(LOCK, "/dev/shm/x.lock"))
    record = RunRecord(id=dump.name.strip("."), target="local://", made=made, run=run, at_s=1.0)
    assert runs.keep(record)
    return record


def meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch, runs: Runs) -> list[RunRecord]:
    """The records as they are while a resume is about to look at the target; filled by that."""
    seen: list[RunRecord] = []

    def reopened(*_: object) -> Reach:
        seen.extend(runs.all()[0])
        return Reach(LocalHost(), "", None)

    monkeypatch.setattr(going_on, "reopen", reopened)
    return seen


def test_what_the_run_before_had_written_down_for_a_sweep_is_forgotten(desk: Desk, runs: Runs) -> None:
    desk.left(stored()[:-9])
    on_record(runs, desk.far)
    other = on_record(runs, desk.far.with_name(".jvmdiag-ba9876543210.hprof"))
    desk.resume()
    assert runs.all()[0] == (other,)


def test_a_dump_that_is_gone_on_with_is_no_leftover_for_a_sweep(
    desk: Desk, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.left(stored()[:-9])
    before = on_record(runs, desk.far)
    assert not before.under_way(2.0)
    seen = meanwhile(desk, monkeypatch, runs)
    desk.resume()
    [record] = seen
    assert record.under_way(record.at_s)
    assert (record.id, record.made, record.run) == (before.id, before.made, this_run())
    assert (record.partial, record.at_s > before.at_s) == (str(desk.partial), True)


def test_one_that_failed_again_stays_on_record(desk: Desk, runs: Runs) -> None:
    desk.left(stored()[:-9])
    on_record(runs, desk.far)
    desk.far.write_bytes(DUMP[:-9])
    with pytest.raises(VerificationFailed):
        desk.resume()
    [record], _ = runs.all()
    assert record.made[0].path == str(desk.far)


def test_the_record_of_a_run_that_lives_stays_its_own(
    desk: Desk, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has named the dump here, and is about to remove the one there."""
    desk.left(None)
    (desk.here / NAME).write_bytes(stored())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as other:
        stat = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()
        before = on_record(runs, desk.far, replace(this_run(), pid=other.pid, start_ticks=int(stat[19])))
        seen = meanwhile(desk, monkeypatch, runs)
        desk.resume()
        assert seen == [before]
