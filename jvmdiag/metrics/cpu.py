"""CPU: load, what each core does, the container's quota, and the threads of the JVM by the CPU they take. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jvmdiag.metrics.cgroup import cpu_quota, throttled
from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.look import TICKS_PER_S, Look

_LOADAVG = re.compile(r"^([\d.]+) ([\d.]+) ([\d.]+) \d+/\d+ \d+$", re.MULTILINE)
_CORE = re.compile(r"^cpu(\d*) +(\d[\d ]*)$", re.MULTILINE)
_COUNT = re.compile(r"^(procs_running|procs_blocked) (\d+)$", re.MULTILINE)
PRESSURE = re.compile(r"^pressure (\w+) some avg10=([\d.]+)", re.MULTILINE)
_THREADS_SHOWN = 10
# user nice system idle iowait irq softirq steal; guest time is part of user time.
_STATES = {"user": (0, 1), "system": (2, 5, 6), "idle": (3,), "iowait": (4,), "steal": (7,)}


def cpu_group(before: Look, after: Look) -> Group:
    """Rates are between the two looks; what is dear is of the later."""
    unseen = (
        ()
        if after.text("threads") or after.pid is None
        else ("threads of the JVM: /proc/PID/task was not to be read",)
    )
    return Group(
        "cpu",
        flat(
            (
                _load(after),
                _cores(before, after),
                _counts(after),
                _cgroup(before, after),
                _jvm(before, after),
                _blocked(after),
            )
        ),
        unseen,
    )


def _load(after: Look) -> Iterator[Figure]:
    found = _LOADAVG.search(after.text("system"))
    count = sum(1 for core in _CORE.finditer(after.text("system")) if core[1])
    if count:
        yield figure("cpu.count", count)
    if found:
        for name, value in zip(("load.1m", "load.5m", "load.15m"), found.groups(), strict=True):
            yield figure(name, float(value))
        if count:
            yield figure("load.per_cpu", float(found[1]) / count)


def _ticks(look: Look) -> dict[str, list[int]]:
    """By core, "" for all of them."""
    return {core[1]: [int(n) for n in core[2].split()] for core in _CORE.finditer(look.text("system"))}


def _cores(before: Look, after: Look) -> Iterator[Figure]:
    earlier = _ticks(before)
    for core, ticks in _ticks(after).items():
        spent = [max(b - a, 0) for a, b in zip(earlier.get(core, ()), ticks, strict=False)][:8]
        if total := sum(spent):
            for state, fields in _STATES.items():
                share = sum(spent[n] for n in fields if n < len(spent)) / total
                yield figure(f"cpu.{state}", share, **({"core": core} if core else {}))


def _counts(after: Look) -> tuple[Figure, ...]:
    counts = {name: int(value) for name, value in _COUNT.findall(after.text("system"))}
    return present(
        maybe("cpu.running", counts.get("procs_running")),
        maybe("cpu.blocked", counts.get("procs_blocked")),
        maybe("cpu.pressure", pressure(after, "cpu")),
    )


def pressure(look: Look, kind: str) -> float | None:
    """The share of the last ten seconds in which something waited for it; None where the kernel does not say."""
    found = {name: float(share) / 100 for name, share in PRESSURE.findall(look.text("system"))}
    return found.get(kind)


def _cgroup(before: Look, after: Look) -> tuple[Figure, ...]:
    quota = present(maybe("cpu.quota", cpu_quota(after)))
    seconds, earlier = after.at_s - before.at_s, throttled(before)
    both = [(earlier[level], later) for level, later in throttled(after).items() if level in earlier]
    if not both or seconds <= 0:
        return quota
    # The group that holds it up most, be it its own or one above.
    then, now = max(both, key=lambda pair: pair[1].seconds - pair[0].seconds)
    periods = now.periods - then.periods
    return (
        *quota,
        figure("cpu.throttled", (now.seconds - then.seconds) / seconds),
        figure("cpu.throttled_periods", (now.times - then.times) / periods if periods else 0.0),
    )


def _jvm(before: Look, after: Look) -> Iterator[Figure]:
    seconds = after.at_s - before.at_s
    if seconds <= 0 or not after.stat or not before.stat or after.pid is None:
        return
    spent = sum(int(after.stat[n]) - int(before.stat[n]) for n in (11, 12)) / TICKS_PER_S
    yield figure("cpu.jvm", spent / seconds)
    if allowed := _allowed(after):
        yield figure("cpu.jvm.allowed", allowed)
        yield figure("cpu.jvm.share", spent / seconds / allowed)
    tasks = after.tasks()
    earlier = {task.tid: task.cpu_s for task in before.tasks()}
    waits = after.waits("threads")
    took = {task.tid: max(task.cpu_s - earlier.get(task.tid, 0.0), 0.0) / seconds for task in tasks}
    for task in sorted(tasks, key=lambda task: (-took[task.tid], task.tid))[:_THREADS_SHOWN]:
        if took[task.tid] > 0:
            wchan = waits.get(task.tid, "")
            yield figure(
                "cpu.thread", took[task.tid], tid=str(task.tid), name=task.name, state=task.state, wchan=wchan
            )
    states = [task.state for task in tasks]
    for state in sorted(set(states)):
        yield figure("cpu.threads", states.count(state), state=state)


def _allowed(after: Look) -> float:
    """How many CPUs it may use, by its cpuset and its quota; 0 where neither is told."""
    ranges = (part.split("-") for part in after.status.get("Cpus_allowed_list", "").split(","))
    numbers = [[int(end) for end in ends] for ends in ranges if all(end.isdigit() for end in ends)]
    told = (sum(ends[-1] - ends[0] + 1 for ends in numbers), cpu_quota(after) or 0)
    return min((count for count in told if count), default=0)


def _blocked(after: Look) -> Iterator[Figure]:
    for process in after.processes():
        if process.state == "D":
            yield figure(
                "cpu.uninterruptible", 1, pid=str(process.pid), name=process.comm, wchan=process.wchan
            )
