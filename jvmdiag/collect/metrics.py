"""The machine around a JVM, looked at once or again and again: two looks make one set of figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from jvmdiag.attach.rung import Reach, Scene, reach_of
from jvmdiag.collect.job import Job, Journal, now
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.servers import Reading, Servers, ServersRequest
from jvmdiag.errors import BadRequest, JvmGone, NoJvm
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.metrics.access_log import AccessLog
from jvmdiag.metrics.cpu import cpu_group
from jvmdiag.metrics.disk import disk_group, points_of
from jvmdiag.metrics.figure import Metrics
from jvmdiag.metrics.jvm import jvm_group
from jvmdiag.metrics.limits import limits_group
from jvmdiag.metrics.look import Look, take_look
from jvmdiag.metrics.memory import memory_group
from jvmdiag.metrics.network import network_group
from jvmdiag.metrics.requests import History, requests_group, widths_of
from jvmdiag.metrics.rules import judged
from jvmdiag.model import Jvm

_DAY_S = 86400.0
_SHORTEST_S = 0.1
# What is dear is looked at so often, and shown until it is looked at again.
_SLOW_EVERY_S = 5.0
_MISSED_AT_MOST = 3


def check_times(interval_s: float, count: int) -> None:
    """Raises BadRequest."""
    if not _SHORTEST_S <= interval_s <= _DAY_S or count < 1:
        raise BadRequest("--count is at least 1, and --interval from 0.1 to a day")


@dataclass(frozen=True)
class Watched:
    """What is looked at: a JVM and the machine around it, or, without one, the machine alone."""

    name: str
    reach: Reach
    jvm: Jvm | None
    servers: Servers
    log: AccessLog = field(default_factory=AccessLog)
    history: History = field(default_factory=History)

    def look(self, *, slow: bool, log: bool = False) -> Look:
        """`log`: what was written to the access log since the last time is counted, and nothing of it is kept.

        A look that is not answered in time is taken once more without the log, which may be what is slow.
        Raises JvmGone where the JVM is not there any more, and what running a command raises."""
        jvm = self.jvm
        points = points_of(jvm.mounts) if jvm else ("/",)
        wanted = self.log.wanted if log and jvm else ""
        try:
            look = take_look(self.reach, jvm, points, slow=slow, log=wanted)
        except TimeoutError:
            if not wanted:
                raise
            self.log.is_late()
            look = take_look(self.reach, jvm, points, slow=slow)
        if jvm and look.stat[19:20] != (str(jvm.start_ticks),):
            raise JvmGone(f"the JVM {jvm.pid} of {self.name} ended while it was being looked at")
        self.log.take(look.sections.get("access", b""))
        return replace(
            look, sections={name: body for name, body in look.sections.items() if name != "access"}
        )

    def figures(self, before: Seen, after: Seen, *, single: bool = True) -> Metrics:
        """Of two looks, the second of which was a slow one, or holds what the last slow one saw. `single`: there are
        no sets before and after this one."""
        jvm, first, last = self.jvm, before.look, after.look
        servers = self.servers.groups(before.reading, after.reading, last)
        self.history.add(servers, after.reading.at_s, after.reading.at_s - before.reading.at_s)
        widths = widths_of(last.at_s - first.at_s, single=single)
        requests = requests_group(
            self.log, self.history, widths, served=any(g.name == "tomcat" for g in servers)
        )
        groups = (
            cpu_group(first, last),
            *((requests,) if requests.figures or requests.unseen else ()),
            memory_group(first, last),
            network_group(first, last),
            disk_group(first, last, jvm.mounts if jvm else ()),
            limits_group(last),
            jvm_group(first, last, jvm.major if jvm else None),
            *servers,
        )
        return Metrics(self.name, _clock(), last.at_s - first.at_s, judged(groups))


@dataclass(frozen=True)
class Seen:
    """A look at the kernel's files, and what the servers' pages said just after."""

    look: Look
    reading: Reading


def _clock() -> str:
    return now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def watched_of(scene: Scene, request: ServersRequest, stack: ExitStack) -> Watched:
    """What a JVM that was found already is looked at by, for as long as `stack` is open."""
    jvm, host = scene.jvm, scene.view.host
    # Whoever may not look into it sees what anybody may.
    reach = reach_of(scene.view, jvm) if jvm.readable else Reach(host, "", None, jvm.pid)
    return Watched(scene.place.name, reach, jvm, Servers(scene.inside, scene, request, stack))


@contextmanager
def watching(job: Job, request: ServersRequest, journal: Journal) -> Iterator[Watched]:
    """What `job` names, with its JVM or, where none is there and none is asked for, without.

    Raises what opening the target raises.
    """
    with ExitStack() as stack:
        try:
            found = watched_of(stack.enter_context(open_scene(job, journal)), request, stack)
        except NoJvm:
            if job.jvm:
                raise
            found = _without_jvm(
                stack.enter_context(open_place(job.target, job.access, journal)), request, stack
            )
        yield found


def _without_jvm(place: Place, request: ServersRequest, stack: ExitStack) -> Watched:
    host = place.inside if isinstance(place, ContainerPlace) else place.host
    return Watched(place.name, Reach(host, "", None), None, Servers(host, None, request, stack))


def take_metrics(watched: Watched, interval_s: float = 1.0) -> Metrics:
    """One set of figures, over `interval_s`. Costs two looks. Raises as Watched.look does."""
    return next(each_metrics(watched, interval_s, 1))


def each_metrics(watched: Watched, interval_s: float, count: int | None) -> Iterator[Metrics]:
    """One set of figures after the other, as they come; without an end where `count` is None.

    Of several a look that the target does not answer in time is passed over: the next set is over a longer time. The
    third in a row raises TimeoutError.
    """
    single = count == 1
    slow = watched.look(slow=True, log=not single)
    before = Seen(slow, watched.servers.read(slow))
    due = slow_at_s = time.monotonic()
    made = missed = 0
    while made != count:
        due = max(due + interval_s, time.monotonic() + _SHORTEST_S)
        time.sleep(due - time.monotonic())
        # A single set is to be of one moment.
        is_slow = single or time.monotonic() - slow_at_s >= _SLOW_EVERY_S
        try:
            look = watched.look(slow=is_slow, log=is_slow)
        except TimeoutError:
            missed += 1
            if single or missed == _MISSED_AT_MOST:
                raise
            continue
        if is_slow:
            slow, slow_at_s = look, time.monotonic()
        after = Seen(replace(look, sections={**slow.sections, **look.sections}), watched.servers.read(look))
        yield watched.figures(before, after, single=single)
        before, made, missed = after, made + 1, 0
