"""The items of a snapshot: each has its status, and none of them ends the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import THREAD_PRINT, Speaker
from jvmdiag.collect.job import Job, Journal, Progress, now
from jvmdiag.collect.price import NO_TERMS
from jvmdiag.collect.snapshot import run_through
from jvmdiag.collect.snapshot_making import Making
from jvmdiag.collect.snapshot_request import Order, Pages, SnapshotRequest
from jvmdiag.collect.snapshot_run import Run, where
from jvmdiag.collect.snapshot_taking import Made, Taking
from jvmdiag.collect.snapshot_timeline import without_thread_names
from jvmdiag.errors import (
    AttachRefused,
    BadRequest,
    CommandRefused,
    ConnectionLost,
    Declined,
    JvmdiagError,
    JvmHung,
    NoMethod,
    RoomError,
    SudoRefused,
    WouldBeKilled,
)
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.jvm.thread_names import ThreadNames
from jvmdiag.metrics.figure import Figure, Group, Metrics, figure
from jvmdiag.snapshot.asked import QUICK, WORK, Command, NativeMemory, thread_dump
from jvmdiag.snapshot.item import At, Item, NotTaken, Risk, Taken
from jvmdiag.snapshot.kernel import KERNEL
from jvmdiag.target import DockerTarget
from jvmdiag.transfer.bundle import FAILED, INTERRUPTED, PARTIAL, SKIPPED, TAKEN, BundledItem, Folder
from jvmdiag.transfer.bundle_sealed import SealedFolder
from jvmdiag.transfer.seal import Seal, fresh_key
from jvmdiag.transfer.verify import verify_file
from tests.unit.capture.test_threads import by_jcmd
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

WHOLE = (
    b'Full thread dump OpenJDK\n\n"secret" #1 prio=5 nid=7 runnable\n\nJNI global refs: 15, weak refs: 0\n'
)


class Scripted(Speaker):
    """Answers by the line that it is asked; what is not in the script is refused."""

    reach = None
    detail = "by a test"

    def __init__(self, answers: dict[str, bytes | Exception], method: str = "direct") -> None:
        self.method = method
        self.answers = answers
        self.asked: list[str] = []

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.asked.append(line)
        answer = self.answers.get(line, CommandRefused(f"it does not know {line}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class Asking(Item):
    """A question of a test's own."""

    how: Callable[[], Taken] = lambda: Taken(b"x")
    asks = True

    def take(self, at: At) -> Taken:
        return self.how()


def a_run(
    tmp_path: Path, speaker: Speaker | None = None, *, risk: Risk = Risk.DEFAULT, redact: bool = False
) -> Run:
    job = Job(DockerTarget("web"), output=tmp_path)
    at = where(job, on_a_machine(the_jvm_of("tomcat-inside")), redact=redact)
    run = Run(job, risk, Progress(), Folder(tmp_path, "snap"), time.monotonic(), terms=NO_TERMS, at=at)
    at.speaker = speaker
    if speaker:
        run.spoken(speaker)
    return run


def raising(error: BaseException) -> Callable[[], Taken]:
    def how() -> Taken:
        raise error

    return how


def made(how: Callable[[], Taken], name: str = "one", risk: Risk = Risk.LIGHT) -> Made:
    return Made(name, f"{name}.txt", risk, 1.0, "", how)


def asking(how: Callable[[], Taken], name: str = "asks") -> Asking:
    return Asking(name, f"{name}.txt", Risk.LIGHT, 1.0, "", how)


def only(run: Run) -> BundledItem:
    [entry] = run.entries
    return entry


def test_what_was_taken_stands_with_its_sum_and_its_price(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    heard: list[Taken] = []
    run.take(made(lambda: Taken(b"text", "a note")), then=heard.append)
    entry = only(run)
    assert (entry.status, entry.file, entry.size_bytes, entry.note) == (TAKEN, "one.txt", 4, "a note")
    assert entry.began_s is not None and entry.took_s >= 0 and len(entry.sha256) == 64
    assert (run.folder.path / "one.txt").read_bytes() == b"text"
    assert [taken.data for taken in heard] == [b"text"]


def test_what_is_not_whole_stands_with_its_sum_and_what_is_missing(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.take(made(lambda: Taken(b"half", "a note", missing="its end")))
    entry = only(run)
    assert (entry.status, entry.why, entry.file, entry.size_bytes) == (PARTIAL, "its end", "one.txt", 4)
    assert entry.held and len(entry.sha256) == 64


@pytest.mark.parametrize(
    "error", [CommandRefused("no"), TimeoutError("no"), SudoRefused("no"), JvmHung("no")]
)
def test_what_fails_is_told_and_stops_nothing(tmp_path: Path, error: Exception) -> None:
    run = a_run(tmp_path)
    run.take(made(raising(error)))
    run.take(made(lambda: Taken(b""), "two"))
    assert [(entry.status, entry.why) for entry in run.entries] == [(FAILED, "no"), (TAKEN, "")]
    assert not (run.folder.path / "one.txt").exists()


def test_a_fault_of_our_own_is_told_and_stops_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.take(made(raising(IndexError("out of range"))))
    run.take(made(lambda: Taken(b""), "two"))
    assert [entry.status for entry in run.entries] == [FAILED, TAKEN]
    assert "a fault of jvmdiag: IndexError: out of range;" in run.entries[0].why
    assert "Traceback" in run.notes[0] and "in how" in run.notes[0]


def test_a_fault_of_encoding_is_told_without_the_text(tmp_path: Path) -> None:
    run, text = a_run(tmp_path), "hunter2-\udcff"
    run.take(made(lambda: Taken(text.encode())))
    assert "a fault of jvmdiag: UnicodeEncodeError" in run.entries[0].why
    assert "hunter2" not in f"{run.entries}{run.notes}"


@pytest.mark.parametrize(
    "error", [NotTaken("not tracked"), Declined("not tracked"), WouldBeKilled("not tracked")]
)
def test_what_there_is_not_or_what_nobody_pays_for_is_no_failure(tmp_path: Path, error: Exception) -> None:
    run = a_run(tmp_path)
    run.take(made(raising(error)))
    assert (only(run).status, only(run).why) == (SKIPPED, "not tracked")


@pytest.mark.parametrize("error", [JvmHung("hangs"), AttachRefused("refused"), TimeoutError("slow")])
def test_a_jvm_that_did_not_answer_once_is_not_asked_again(tmp_path: Path, error: Exception) -> None:
    run = a_run(tmp_path, Scripted({}))
    run.take(asking(raising(error), "one"))
    run.take(asking(raising(AssertionError("it was asked")), "two"))
    run.take(made(lambda: Taken(b""), "three"))
    assert [entry.status for entry in run.entries] == [FAILED, SKIPPED, TAKEN]
    assert str(error) in run.entries[1].why


def test_a_command_that_the_jvm_refuses_does_not_make_it_mute(tmp_path: Path) -> None:
    run = a_run(tmp_path, Scripted({"VM.uptime": b"5 s\n"}))
    for item in QUICK[:2]:
        run.take(item)
    assert [entry.status for entry in run.entries] == [FAILED, TAKEN]


def test_the_first_question_lets_the_next_rung_try(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.plan([item := asking(raising(AttachRefused("its /tmp was cleaned")))])
    with pytest.raises(AttachRefused):
        run.take(item)
    assert (run.entries, run.waiting) == ([], [item])
    run.spoken(Scripted({}))
    run.take(item)
    assert only(run).status == FAILED


def test_where_no_rung_can_the_first_question_says_why_all(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    first, second = thread_dump(1), thread_dump(2)
    run.plan((first, second))

    def refuse(_: Speaker) -> None:
        raise NoMethod("no way", advice=("  direct: closed", "  quit: no log"))

    run.at.scene = on_a_machine(the_jvm_of("tomcat-inside"))
    run.with_speaker(refuse, first)
    run.take(second)
    assert run.entries[0].status == FAILED
    assert run.entries[1].why == "the JVM could not be asked: see thread dump 1"


def test_a_target_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.take(made(raising(ConnectionLost("the line broke"))))
    run.take(made(raising(AssertionError("it was tried")), "two"))
    assert [(entry.status, entry.why) for entry in run.entries] == [
        (FAILED, "the line broke"),
        (SKIPPED, "the line broke"),
    ]
    began = time.monotonic()
    run.wait_until(began + 60, [])
    assert time.monotonic() - began < 30


def test_an_interruption_is_told_of_the_item_and_of_all_that_wait(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    one, two = made(raising(KeyboardInterrupt())), made(lambda: Taken(b""), "two")
    run.plan((one, two))
    with pytest.raises(KeyboardInterrupt):
        run.take(one)
    run.give_up("the run was interrupted before its turn")
    assert [(entry.name, entry.status) for entry in run.entries] == [
        ("one", INTERRUPTED),
        ("two", INTERRUPTED),
    ]
    assert run.waiting == []


def test_an_interruption_while_the_pages_are_written_leaves_a_whole_folder(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.take(made(lambda: Taken(b"text")))
    pages: Iterator[Callable[[], object]] = iter([raising(KeyboardInterrupt()), lambda: "page"])
    warned: list[str] = []
    made_by = Pages(lambda *_: "page", lambda *_: str(next(pages)()), lambda _: "")
    progress = Progress(warn=warned.append)
    snapshot = Making(Order(run.job, SnapshotRequest(), Journal(), progress, made_by, now()), run)
    with pytest.raises(KeyboardInterrupt):
        snapshot.finish()
    snapshot.stop()
    assert verify_file(tmp_path / "snap").ok and verify_file(tmp_path / "snap.tar.gz").ok
    assert not list(tmp_path.glob("*.partial"))
    assert str(tmp_path / "snap") in warned[0]
    snapshot.stop()
    assert "without its archive" in warned[1]


def of_still(tmp_path: Path, pages: Pages, warned: list[str]) -> Making:
    """Of a container that has ended, on an engine that answers nothing."""
    place = in_a_container(the_jvm_of("tomcat-inside")).place
    assert isinstance(place, ContainerPlace)
    job = Job(DockerTarget("web"), output=tmp_path)
    progress = Progress(warn=warned.append)
    run = Taking(job, Risk.LIGHT, progress, Folder(tmp_path, "snap"), time.monotonic())
    order = Order(job, SnapshotRequest(), Journal(), progress, pages, now())
    return Making(order, run, standing="it ended", place=place)


def test_of_one_that_has_ended_it_is_whole_too_where_it_is_interrupted_at_its_end(tmp_path: Path) -> None:
    pages: Iterator[Callable[[], object]] = iter([raising(KeyboardInterrupt()), lambda: "page"])
    warned: list[str] = []
    snapshot = of_still(
        tmp_path, Pages(lambda *_: "page", lambda *_: str(next(pages)()), lambda _: ""), warned
    )
    with pytest.raises(KeyboardInterrupt):
        run_through(lambda _: snapshot)
    assert verify_file(tmp_path / "snap").ok and verify_file(tmp_path / "snap.tar.gz").ok
    assert str(tmp_path / "snap") in warned[0]


def test_what_does_not_close_well_costs_nothing_of_one_that_has_ended(tmp_path: Path) -> None:
    snapshot = of_still(tmp_path, Pages(lambda *_: "page", lambda *_: "page", lambda _: ""), [])

    def begun(stack: ExitStack) -> Making:
        stack.callback(raising(ConnectionLost("the line broke")))
        return snapshot

    taken = run_through(begun)
    assert taken.folder == tmp_path / "snap" and taken.bundle.notes == ("the line broke",)


def test_where_it_cannot_be_written_to_its_end_it_is_told_where_the_rest_is(tmp_path: Path) -> None:
    snapshot = of_still(tmp_path, Pages(lambda *_: "page", lambda *_: "page", lambda _: ""), [])
    snapshot.run.take(made(lambda: Taken(b"text")))
    # What stands in the way of a page is no less than a full disk.
    (tmp_path / "snap.partial/index.html").mkdir()
    with pytest.raises(RoomError) as caught:
        snapshot.finish()
    assert caught.value.advice[-1] == f"what was taken is in {tmp_path / 'snap.partial'}"
    assert (tmp_path / "snap.partial/one.txt").read_bytes() == b"text"


def test_an_encrypted_one_that_is_interrupted_is_an_archive_and_nothing_else(tmp_path: Path) -> None:
    _, recipient = fresh_key()
    run = a_run(tmp_path)
    run.folder.path.rmdir()
    folder = SealedFolder(tmp_path, "snap", Seal((recipient,)))
    run.folder = folder
    run.take(made(lambda: Taken(b"text")))
    warned: list[str] = []
    pages = Pages(lambda *_: "page", lambda *_: "page", lambda _: "")
    progress = Progress(warn=warned.append)
    job = replace(run.job, seal=Seal((recipient,)))
    snapshot = Making(Order(job, SnapshotRequest(), Journal(), progress, pages, now()), run)
    run.plan((made(lambda: Taken(b""), "two"),))
    snapshot.stop()
    names = ["snap.tar.gz.age", "snap.tar.gz.age.manifest.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert [entry.status for entry in run.entries] == [TAKEN, INTERRUPTED]
    assert str(tmp_path / names[0]) in warned[0]
    assert verify_file(tmp_path / names[0]).ok
    snapshot.stop()
    assert warned[1].endswith("is all there")


@pytest.mark.parametrize(
    ("risk", "taken"),
    [
        (Risk.LIGHT, [True, False, False]),
        (Risk.DEFAULT, [True, True, False]),
        (Risk.FULL, [True, True, True]),
    ],
)
def test_a_risk_class_holds_those_below_it(tmp_path: Path, risk: Risk, taken: list[bool]) -> None:
    run = a_run(tmp_path, risk=risk)
    for one in Risk:
        run.take(made(lambda: Taken(b""), one.value, one))
    assert [entry.status == TAKEN for entry in run.entries] == taken


def test_light_is_nothing_that_stops_the_jvm_longer_than_a_thread_dump() -> None:
    everything = (*QUICK, *KERNEL, *WORK, thread_dump(1))
    assert (
        len({item.name for item in everything}) == len({item.file for item in everything}) == len(everything)
    )
    light = {item.name for item in everything if item.risk is Risk.LIGHT}
    assert not light & {"histogram", "vm info", "locks", "metaspace", "class loaders", "native memory"}
    assert all(item.operation is None for item in everything if item.name in light)
    assert {item.name for item in everything if item.operation} == {"histogram", "locks"}


def test_sigquit_is_asked_for_thread_dumps_alone(tmp_path: Path) -> None:
    speaker = Scripted({THREAD_PRINT: WHOLE}, "quit")
    run = a_run(tmp_path, speaker, risk=Risk.FULL)
    for item in (thread_dump(1), *QUICK, WORK[-1]):
        run.take(item)
    assert speaker.asked == [THREAD_PRINT]
    assert all(entry.why.startswith("SIGQUIT gives plain thread dumps") for entry in run.entries[1:])


def test_answers_are_masked_and_names_where_that_is_asked_for(tmp_path: Path) -> None:
    answers: dict[str, bytes | Exception] = {
        "VM.system_properties": b"app.password=hunter2\n",
        THREAD_PRINT: WHOLE,
    }
    run = a_run(tmp_path, Scripted(answers), redact=True)
    assert isinstance(run.at.names, ThreadNames)
    properties = next(item for item in QUICK if isinstance(item, Command) and "properties" in item.name)
    run.take(properties)
    run.take(thread_dump(1))
    texts = [(run.folder.path / entry.file).read_bytes() for entry in run.entries]
    assert texts[0] == b"app.password=***\n"
    assert b"secret" not in texts[1] and b'"group-1-1" #1' in texts[1]


def test_a_dump_that_is_cut_is_none_and_a_whole_one_stays_as_it_came(tmp_path: Path) -> None:
    dump = by_jcmd(17)
    run = a_run(tmp_path, Scripted({THREAD_PRINT: dump[: len(dump) // 2]}))
    run.take(thread_dump(1))
    run.at.speaker = Scripted({THREAD_PRINT: dump})
    run.take(thread_dump(2))
    assert [entry.status for entry in run.entries] == [FAILED, TAKEN]
    assert (run.folder.path / "thread-dump-2.txt").read_bytes() == dump


def test_native_memory_that_is_not_tracked_is_no_failure(tmp_path: Path) -> None:
    run = a_run(tmp_path, Scripted({"VM.native_memory": b"Native memory tracking is not enabled\n"}))
    [item] = [one for one in WORK if isinstance(one, NativeMemory)]
    run.take(item)
    assert (only(run).status, "NativeMemoryTracking" in only(run).why) == (SKIPPED, True)


def test_the_time_to_the_next_dump_is_filled_and_not_overrun_by_what_could_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = list[float]()
    monkeypatch.setattr(time, "sleep", slept.append)
    run = a_run(tmp_path)
    quick: list[Item] = [made(lambda: Taken(b""), str(number)) for number in range(3)]
    run.wait_until(time.monotonic() - 1, quick)
    assert (len(quick), run.entries) == (3, [])
    run.wait_until(time.monotonic() + 60, quick)
    assert (quick, len(run.entries)) == ([], 3)
    assert slept[0] == 0 and 0 < slept[1] < 60


def test_whoever_may_not_see_the_jvms_files_looks_as_himself(tmp_path: Path) -> None:
    jvm = the_jvm_of("tomcat-inside")
    at = where(Job(DockerTarget("web")), in_a_container(jvm), redact=False)
    assert at.files.user == jvm.owner
    at = where(Job(DockerTarget("web")), in_a_container(replace(jvm, readable=False)), redact=False)
    assert (at.reach.user, at.files.user, at.reach.prefix) == (None, None, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"interval_s": -1.0},
        {"logs_mb": -1.0},
        {"redact": True, "heap": True},
        {"redact": True, "fetch_found": True},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_opened(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        SnapshotRequest(**wrong)  # type: ignore[arg-type]


def test_figures_name_no_threads_where_names_are_replaced() -> None:
    figures = (
        Figure("cpu.thread", 0.5, (("tid", "7"), ("name", "secret"))),
        figure("load.1m", 1),
    )
    metrics = Metrics("web", "", 1.0, (Group("cpu", figures),))
    assert without_thread_names(metrics).figures[0].labels == (("tid", "7"), ("name", "***"))
    assert without_thread_names(metrics).figures[1] == figures[1]


def test_every_error_there_is_has_a_reason_that_is_shown(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.take(made(raising(JvmdiagError("it failed", why="a reason", advice=("do this", "or that")))))
    assert only(run).why == "it failed: a reason; do this"
