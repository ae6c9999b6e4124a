"""A heap dump as a whole: what is done to the target before and after, and what is never done."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach, Scene, Speaker
from jvmdiag.capture.heap import HeapDump
from jvmdiag.collect.heap import _Taking
from jvmdiag.collect.heap_request import HeapDumpRequest
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.price import Offer, Terms, estimate_bytes
from jvmdiag.errors import (
    AttachRefused,
    CommandRefused,
    Declined,
    DumpUnderWay,
    HangUp,
    JvmdiagError,
    JvmGone,
    JvmHung,
    LocalDiskFull,
    PauseTooLong,
    TargetDiskFull,
    VerificationFailed,
)
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact import lock
from jvmdiag.impact.around import lock_path
from jvmdiag.impact.finding import Subject
from jvmdiag.impact.lock import dump_lock
from jvmdiag.model import Heap, Jvm, Owner
from jvmdiag.target import LocalTarget
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.unfinished import read_unfinished
from tests import hprof_bytes as make
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import on_a_machine

DUMP = make.large_dump(2 << 20)
HEAP_INFO = b""" garbage-first heap   total 131072K, used 10083K [0x00000000f8000000, 0x0000000100000000)
  region size 1024K, 6 young (6144K), 1 survivors (1024K)
 Metaspace       used 4855K, committed 4992K, reserved 1114112K
  class space    used 442K, committed 512K, reserved 1048576K
"""


def this_process() -> Jvm:
    """A JVM that is this very process, as far as pid, start time and owner go."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8")
    return replace(
        the_jvm_of("jdk17-listening-host"),
        pid=os.getpid(),
        nspids=(os.getpid(),),
        start_ticks=int(stat.rpartition(")")[2].split()[19]),
        owner=Owner(os.geteuid(), os.getegid()),
        mounts=(),
        perfdata=None,  # else each question waits for counters of this process to move
    )


@dataclass
class PretendedJvm(Speaker):
    """Writes `content` where it is told, and says that it wrote `says_bytes`."""

    content: bytes = DUMP
    says_bytes: int = len(DUMP)
    refuses: str = ""
    asked: list[str] = field(default_factory=list)
    method = "pretended"
    detail = "by a test"

    def __post_init__(self) -> None:
        self.reach = Reach(LocalHost(), "", None)

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.asked.append(line)
        if line == "GC.heap_info":
            return HEAP_INFO
        Path(line.split('"')[1]).write_bytes(self.content)
        return (self.refuses or f"Heap dump file created [{self.says_bytes} bytes in 0.250 secs]\n").encode()


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="targets run Linux, and here the target is this machine"
)


@dataclass
class Desk:
    """One heap dump of this process, as a user would order it."""

    there: Path
    here: Path
    jvm: PretendedJvm = field(default_factory=PretendedJvm)
    agreed: bool = True
    warned: list[str] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    forced: frozenset[Subject] = frozenset()
    max_pause_s: float | None = None
    advance: Callable[[int], None] = lambda _: None
    codec: Codec = Codec.GZIP

    def take(self, *, keep: bool | None = None, live: bool = False, scene: Scene | None = None) -> object:
        def agreed(offer: Offer) -> bool:
            self.offers.append(offer)
            return self.agreed

        terms = Terms(self.max_pause_s, self.forced, agreed)
        return _Taking(
            Job(LocalTarget(), output=self.here, timeout_s=5, codec=self.codec),
            HeapDumpRequest(live=live, dump_dir=str(self.there), keep=keep, terms=terms),
            Journal(),
            Progress(advance=self.advance, warn=self.warned.append),
            scene or on_a_machine(this_process(), LocalHost()),
        ).with_(self.jvm)

    @property
    def left_there(self) -> list[Path]:
        return list(self.there.iterdir())

    @property
    def named_here(self) -> list[Path]:
        return sorted(self.here.iterdir())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("target dir", "here"):
        (tmp_path / name).mkdir()
    return Desk(tmp_path / "target dir", tmp_path / "here")


def test_a_dump_is_verified_named_accounted_for_and_removed_there(desk: Desk) -> None:
    desk.take()
    dump, manifest = desk.named_here
    assert gzip.decompress(dump.read_bytes()) == DUMP
    said = json.loads(manifest.read_text(encoding="utf-8"))
    assert [witness["name"] for witness in said["witnesses"]] == ["exit status", "byte count", "structure"]
    assert all(witness["agrees"] for witness in said["witnesses"])
    assert said["jvm_reported_bytes"] == len(DUMP)
    assert (desk.left_there, desk.warned) == ([], [])


def test_the_user_sees_what_will_be_done_before_it_is(desk: Desk) -> None:
    desk.agreed = False
    with pytest.raises(Declined):
        desk.take()
    [offer] = desk.offers
    room = offer.price.room
    assert room is not None
    assert (room.directory, offer.method, offer.price.intent.live) == (str(desk.there), "pretended", False)
    assert desk.jvm.asked == ["GC.heap_info"]
    assert (desk.named_here, desk.left_there) == ([], [])


def test_all_objects_are_dumped_unless_only_the_live_ones_are_wanted(desk: Desk) -> None:
    desk.take()
    desk.take(live=True)
    lines = [line for line in desk.jvm.asked if line.startswith("GC.heap_dump")]
    assert ["-all" in line for line in lines] == [True, False]


def test_a_dump_that_is_to_stay_stays_and_is_written_down(desk: Desk) -> None:
    desk.take(keep=True)
    [kept] = desk.left_there
    assert kept.read_bytes() == DUMP
    said = json.loads(desk.named_here[1].read_text(encoding="utf-8"))
    assert said["left_behind"][0]["where"] == str(kept)


BROKEN = DUMP[:-4]


@pytest.mark.parametrize(
    ("content", "says_bytes"),
    [(BROKEN, len(BROKEN)), (DUMP, len(DUMP) + 1)],
    ids=["its-structure", "its-size"],
)
def test_a_witness_that_disagrees_lets_nothing_take_the_final_name(
    desk: Desk, content: bytes, says_bytes: int
) -> None:
    desk.jvm = PretendedJvm(content, says_bytes)
    with pytest.raises(VerificationFailed):
        desk.take()
    # The bytes are here and there, and so is what is known of them.
    assert [path.name.partition(".gz")[2] for path in desk.named_here] == [".partial", ".partial.journal"]
    assert len(desk.left_there) == 1


def test_a_dump_that_is_whole_there_is_not_removed_because_its_copy_failed(desk: Desk) -> None:
    def full(_: int) -> None:
        raise LocalDiskFull("the disk is full")

    desk.advance = full
    with pytest.raises(LocalDiskFull):
        desk.take()
    [kept] = desk.left_there
    assert kept.read_bytes() == DUMP
    partial, journal = desk.named_here
    assert f"go on with it: jvmdiag resume {partial}" in desk.warned
    unfinished = read_unfinished(journal)
    assert (unfinished.path, unfinished.manifest.jvm_reported_bytes) == (str(kept), len(DUMP))
    assert journal.stat().st_mode & 0o777 == 0o600


def test_it_is_removed_also_then_where_the_user_wants_nothing_kept(desk: Desk) -> None:
    def full(_: int) -> None:
        raise LocalDiskFull("the disk is full")

    desk.advance = full
    with pytest.raises(LocalDiskFull):
        desk.take(keep=False)
    assert (desk.left_there, desk.named_here) == ([], [])


def test_a_dump_that_is_not_whole_there_is_removed(desk: Desk) -> None:
    desk.jvm = PretendedJvm(DUMP[:1000], refuses="Dump file is incomplete: No space left on device\n")
    with pytest.raises(TargetDiskFull):
        desk.take()
    assert (desk.left_there, desk.named_here) == ([], [])


@pytest.mark.parametrize(("keep", "kept"), [(None, 0), (False, 0), (True, 1)])
def test_ctrl_c_leaves_nothing_but_what_was_to_be_kept(desk: Desk, keep: bool | None, kept: int) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    desk.advance = interrupt
    with pytest.raises(KeyboardInterrupt):
        desk.take(keep=keep)
    assert len(desk.left_there) == kept
    assert desk.named_here == []


@pytest.mark.parametrize(("keep", "kept"), [(None, 1), (False, 0)])
def test_a_terminal_that_goes_away_loses_nothing(desk: Desk, keep: bool | None, kept: int) -> None:
    def hang_up(_: int) -> None:
        raise HangUp

    desk.advance = hang_up
    with pytest.raises(HangUp):
        desk.take(keep=keep)
    assert len(desk.left_there) == kept
    assert len(desk.named_here) == 2 * kept


def test_a_terminal_that_goes_away_while_an_error_waits_for_the_jvm_loses_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise LocalDiskFull("the disk is full")

    def hang_up(_: HeapDump) -> bool:
        raise HangUp

    desk.advance = full
    monkeypatch.setattr(HeapDump, "may_be_whole", hang_up)
    with pytest.raises(LocalDiskFull):
        desk.take()
    assert (len(desk.left_there), len(desk.named_here)) == (1, 2)


def test_a_pid_that_is_another_process_now_is_not_asked_for_a_dump(desk: Desk) -> None:
    other = replace(this_process(), start_ticks=1)
    with pytest.raises(JvmGone):
        desk.take(scene=on_a_machine(other, LocalHost()))
    assert desk.jvm.asked == ["GC.heap_info"]


def test_the_size_is_forecast_from_the_heap_alone_and_not_from_the_metaspace() -> None:
    assert estimate_bytes(PretendedJvm(), this_process(), 5) == (10_083 << 10) + (10 << 20)


def test_without_the_jvms_word_it_is_what_was_published_or_what_is_resident() -> None:
    class Silent(PretendedJvm):
        def ask(self, line: str, timeout_s: float) -> bytes:
            raise CommandRefused("no such command")

    jvm = replace(this_process(), heap=Heap(7, 8, 9), rss_bytes=1000)
    assert estimate_bytes(Silent(), jvm, 5) == 7
    assert estimate_bytes(Silent(), replace(jvm, heap=None), 5) == 1000


@pytest.mark.parametrize("error", [AttachRefused("not yours"), JvmHung("busy")])
def test_a_jvm_that_does_not_say_how_full_it_is_gets_no_dump_into_its_queue(error: JvmdiagError) -> None:
    waits: list[float] = []

    class Hung(PretendedJvm):
        def ask(self, line: str, timeout_s: float) -> bytes:
            waits.append(timeout_s)
            raise error

    with pytest.raises(type(error)):
        estimate_bytes(Hung(), this_process(), 1800)
    assert waits == [30.0]


def test_a_pause_that_is_forecast_too_long_is_refused_before_the_jvm_is_asked(desk: Desk) -> None:
    desk.max_pause_s = 1e-6
    with pytest.raises(PauseTooLong, match="--max-pause"):
        desk.take()
    assert desk.jvm.asked == ["GC.heap_info"]
    assert (desk.named_here, desk.left_there, desk.offers) == ([], [], [])


def test_what_is_forced_is_taken_and_written_down(desk: Desk) -> None:
    desk.max_pause_s, desk.forced = 1e-6, frozenset({Subject.PAUSE})
    desk.take()
    said = json.loads(desk.named_here[1].read_text(encoding="utf-8"))
    assert said["forced"][0].startswith("pause: ")
    assert 0 < said["forecast"]["low_s"] < said["forecast"]["high_s"]


def test_one_that_forces_something_else_is_refused(desk: Desk) -> None:
    desk.max_pause_s, desk.forced = 1e-6, frozenset(Subject) - {Subject.PAUSE}
    with pytest.raises(PauseTooLong):
        desk.take()


def test_two_at_once_are_one_too_many(desk: Desk) -> None:
    jvm = this_process()
    with dump_lock(Reach(LocalHost(), "", None), jvm) as held:
        assert held
        with pytest.raises(DumpUnderWay):
            desk.take()
        assert (desk.named_here, desk.left_there) == ([], [])
    assert not Path(lock_path(jvm)).exists()
    desk.take()


def test_the_lock_goes_with_its_owner(desk: Desk) -> None:
    jvm = this_process()
    stream = LocalHost().stream(
        ["sh", "-c", Path(lock.__file__).with_name("lock.sh").read_text(), "sh", lock_path(jvm)]
    )
    assert stream.read() == b"held\n"
    stream.close()
    with dump_lock(Reach(LocalHost(), "", None), jvm) as held:
        assert held
