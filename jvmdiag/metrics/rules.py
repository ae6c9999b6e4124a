"""What the figures say, in words: rules of thumb as data. The first rule of a group that holds gives its verdict.

A rule holds where all of its conditions do. A condition looks at the figure of its name without labels, or where there
is none at all that have some; the worst is what the text tells. docs/reference/metrics.md is made of this table too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from jvmdiag.metrics.figure import Figure, Group, Level, Verdict
from jvmdiag.units import duration, size


def _largest(figures: Sequence[Figure], name: str) -> Figure | None:
    own = [f for f in figures if f.name == name]
    whole = [f for f in own if not f.labels]
    return max(whole or own, key=lambda f: f.value, default=None)


@dataclass(frozen=True)
class Above:
    """Some figure of that name is more than `threshold`."""

    name: str
    threshold: float

    def worst(self, figures: Sequence[Figure]) -> Figure | None:
        found = _largest(figures, self.name)
        return found if found and found.value > self.threshold else None

    def __str__(self) -> str:
        return f"{self.name} > {self.threshold:g}"


@dataclass(frozen=True)
class Below:
    """There are figures of that name, and the largest is less than `threshold`."""

    name: str
    threshold: float

    def worst(self, figures: Sequence[Figure]) -> Figure | None:
        found = _largest(figures, self.name)
        return found if found and found.value < self.threshold else None

    def __str__(self) -> str:
        return f"{self.name} < {self.threshold:g}"


Condition = Above | Below


@dataclass(frozen=True)
class Rule:
    """`text` and `advice` may name figures: {load.1m}, with a unit {memory.available:bytes}, or a label of the worst
    figure of a condition {connections.waiting.port}."""

    group: str
    level: Level
    when: tuple[Condition, ...]
    text: str
    advice: str = ""
    shows: tuple[str, ...] = field(default=())
    """Further figures that the text names; a rule whose figures are missing does not hold."""


def _rule(
    group: str,
    level: Level,
    when: Sequence[Condition],
    text: str,
    advice: str = "",
    shows: Sequence[str] = (),
) -> Rule:
    return Rule(group, level, tuple(when), text, advice, tuple(shows))


_TROUBLE, _NOTICE, _FINE = Level.TROUBLE, Level.NOTICE, Level.FINE
RULES: tuple[Rule, ...] = (
    # CPU
    _rule(
        "cpu",
        _TROUBLE,
        [Above("cpu.throttled_periods", 0.25)],
        "the CPU quota holds the container up in {cpu.throttled_periods:percent} of its periods",
        "raise --cpus, or look at what takes the CPU: jvmdiag threaddump TARGET --count 3",
    ),
    _rule(
        "cpu",
        _TROUBLE,
        [Above("cpu.steal", 0.1)],
        "{cpu.steal:percent} of the CPU's time is taken by the hypervisor: the machine below is busy",
        "speak to whoever runs the virtual machine",
    ),
    _rule(
        "cpu",
        _TROUBLE,
        [Above("cpu.iowait", 0.2)],
        "CPUs wait for I/O {cpu.iowait:percent} of the time: a disk or a mount over the network is slow",
        "see disk below",
    ),
    _rule(
        "cpu",
        _TROUBLE,
        [Above("load.per_cpu", 1.5), Below("cpu.idle", 0.1)],
        "load {load.1m} on {cpu.count} CPUs, which have nothing idle: CPU is what is short",
        "which threads take it stands below; jvmdiag threaddump TARGET --count 3 says at what",
        ["load.1m", "cpu.count"],
    ),
    _rule(
        "cpu",
        _TROUBLE,
        [Above("load.per_cpu", 1.5), Above("cpu.blocked", 1)],
        "load {load.1m} on {cpu.count} CPUs, {cpu.blocked} of it waiting for a disk: I/O is what is short",
        "see disk below",
        ["load.1m", "cpu.count"],
    ),
    _rule(
        "cpu",
        _NOTICE,
        [Above("load.per_cpu", 1.5)],
        "load {load.1m} on {cpu.count} CPUs, which were idle just now: it comes in bursts",
        "--watch shows them",
        ["load.1m", "cpu.count"],
    ),
    _rule(
        "cpu",
        _NOTICE,
        [Above("cpu.throttled_periods", 0.05)],
        "the CPU quota holds the container up in {cpu.throttled_periods:percent} of its periods",
        "raise --cpus where answers are slow",
    ),
    _rule(
        "cpu",
        _NOTICE,
        [Above("cpu.user", 0.8)],
        "the CPUs compute {cpu.user:percent} of the time",
        "which threads do stands below",
    ),
    _rule(
        "cpu",
        _FINE,
        [Below("load.per_cpu", 0.7)],
        "load {load.1m} on {cpu.count} CPUs: they have time. Where requests are slow or few all the same, look at I/O, locks, and what it waits for",
        shows=["load.1m", "cpu.count"],
    ),
    _rule(
        "cpu",
        _FINE,
        [Above("cpu.count", 0)],
        "load {load.1m} on {cpu.count} CPUs",
        shows=["load.1m", "cpu.count"],
    ),
    # Memory
    _rule(
        "memory",
        _TROUBLE,
        [Above("memory.cgroup.used_share", 0.95)],
        "{memory.cgroup.used:bytes} of the limit of {memory.cgroup.limit:bytes}: the kernel ends it at the limit",
        "a heap dump into a tmpfs may be what ends it: jvmdiag check TARGET",
        ["memory.cgroup.used", "memory.cgroup.limit"],
    ),
    _rule(
        "memory",
        _TROUBLE,
        [Above("swap.out", 1e6)],
        "{swap.out:bytes} a second go to swap: memory is short",
        "who swaps is slow; a JVM that swaps is very slow",
    ),
    _rule(
        "memory",
        _TROUBLE,
        [Above("swap.in", 1e6)],
        "{swap.in:bytes} a second come from swap: memory was short",
        "a collection touches the whole heap, swapped or not",
    ),
    _rule(
        "memory",
        _TROUBLE,
        [Below("memory.available", 100e6)],
        "{memory.available:bytes} are left on the machine",
    ),
    _rule(
        "memory",
        _NOTICE,
        [Above("memory.cgroup.oom_kills", 0)],
        "the kernel ended {memory.cgroup.oom_kills} processes in this container for want of memory",
        "docker inspect says whether the JVM was one: .State.OOMKilled",
    ),
    _rule(
        "memory",
        _NOTICE,
        [Above("memory.jvm.swapped", 50e6)],
        "{memory.jvm.swapped:bytes} of the JVM are in swap",
        "the next full collection will wait for them",
    ),
    _rule(
        "memory",
        _NOTICE,
        [Above("memory.cgroup.used_share", 0.85)],
        "{memory.cgroup.used:bytes} of the limit of {memory.cgroup.limit:bytes}",
        "",
        ["memory.cgroup.used", "memory.cgroup.limit"],
    ),
    _rule(
        "memory",
        _FINE,
        [Above("memory.available", 0)],
        "{memory.available:bytes} of {memory.total:bytes} are free or can be",
        shows=["memory.total"],
    ),
    # Network
    _rule(
        "network",
        _TROUBLE,
        [Above("tcp.listen_overflows", 0)],
        "{tcp.listen_overflows:rate} connections a second find the accept queue full: the application does not accept them in time",
        "its acceptor is held up, or acceptCount is small: look at Tomcat below",
    ),
    _rule(
        "network",
        _TROUBLE,
        [Above("connections.waiting", 50)],
        "{connections.waiting} connections to port {connections.waiting.port} wait to be accepted",
        "look at the threads: jvmdiag threaddump TARGET",
    ),
    _rule(
        "network",
        _TROUBLE,
        [Above("tcp.retransmit_share", 0.02)],
        "retransmits {tcp.retransmit_share:percent} of segments: unreliable network",
        "below 1 % is usual; look at the interfaces' errors, then at the way",
    ),
    _rule(
        "network",
        _TROUBLE,
        [Above("network.receive_overruns", 0)],
        "{network.receive_overruns.interface}: {network.receive_overruns:rate} overruns a second: the machine is too slow for what comes in",
    ),
    _rule(
        "network",
        _NOTICE,
        [Above("network.receive_drops", 1)],
        "{network.receive_drops.interface}: {network.receive_drops:rate} packets a second are dropped as they come in: saturated, or not for this machine",
    ),
    _rule(
        "network",
        _NOTICE,
        [Above("network.send_drops", 1)],
        "{network.send_drops.interface}: {network.send_drops:rate} packets a second are dropped as they go out: saturated",
    ),
    _rule(
        "network",
        _NOTICE,
        [Above("tcp.retransmit_share_since_boot", 0.02)],
        "retransmits {tcp.retransmit_share_since_boot:percent} of segments since it booted: the network was unreliable, and is not just now",
    ),
    _rule(
        "network",
        _NOTICE,
        [Above("tcp.listen_drops", 0)],
        "{tcp.listen_drops:rate} connections a second are dropped before they are accepted",
    ),
    _rule(
        "network",
        _FINE,
        [Above("tcp.retransmit_share", -1)],
        "retransmits {tcp.retransmit_share:percent} of segments, {tcp.established} connections",
        shows=["tcp.established"],
    ),
    _rule(
        "network",
        _FINE,
        [Above("tcp.established", -1)],
        "{tcp.established} connections, too few segments to judge the way by",
    ),
    # Disk
    _rule(
        "disk",
        _TROUBLE,
        [Above("disk.used_share", 0.97)],
        "{disk.used_share.mount} is {disk.used_share:percent} full",
        "logs and dumps fail there; what a heap dump needs: jvmdiag check TARGET",
    ),
    _rule(
        "disk",
        _TROUBLE,
        [Above("disk.inodes_used_share", 0.97)],
        "{disk.inodes_used_share.mount} has {disk.inodes_used_share:percent} of its inodes in use: no file can be made, whatever df says",
    ),
    _rule(
        "disk",
        _TROUBLE,
        [Above("disk.busy", 0.9), Above("disk.await", 0.05)],
        "{disk.busy.device} is busy {disk.busy:percent} of the time, an access takes {disk.await:seconds}",
    ),
    _rule(
        "disk",
        _NOTICE,
        [Above("disk.await", 0.1)],
        "an access to {disk.await.device} takes {disk.await:seconds}",
    ),
    _rule(
        "disk",
        _NOTICE,
        [Above("disk.used_share", 0.9)],
        "{disk.used_share.mount} is {disk.used_share:percent} full",
    ),
    _rule(
        "disk",
        _FINE,
        [Above("disk.used_share", -1)],
        "the fullest is {disk.used_share.mount}, with {disk.used_share:percent}",
    ),
    # Limits
    _rule(
        "limits",
        _TROUBLE,
        [Above("limit.files.used_share", 0.85)],
        "{limit.files.used} of {limit.files.soft} open files: at the limit Tomcat accepts no connection",
        "LimitNOFILE=… in the unit's [Service]; for a container docker run --ulimit nofile=…",
        ["limit.files.used", "limit.files.soft"],
    ),
    _rule(
        "limits",
        _TROUBLE,
        [Above("limit.processes.used_share", 0.85)],
        "{limit.processes.used} of {limit.processes.soft} threads of this user: at the limit no thread can be made",
        "LimitNPROC=… in the unit's [Service]; for a container docker run --ulimit nproc=…",
        ["limit.processes.used", "limit.processes.soft"],
    ),
    _rule(
        "limits",
        _TROUBLE,
        [Above("limit.cgroup.pids.used_share", 0.85)],
        "{limit.cgroup.pids.used} of {limit.cgroup.pids.limit} threads of the control group: at the limit no thread can be made",
        "TasksMax=… in the unit's [Service]; for a container docker run --pids-limit …",
        ["limit.cgroup.pids.used", "limit.cgroup.pids.limit"],
    ),
    _rule(
        "limits",
        _NOTICE,
        [Above("limit.files.used_share", 0.6)],
        "{limit.files.used} of {limit.files.soft} open files",
        "LimitNOFILE=… in the unit's [Service]; for a container docker run --ulimit nofile=…",
        ["limit.files.used", "limit.files.soft"],
    ),
    _rule(
        "limits",
        _NOTICE,
        [Below("limit.files.soft", 4096)],
        "{limit.files.soft} open files are little for a server; {limit.files.used} are in use",
        "LimitNOFILE=8192 in the unit's [Service]; for a container docker run --ulimit nofile=8192",
        ["limit.files.used"],
    ),
    _rule(
        "limits",
        _FINE,
        [Above("limit.files.used", -1)],
        "{limit.files.used} of {limit.files.soft} open files",
        shows=["limit.files.soft"],
    ),
    _rule(
        "limits",
        _FINE,
        [Above("limit.files.soft", -1)],
        "{limit.files.soft} open files are allowed; how many there are is not to be seen",
    ),
    # JVM
    _rule(
        "jvm",
        _TROUBLE,
        [Above("jvm.stopped", 0)],
        "the process is stopped by a signal: it answers nobody",
        "kill -CONT lets it go on; who stopped it?",
    ),
    _rule(
        "jvm",
        _TROUBLE,
        [Above("jvm.gc.major.time", 0.1)],
        "full collections take {jvm.gc.major.time:percent} of the time: the heap is too small for what is kept",
        "what is kept: jvmdiag histogram TARGET, then jvmdiag heapdump TARGET",
    ),
    _rule(
        "jvm",
        _TROUBLE,
        [Above("jvm.gc.minor.time", 0.2)],
        "collections take {jvm.gc.minor.time:percent} of the time",
        "a young generation that is small, or much that is made and thrown away",
    ),
    _rule(
        "jvm",
        _TROUBLE,
        [Above("jvm.safepoint.time", 0.2)],
        "every thread stands still {jvm.safepoint.time:percent} of the time",
        "-Xlog:safepoint says for what",
    ),
    _rule(
        "jvm",
        _TROUBLE,
        [Above("jvm.heap.used_share", 0.95)],
        "{jvm.heap.used:bytes} of {jvm.heap.max:bytes} of the heap in use",
        "jvmdiag histogram TARGET says by what",
        ["jvm.heap.used", "jvm.heap.max"],
    ),
    _rule(
        "jvm",
        _NOTICE,
        [Above("jvm.gc.minor.time", 0.05)],
        "collections take {jvm.gc.minor.time:percent} of the time",
    ),
    _rule(
        "jvm",
        _NOTICE,
        [Above("jvm.threads.started", 20)],
        "{jvm.threads.started:rate} threads are started a second: a pool is missing",
    ),
    _rule(
        "jvm",
        _FINE,
        [Above("jvm.heap.used", 0)],
        "{jvm.heap.used:bytes} of {jvm.heap.max:bytes} of the heap in use, {jvm.threads} threads",
        shows=["jvm.heap.max", "jvm.threads"],
    ),
    _rule("jvm", _FINE, [Above("jvm.threads", 0)], "{jvm.threads} threads"),
    # Tomcat
    _rule(
        "tomcat",
        _TROUBLE,
        [Above("tomcat.threads.busy_share", 0.95)],
        "{tomcat.threads.busy} of {tomcat.threads.max} threads of {tomcat.threads.busy_share.connector} are busy: requests wait",
        "what they wait for: jvmdiag threaddump TARGET --count 3",
        ["tomcat.threads.busy", "tomcat.threads.max"],
    ),
    _rule("tomcat", _NOTICE, [Above("tomcat.errors.rate", 1)], "{tomcat.errors.rate:rate} errors a second"),
    _rule(
        "tomcat",
        _FINE,
        [Above("tomcat.threads.busy", -1)],
        "{tomcat.threads.busy} of {tomcat.threads.current} threads are busy",
        shows=["tomcat.threads.current"],
    ),
    # Apache
    _rule(
        "apache",
        _TROUBLE,
        [Above("apache.workers.busy_share", 0.95)],
        "{apache.workers.busy} of {apache.workers.max} workers are busy: requests wait",
        "what is behind it is slow, or MaxRequestWorkers is small",
        ["apache.workers.busy", "apache.workers.max"],
    ),
    _rule(
        "apache",
        _FINE,
        [Above("apache.workers.busy", -1)],
        "{apache.workers.busy} workers busy, {apache.workers.idle} idle",
        shows=["apache.workers.idle"],
    ),
)
_UNITS: dict[str, Callable[[float], str]] = {
    "": lambda value: f"{value:,.2f}".rstrip("0").rstrip("."),
    "bytes": size,
    "percent": lambda share: f"{share * 100:.1f} %",
    "rate": lambda value: f"{value:,.1f}",
    "seconds": duration,
}
NOTHING_SEEN = Verdict(Level.UNKNOWN, "nothing to be seen")


def judged(group: Group) -> Group:
    """The group with its verdict."""
    verdicts = (_verdict(rule, group.figures) for rule in RULES if rule.group == group.name)
    return replace(group, verdict=next((one for one in verdicts if one), NOTHING_SEEN))


def _verdict(rule: Rule, figures: Sequence[Figure]) -> Verdict | None:
    told: dict[str, Figure] = {}
    for condition in rule.when:
        worst = condition.worst(figures)
        if worst is None:
            return None
        told[condition.name] = worst
    for name in rule.shows:
        shown = next((f for f in figures if f.name == name), None)
        if shown is None:
            return None
        told[name] = shown
    return Verdict(rule.level, worded(rule.text, told), worded(rule.advice, told))


def worded(text: str, told: dict[str, Figure]) -> str:
    """`text` with its {figures}. Raises KeyError where one is not among `told`."""
    parts = text.split("{")
    return parts[0] + "".join(
        _field(one.partition("}")[0], told) + one.partition("}")[2] for one in parts[1:]
    )


def _field(name: str, told: dict[str, Figure]) -> str:
    wanted, _, unit = name.partition(":")
    if wanted in told:
        return _UNITS[unit](told[wanted].value)
    figure, _, label = wanted.rpartition(".")
    return told[figure].label(label)
