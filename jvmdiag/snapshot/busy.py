"""Which threads were busy: the kernel's CPU times of two moments, joined by tid with the names in dumps. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jvmdiag.jvm.stacks import Stack

_NUMBER = re.compile(r"\d+\Z")
_BUSY_SHARE = 0.0005


@dataclass(frozen=True)
class CpuTimes:
    """Seconds of CPU by tid, as the JVM numbers its threads, at `at_s` of the target's uptime."""

    at_s: float
    cpu_s: Mapping[int, float]


@dataclass(frozen=True)
class BusyThread:
    """`cpus` is how many CPUs it kept busy on average: 1.0 is one of them all the time. `state` and `top` are those of
    the dump in which it was seen last, `own` is the innermost frame outside of the JDK;
    `name` is empty where no dump has it: one that ended, say."""

    tid: int
    cpus: float
    name: str
    state: str = ""
    top: str = ""
    own: str = ""


def busy_between(first: CpuTimes, last: CpuTimes, dumps: Sequence[Sequence[Stack]]) -> tuple[BusyThread, ...]:
    """The threads that had any CPU between the two, the busiest first."""
    seconds = last.at_s - first.at_s
    if seconds <= 0:
        return ()
    known = {stack.tid: stack for dump in dumps for stack in dump}
    found = []
    for tid, cpu_s in last.cpu_s.items():
        # One that began meanwhile had nothing before.
        share = (cpu_s - first.cpu_s.get(tid, 0.0)) / seconds
        if share >= _BUSY_SHARE:
            found.append(_busy(tid, share, known.get(tid)))
    return tuple(sorted(found, key=lambda one: one.cpus, reverse=True))


def _busy(tid: int, cpus: float, stack: Stack | None) -> BusyThread:
    if stack is None:
        return BusyThread(tid, cpus, "")
    return BusyThread(tid, cpus, stack.name, stack.state, stack.top, stack.own)


@dataclass(frozen=True)
class Pool:
    """Threads whose names differ in the number at their end alone; `states` counts them, the most frequent first."""

    name: str
    threads: int
    states: tuple[tuple[str, int], ...]


def pools_of(dump: Sequence[Stack]) -> tuple[Pool, ...]:
    """The pools of two threads and more, the largest first."""
    members: dict[str, list[str]] = {}
    for stack in dump:
        members.setdefault(_NUMBER.sub("*", stack.name), []).append(stack.state or "?")
    pools = [Pool(name, len(states), _counted(states)) for name, states in members.items() if len(states) > 1]
    return tuple(sorted(pools, key=lambda one: (-one.threads, one.name)))


def _counted(states: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    return tuple(sorted(counts.items(), key=lambda one: -one[1]))


def busy_text(busy: Sequence[BusyThread], seconds: float) -> str:
    """A line for each thread: its share of a CPU, tid, state, name, innermost frame."""
    head = f"CPU by thread over {seconds:.1f} s, by /proc/PID/task/TID/stat; 100 % is one CPU\n\n  CPU %    TID  STATE"
    lines = [
        f"{one.cpus * 100:7.1f} {one.tid:6}  {one.state or '-':<22} {one.name or '(in no dump)'}"
        + "".join(f"\n{'':16}at {frame}" for frame in dict.fromkeys((one.top, one.own)) if frame)
        for one in busy
    ]
    total = f"\n{sum(one.cpus for one in busy) * 100:7.1f}         in all"
    return "\n".join((head, *lines, total, ""))
