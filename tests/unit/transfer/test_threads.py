"""The closing part of a thread dump's text."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from jvmdiag.transfer.threads import ThreadDumps, ThreadDumpWalk

STACK = '"main" #1 prio=5 os_prio=0 tid=0x1 nid=0x2 runnable\n   java.lang.Thread.State: RUNNABLE\n\n'
BEGIN = "2026-03-01 12:00:00\nFull thread dump OpenJDK 64-Bit Server VM (17.0.15+6 mixed mode):\n\n"
CLOSING_17 = "JNI global refs: 15, weak refs: 0\n\n"
CLOSING_8 = "JNI global references: 275\n\n"
HEAP = "Heap\n garbage-first heap   total 1K, used 1K\n  class space    used 11K, committed 128K\n\n"
DEADLOCK = 'Found one Java-level deadlock:\n=====\n"a":\n  waiting to lock monitor\n\nFound 1 deadlock.\n\n'
WHOLE = BEGIN + STACK + CLOSING_17


def walked(text: str, *cuts: int) -> ThreadDumps:
    data = text.encode()
    walk = ThreadDumpWalk()
    borders = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(borders):
        walk.feed(data[begin:end])
    return walk.finish()


@pytest.mark.parametrize(
    "text",
    [
        "4711:\n" + WHOLE,
        BEGIN + STACK + CLOSING_8,
        WHOLE + HEAP,
        WHOLE + DEADLOCK,
        WHOLE.rstrip(),
        WHOLE.replace("\n", "\r\n"),
        "log line\n" + WHOLE + "log line\n",
        "2026-03-01T12:00:00.000Z " + WHOLE,
    ],
)
def test_a_dump_with_its_closing_part_is_complete(text: str) -> None:
    assert walked(text) == ThreadDumps(1, True, "one thread dump, closed by JNI global refs")


def test_however_it_is_split_the_answer_is_the_same() -> None:
    text = WHOLE + DEADLOCK + HEAP
    chance = random.Random(1)
    for _ in range(200):
        assert walked(text, *(chance.randrange(len(text)) for _ in range(8))).complete
    assert walked(text, *range(len(text))).complete


def test_a_dump_cut_before_its_closing_line_is_not() -> None:
    end = WHOLE.index("JNI")
    for size in range(WHOLE.index("OpenJDK"), end + len("JNI global refs: ")):
        found = walked(WHOLE[:size])
        assert (found.dumps, found.complete) == (1, False), size
        assert "JNI global refs" in found.detail


def test_a_dump_cut_within_its_deadlocks_is_not() -> None:
    cut = (WHOLE + DEADLOCK).removesuffix("Found 1 deadlock.\n\n")
    assert walked(cut).detail == "thread dump 1 lacks the end of its deadlocks"


def test_each_of_several_dumps_must_be_closed() -> None:
    assert walked(WHOLE * 3) == ThreadDumps(3, True, "3 thread dumps, closed by JNI global refs")
    assert walked(WHOLE + BEGIN + STACK + WHOLE).detail.startswith("thread dump 2 lacks")
    assert walked(WHOLE + BEGIN + STACK).detail.startswith("thread dump 2 lacks")


def test_a_thread_that_is_named_like_the_beginning_begins_nothing() -> None:
    named = '"Full thread dump of X" #2 prio=5\n\n'
    assert walked(named).dumps == 0
    assert walked(BEGIN + named + CLOSING_17).dumps == 1


def test_text_without_a_dump_and_bytes_without_lines_are_none() -> None:
    assert walked("Found 3 errors\n" * 1000).dumps == 0
    walk = ThreadDumpWalk()
    for _ in range(50):
        walk.feed(b"x" * 50_000)
    assert walk.finish() == ThreadDumps(0, False, "there is no thread dump in it")
