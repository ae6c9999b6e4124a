"""The machine around a JVM, looked at once or again and again: two looks make one set of figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from jvmdiag.attach.rung import Reach, Scene, reach_of
from jvmdiag.collect.job import Job, Journal, now
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.servers import Reading, Servers, ServersRequest
from jvmdiag.errors import BadRequest, JvmGone, NoJvm
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.metrics.cpu import cpu_group
from jvmdiag.metrics.disk import disk_group, points_of
from jvmdiag.metrics.figure import Metrics
from jvmdiag.metrics.jvm import jvm_group
from jvmdiag.metrics.limits import limits_group
from jvmdiag.metrics.look import Look, take_look
from jvmdiag.metrics.memory import memory_group
from jvmdiag.metrics.network import network_group
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

    def look(self, *, slow: bool) -> Look:
        """Raises JvmGone where the JVM is not there any more, and what running a command raises."""
        jvm = self.jvm
        points = points_of(jvm.mounts) if jvm else ("/",)
        look = take_look(self.reach, jvm, points, slow=slow)
        if jvm and look.stat[19:20] != (str(jvm.start_ticks),):
            raise JvmGone(f"the JVM {jvm.pid} of {self.name} ended while it was being looked at")
        return look

    def figures(self, before: Seen, after: Seen) -> Metrics:
        """Of two looks, the second of which was a slow one, or holds what the last slow one saw."""
        jvm, first, last = self.jvm, before.look, after.look
        groups = (
            cpu_group(first, last),
            memory_group(first, last),
            network_group(first, last),
            disk_group(first, last, jvm.mounts if jvm else ()),
            limits_group(last),
            jvm_group(first, last, jvm.major if jvm else None),
            *self.servers.groups(before.reading, after.reading, last),
        )
        return Metrics(self.name, _clock(), last.at_s - first.at_s, tuple(judged(group) for group in groups))


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
    slow = watched.look(slow=True)
    before = Seen(slow, watched.servers.read(slow))
    due = slow_at_s = time.monotonic()
    made = missed = 0
    while made != count:
        due = max(due + interval_s, time.monotonic() + _SHORTEST_S)
        time.sleep(due - time.monotonic())
        # A single set is to be of one moment.
        is_slow = count == 1 or time.monotonic() - slow_at_s >= _SLOW_EVERY_S
        try:
            look = watched.look(slow=is_slow)
        except TimeoutError:
            missed += 1
            if count == 1 or missed == _MISSED_AT_MOST:
                raise
            continue
        if is_slow:
            slow, slow_at_s = look, time.monotonic()
        after = Seen(replace(look, sections={**slow.sections, **look.sections}), watched.servers.read(look))
        yield watched.figures(before, after)
        before, made, missed = after, made + 1, 0
