"""Threads by CPU: the script on this very process, the join with the names of a dump."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.hosts.local import LocalHost
from jvmdiag.jvm.stacks import Stack
from jvmdiag.snapshot.busy import CpuTimes, Pool, busy_between, busy_text, parse_times, pools_of
from jvmdiag.snapshot.kernel import run_script

here = pytest.mark.skipif(sys.platform != "linux", reason="the script is for targets, which run Linux")
STAT = "{tid} (a ) b) S 1 1 1 0 -1 4194560 0 0 0 0 {user} {system} 0 0 20 0 9 0 55 0 0\n"


@here
@pytest.mark.parametrize("words", [(), ("nested",)])
def test_every_thread_of_a_process_is_counted_by_its_tid(words: tuple[str, ...]) -> None:
    ready, done = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        done.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        times = parse_times(
            run_script(Reach(LocalHost(), "", None), "tasks.sh", (str(os.getpid()), *words), 10).decode()
        )
    finally:
        done.set()
        thread.join()
    assert {os.getpid(), thread.native_id} <= times.cpu_s.keys()
    assert times.at_s == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=60)
    spent = os.times()
    assert 0 < sum(times.cpu_s.values()) <= spent.user + spent.system + 1


def test_ticks_are_those_of_the_target_and_names_may_hold_brackets() -> None:
    text = "ticks 250\nclock 10.00 5.00\n" + STAT.format(tid=7, user=500, system=250)
    assert parse_times(text) == CpuTimes(10.0, {7: 3.0})
    assert parse_times(text.replace("ticks 250", "ticks ")).cpu_s == {7: 7.5}


def test_a_thread_is_known_by_the_number_that_it_has_in_the_jvms_own_namespace() -> None:
    statuses = "Name:\tjava\nPid:\t4711\nNSpid:\t4711\t1\nPid:\t4712\nNSpid:\t4712\t25\n"
    text = "ticks 100\nclock 1.0 1.0\n" + STAT.format(tid=4712, user=100, system=0) + statuses
    assert parse_times(text).cpu_s == {25: 1.0}


def test_a_line_in_the_name_of_a_thread_is_none_of_ours() -> None:
    head, rest = "ticks 100\nclock 10.0 5.0\n", STAT.format(tid=7, user=100, system=0)
    for name in ("Pid:", "NSpid:", "clock", "clock 99 1", "5 (x) S 1 ² ²"):
        assert parse_times(f"{head}8 (a\n{name}\nb) S 1 1\n{rest}") == CpuTimes(10.0, {7: 1.0})


def test_without_a_clock_there_is_no_share() -> None:
    with pytest.raises(ValueError, match="clock"):
        parse_times("clock \n" + STAT.format(tid=7, user=5, system=2))


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
