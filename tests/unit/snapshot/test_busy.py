"""Threads by CPU: the join with the names of a dump."""

from __future__ import annotations

from jvmdiag.jvm.stacks import Stack
from jvmdiag.snapshot.busy import CpuTimes, Pool, busy_between, busy_text, pools_of


def test_the_busiest_comes_first_with_its_name_of_the_last_dump_that_has_it() -> None:
    first, last = (
        CpuTimes(100.0, {1: 5.0, 2: 1.0, 3: 7.0}),
        CpuTimes(110.0, {1: 6.0, 2: 10.0, 3: 7.0, 9: 0.5}),
    )
    dumps = [
        [Stack("early", 2, "WAITING"), Stack("one", 1, "RUNNABLE", ("java.a.b()", "own.c()"))],
        [Stack("late", 2, "RUNNABLE")],
    ]
    busy = busy_between(first, last, dumps)
    assert [(one.name, round(one.cpus, 3)) for one in busy] == [("late", 0.9), ("one", 0.1), ("", 0.05)]
    assert (busy[1].top, busy[1].own) == ("java.a.b()", "own.c()")
    text = busy_text(busy, 10.0)
    assert "   90.0      2  RUNNABLE               late" in text
    assert "(in no dump)" in text and "105.0" in text


def test_there_is_no_share_of_no_time() -> None:
    same = CpuTimes(100.0, {1: 5.0})
    assert busy_between(same, same, []) == ()


def test_threads_that_differ_in_their_number_are_a_pool() -> None:
    dump = [Stack(f"http-nio-8080-exec-{n}", n, "WAITING" if n else "RUNNABLE") for n in range(3)]
    dump += [
        Stack("main", 7, "RUNNABLE"),
        Stack("GC Thread#0", 8, "runnable"),
        Stack("GC Thread#1", 9, "runnable"),
    ]
    assert pools_of(dump) == (
        Pool("http-nio-8080-exec-*", 3, (("WAITING", 2), ("RUNNABLE", 1))),
        Pool("GC Thread#*", 2, (("runnable", 2),)),
    )
