"""Threads of thread dumps, real ones of each JVM."""

from __future__ import annotations

import re

import pytest

from jvmdiag.jvm.stacks import Stack, parse_stacks
from tests.unit.capture.test_threads import DUMPS


@pytest.mark.parametrize("dump", DUMPS)
def test_every_thread_of_a_real_dump_is_there_once(dump: bytes) -> None:
    stacks = parse_stacks(dump)
    listed = [int(nid, 0) for nid in re.findall(r"\bnid=(0x[0-9a-f]+|\d+) ", dump.decode())]
    assert [stack.tid for stack in stacks] == listed
    assert len({stack.tid for stack in stacks}) == len(stacks) > 10


@pytest.mark.parametrize("dump", DUMPS)
def test_it_is_told_what_a_thread_does_and_where(dump: bytes) -> None:
    threads = {stack.name: stack for stack in parse_stacks(dump)}
    main = threads["main"]
    assert main.state == "RUNNABLE"
    assert "ccept" in main.top and "Native Method" in main.top and "@" not in main.top
    assert main.own.startswith("Load.serve(")
    assert threads["VM Thread"] == Stack("VM Thread", threads["VM Thread"].tid, "runnable")
    blocked = [stack for stack in threads.values() if stack.state == "BLOCKED"]
    assert blocked and all(stack.own.startswith("Load.") for stack in blocked)


def test_a_name_may_hold_what_ends_names() -> None:
    dump = (
        b'"a "b" #1 c" #12 daemon prio=5 os_prio=0 cpu=1.00ms tid=0x01 nid=0x2c waiting on condition  [0x0]\n'
    )
    assert parse_stacks(dump) == (Stack('a "b" #1 c', 44, "waiting on condition"),)


def test_nothing_of_a_text_that_is_no_dump() -> None:
    assert parse_stacks(b"Unable to open socket file\n\xff\xfe\n") == ()
