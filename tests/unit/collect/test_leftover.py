"""What may be done with what was found: by the word of a record, a manifest or a label, and never by a name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.collect.claims import FILE, Claim
from jvmdiag.collect.leftover import State, judged, of_others, of_running, of_sidecar, outcome
from jvmdiag.hosts.runner import this_run
from jvmdiag.hosts.sidecars import Sidecar
from jvmdiag.impact.leftovers import Lying
from jvmdiag.impact.runs import HEAP_DUMP, LOCK, PIPES, TRIGGER, Made, RunRecord

PATH = "/data/.jvmdiag-1.hprof"
CLAIM = Claim("docker://web", HEAP_DUMP, PATH, "record 1", 1001)
DUMP = Lying(PATH, "file", 1001, 5.0, 345_000_000, 77, "whole")
PART = Lying(f"{PATH}.p0", "file", 1001, 5.0, 100, 78)
MISSING = Lying(PATH, "missing", 0, 0.0, 0, 0)
JVMS = frozenset({1001})


def states(claim: Claim, *lying: Lying) -> list[State]:
    return [one.state for one in judged(claim, lying, JVMS)]


def test_a_whole_dump_that_was_never_brought_here_is_an_asset_with_its_size() -> None:
    [one] = judged(CLAIM, [DUMP], JVMS)
    assert one.state is State.WHOLE
    assert "whole, 345 MB" in one.note
    assert f"jvmdiag fetch docker://web {PATH} --remove" in one.note


def test_one_whose_copy_was_begun_is_gone_on_with_and_not_fetched_once_more() -> None:
    """What --redact takes out of it must not come here by another way."""
    [one] = judged(replace(CLAIM, partial="/here/a b.hprof.gz.partial"), [DUMP], JVMS)
    assert one.state is State.WHOLE
    assert "whole, 345 MB" in one.note
    assert "jvmdiag resume '/here/a b.hprof.gz.partial'" in one.note
    assert "fetch" not in one.note


def test_one_that_may_be_whole_is_taken_for_it() -> None:
    assert states(CLAIM, replace(DUMP, ending="unknown")) == [State.WHOLE]


def test_a_dump_whose_verified_copy_is_here_is_left_like_any_other() -> None:
    [one] = judged(replace(CLAIM, copy="/here/web.hprof.gz"), [DUMP], JVMS)
    assert one.state is State.LEFT
    assert "/here/web.hprof.gz" in one.note


def test_a_cut_dump_and_its_parts_are_left() -> None:
    assert states(CLAIM, replace(DUMP, ending="cut"), PART) == [State.LEFT, State.LEFT]


def test_nothing_is_made_of_what_is_not_there() -> None:
    assert states(CLAIM, MISSING) == []


def test_a_dump_that_is_still_asked_for_is_in_use_before_it_is_there() -> None:
    assert states(CLAIM, replace(MISSING, user=9)) == [State.IN_USE]


def test_a_dump_that_a_jvm_may_write_yet_keeps_its_record() -> None:
    """It was asked just now, nothing came, and its client was killed: it may be waiting in the JVM's queue."""
    waiting = replace(CLAIM, may_come=True)
    [one] = judged(waiting, [MISSING], JVMS, alive=True)
    assert one.state is State.IN_USE
    assert judged(waiting, [MISSING], JVMS, alive=False) == ()
    assert judged(CLAIM, [MISSING], JVMS, alive=True) == ()


@pytest.mark.parametrize("user", [replace(DUMP, user=9), DUMP])
def test_who_uses_the_dump_or_a_part_of_it_uses_all(user: Lying) -> None:
    part = PART if user.user else replace(PART, user=9)
    assert states(CLAIM, user, part) == [State.IN_USE, State.IN_USE]


@pytest.mark.parametrize(
    "strange",
    [
        {"kind": "link"},
        {"kind": "other"},
        {"kind": "directory"},
        {"kind": "closed"},
        {"uid": 0},
    ],
)
def test_what_is_not_what_the_run_made_is_left_alone(strange: dict[str, object]) -> None:
    assert states(CLAIM, replace(DUMP, **strange)) == [State.UNSURE]  # type: ignore[arg-type]


def test_a_fifo_is_what_a_run_may_have_made() -> None:
    [one] = judged(CLAIM, [replace(DUMP, kind="fifo", ending="", size_bytes=0)], JVMS)
    assert (one.what, one.state) == ("FIFO", State.LEFT)


PIPED = replace(CLAIM, kind=PIPES)
DIRECTORY = replace(DUMP, kind="directory", ending="", size_bytes=4096)


def test_a_directory_of_fifos_goes_where_a_record_names_one() -> None:
    [one] = judged(PIPED, [DIRECTORY], JVMS)
    assert (one.what, one.state, one.size_bytes, one.note) == ("directory of FIFOs", State.LEFT, 0, "")
    assert states(PIPED, replace(DIRECTORY, user=9)) == [State.IN_USE]
    assert states(PIPED, MISSING) == []


@pytest.mark.parametrize("kind", ["file", "fifo", "link", "other", "closed"])
def test_what_is_no_directory_of_fifos_any_more_is_left_alone(kind: str) -> None:
    assert states(PIPED, replace(DIRECTORY, kind=kind)) == [State.UNSURE]


def test_a_manifest_speaks_of_one_size_only() -> None:
    assert states(replace(CLAIM, size_bytes=1), DUMP) == [State.UNSURE]
    assert states(replace(CLAIM, size_bytes=DUMP.size_bytes, copy="/here/x"), DUMP) == [State.LEFT]


def test_a_file_of_the_application_is_for_fetch_to_compare_and_remove() -> None:
    [one] = judged(replace(CLAIM, kind=FILE, path="/tmp/gc log"), [replace(DUMP, path="/tmp/gc log")], JVMS)
    assert one.state is State.UNSURE
    assert "jvmdiag fetch docker://web '/tmp/gc log' --remove" in one.note


def test_a_trigger_may_be_that_of_a_client_that_attaches_just_now() -> None:
    claim = replace(CLAIM, kind=TRIGGER, path="/tmp/.attach_pid1")
    trigger = Lying(claim.path, "file", 1001, 59.0, 0, 5)
    assert states(claim, trigger) == [State.UNSURE]
    assert states(claim, replace(trigger, age_s=61.0)) == [State.LEFT]


def test_of_a_run_that_goes_on_the_dump_is_named() -> None:
    made = (Made(HEAP_DUMP, PATH), Made(LOCK, "/dev/shm/x.lock"), Made(TRIGGER, "/tmp/.attach_pid1"))
    [one] = of_running(RunRecord(id="1", target="docker://web", made=made, run=this_run(), at_s=0))
    assert (one.state, one.where) == (State.UNDER_WAY, PATH)
    assert str(this_run().pid) in one.note


SIDECAR = Sidecar("jvmdiag-12", "c0ffee", "created", 1000.0, replace(this_run(), start_ticks=1))


def test_a_sidecar_goes_when_its_run_is_gone() -> None:
    found = of_sidecar("docker://web", SIDECAR, 1010.0)
    assert found and (found.state, found.where, found.age_s) == (State.LEFT, "jvmdiag-12", 10.0)


def test_a_sidecar_of_this_run_is_none_of_it() -> None:
    assert of_sidecar("docker://web", replace(SIDECAR, run=this_run()), 1010.0) is None


@pytest.mark.parametrize("run", [None, replace(this_run(), machine="another")])
def test_a_sidecar_whose_run_cannot_be_seen_is_others_for_a_day(run: object) -> None:
    unseen = replace(SIDECAR, run=run)  # type: ignore[arg-type]
    young, old = (of_sidecar("docker://web", unseen, 1000.0 + s) for s in (86000, 87000))
    assert young and young.state is State.OTHERS
    assert old and old.state is State.LEFT


@pytest.mark.parametrize(
    ("path", "what", "words"),
    [
        ("/tmp/.jvmdiag-2.hprof", "heap dump", "another machine"),
        ("/tmp/java_pid1.hprof", "heap dump", "HotSpot itself"),
        ("/tmp/old.hprof.gz", "heap dump", ""),
        ("/tmp/.attach_pid1", "trigger", "no record"),
        ("/dev/shm/.jvmdiag-1-2.lock", "lock", "another machine"),
        ("/tmp/core.17", "core file", ""),
        ("/tmp/core.hprof", "heap dump", ""),
    ],
)
def test_what_no_word_of_ours_names_is_others_whatever_its_name(path: str, what: str, words: str) -> None:
    one = of_others("docker://web", replace(DUMP, path=path))
    assert (one.state, one.what, one.by) == (State.OTHERS, what, "")
    assert words in one.note
    assert not one.state.removable
    assert not one.state.stays


def test_a_directory_that_no_word_of_ours_names_is_others_and_has_no_size() -> None:
    one = of_others("docker://web", DIRECTORY)
    assert (one.what, one.state, one.size_bytes) == ("directory", State.OTHERS, 0)
    assert "another machine" in one.note


def test_every_word_of_a_removal_has_its_outcome() -> None:
    [one] = judged(CLAIM, [DUMP], JVMS)
    words = ("removed", "gone", "busy", "changed", "refused")
    assert [outcome(one, word).state.stays for word in words] == [False, False, True, True, True]
