"""The machine around a JVM, looked at once or again and again: two looks make one set of figures."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count

from jvmdiag.attach.rung import Reach, Scene, reach_of
from jvmdiag.collect.job import Job, Journal, now
from jvmdiag.collect.scene import open_scene
from jvmdiag.errors import BadRequest, JvmGone, NoJvm
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.metrics.cpu import cpu_group
from jvmdiag.metrics.disk import disk_group, points_of
from jvmdiag.metrics.figure import Group, Metrics
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


@dataclass(frozen=True)
class MetricsRequest:
    """`count` sets of figures, each over `interval_s`; None: until somebody stops it."""

    interval_s: float = 1.0
    count: int | None = 1

    def check(self) -> None:
        """Raises BadRequest."""
        if not _SHORTEST_S <= self.interval_s <= _DAY_S or (self.count is not None and self.count < 1):
            raise BadRequest("--count is at least 1, and --interval from 0.1 to a day")


@dataclass(frozen=True)
class Watched:
    """What is looked at: a JVM and the machine around it, or, without one, the machine alone."""

    name: str
    reach: Reach
    jvm: Jvm | None

    def look(self, *, slow: bool) -> Look:
        """Raises JvmGone where the JVM is not there any more, and what running a command raises."""
        jvm = self.jvm
        points = points_of(jvm.mounts) if jvm else ("/",)
        look = take_look(self.reach, jvm, points, slow=slow)
        if jvm and look.stat[19:20] != (str(jvm.start_ticks),):
            raise JvmGone(f"the JVM {jvm.pid} of {self.name} ended while it was being looked at")
        return look

    def figures(self, before: Look, after: Look) -> Metrics:
        """Of two looks, the second of which was a slow one, or holds what the last slow one saw."""
        jvm = self.jvm
        groups = (
            cpu_group(before, after),
            memory_group(before, after),
            network_group(before, after),
            disk_group(before, after, jvm.mounts if jvm else ()),
            limits_group(after),
            jvm_group(before, after, jvm.major if jvm else None),
        )
        return _metrics(self.name, after.at_s - before.at_s, groups)


def _metrics(name: str, seconds: float, groups: tuple[Group, ...]) -> Metrics:
    at = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Metrics(name, at, seconds, tuple(judged(group) for group in groups))


def watched_of(scene: Scene) -> Watched:
    return Watched(scene.place.name, reach_of(scene.view, scene.jvm), scene.jvm)


@contextmanager
def watching(job: Job, journal: Journal) -> Iterator[Watched]:
    """What `job` names, with its JVM or, where none is there and none is asked for, without.

    Raises what opening the target raises.
    """
    with ExitStack() as stack:
        try:
            found = watched_of(stack.enter_context(open_scene(job, journal)))
        except NoJvm:
            if job.jvm:
                raise
            place = stack.enter_context(open_place(job.target, job.access, journal))
            host = place.inside if isinstance(place, ContainerPlace) else place.host
            found = Watched(place.name, Reach(host, "", None), None)
        yield found


def take_metrics(watched: Watched, interval_s: float = 1.0) -> Metrics:
    """One set of figures, over `interval_s`. Costs two commands. Raises as Watched.look does."""
    return next(each_metrics(watched, MetricsRequest(interval_s)))


def each_metrics(watched: Watched, request: MetricsRequest) -> Iterator[Metrics]:
    """One set of figures after the other, as they come."""
    request.check()
    before, last_slow, slow_at_s = watched.look(slow=False), None, 0.0
    due = time.monotonic()
    for _ in count() if request.count is None else range(request.count):
        due = max(due + request.interval_s, time.monotonic() + _SHORTEST_S)
        time.sleep(due - time.monotonic())
        slow = last_slow is None or time.monotonic() - slow_at_s >= _SLOW_EVERY_S
        after = watched.look(slow=slow)
        if slow:
            last_slow, slow_at_s = after, time.monotonic()
        elif last_slow:
            after = replace(after, sections={**last_slow.sections, **after.sections})
        yield watched.figures(before, after)
        before = after
