"""The text of look.sh, read."""

from __future__ import annotations

import pytest

from jvmdiag.errors import CommandRefused
from jvmdiag.metrics.look import parse_look
from tests.unit.metrics.look_case import TOKEN, look_of, recorded


def test_a_look_that_was_recorded_is_read() -> None:
    before, after = recorded("busy")
    assert after.at_s - before.at_s == pytest.approx(2.2, abs=0.1)
    assert {task.name for task in after.tasks()} >= {"busy-1", "churning-1", "VM Thread"}
    assert after.stat[0] in "RS"
    [java] = after.processes()
    assert (java.comm, java.threads, java.uid) == ("java", 21, 1001)


def test_a_name_that_looks_like_more_of_the_line_is_a_name() -> None:
    line = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 37577 3133440 381 1844\n"
    [task] = look_of(tasks=line).tasks()
    assert (task.tid, task.name, task.state, task.cpu_s) == (7, "a) b (c", "S", 3.0)


def test_a_line_break_in_the_name_of_a_thread_makes_no_other_thread() -> None:
    rest = "S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 37577 3133440 381 1844"
    tasks = look_of(tasks=f"8 (a\n9 (x) S 1 2\nb) {rest}\n7 (b) {rest}\n").tasks()
    assert [task.tid for task in tasks] == [7]


def test_who_waits_and_where() -> None:
    look = look_of(threads="7 futex_wait\n8 0\n9 -\n")
    assert look.waits("threads") == {7: "futex_wait"}


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"sh: 1: cd: not found\n",
        f"\n@@{TOKEN} system\n100.00 50.00\n".encode(),
        f"\n@@{TOKEN} system\n\n@@{TOKEN} end\n".encode(),
    ],
)
def test_a_look_that_is_not_whole_is_none(output: bytes) -> None:
    with pytest.raises(CommandRefused):
        parse_look(output, TOKEN, 1)


def test_what_a_program_calls_itself_makes_no_section() -> None:
    output = f"\n@@{TOKEN} system\n100.00 50.00\n@@other end\n\n@@{TOKEN} end\n".encode()
    assert parse_look(output, TOKEN, 1).text("system").endswith("@@other end\n")
