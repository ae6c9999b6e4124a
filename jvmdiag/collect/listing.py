"""Which JVMs there are, and by which methods each could be asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from jvmdiag.attach.rung import THREAD_PRINT, ImageChoice, Scene
from jvmdiag.capture.choose import NAMES, survey
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import see
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import open_engine, open_place
from jvmdiag.hosts.place import Place
from jvmdiag.jvm.discovery import Sight
from jvmdiag.model import Jvm
from jvmdiag.target import DockerTarget, LocalTarget, Target

# One exec takes 60 ms of the engine, most of it waiting.
_AT_ONCE = 8


@dataclass(frozen=True)
class Listed:
    """A JVM, where it is, and for each method why it would not work (empty: it would)."""

    target: str
    jvm: Jvm
    methods: tuple[tuple[str, str], ...]
    pid: int
    """As one knows it who is there: in its container, or on its machine."""


@dataclass(frozen=True)
class Listing:
    """What was found, and which places, and JVMs of them, could not be looked at, with why."""

    jvms: tuple[Listed, ...]
    unseen: tuple[tuple[str, str], ...] = ()


def list_target(job: Job, journal: Journal) -> Listing:
    """The JVMs of one target. Raises what opening it raises."""
    # Looking must not pull an image.
    image = replace(job.image, pull=False)
    with open_place(job.target, job.access, journal) as place, ExitStack() as stack:
        sight = see(place, image, stack, sudo=job.access.sudo)
        listed = tuple(_listed(place, sight, jvm, image) for jvm in sight.jvms)
        return Listing(listed, tuple(_remarks(listed, sight)))


def _remarks(listed: Sequence[Listed], sight: Sight) -> Iterator[tuple[str, str]]:
    for one in listed:
        if refusal := sight.refusal(one.jvm):
            yield f"{one.target} pid {one.pid}", str(refusal)


def list_everything(access: Access, image: ImageChoice, journal: Journal) -> Listing:
    """The JVMs of this machine and of every running container of the local engine."""
    here = _look_at(LocalTarget(), access, image, journal)
    try:
        with open_engine(journal, access) as engine:
            names = engine.containers()
    except (JvmdiagError, TimeoutError) as error:
        said = "; ".join((str(error), *getattr(error, "advice", ())))
        return Listing(here.jvms, (*here.unseen, ("containers", said)))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        there = list(
            pool.map(lambda name: _look_at(DockerTarget(name), access, image, journal), sorted(names))
        )
    inside = tuple(one for listing in there for one in listing.jvms)
    return Listing(
        (*_not_among(inside, here.jvms), *inside),
        (*here.unseen, *(one for listing in there for one in listing.unseen)),
    )


def _not_among(inside: Sequence[Listed], here: Sequence[Listed]) -> Iterator[Listed]:
    """Those of this machine's JVMs that no container of the engine has: its own, and other engines'."""
    yield from (one for one in here if not any(_same(one.jvm, other.jvm) for other in inside))


def _same(one: Jvm, other: Jvm) -> bool:
    """Whether it is one process, seen from outside and from inside: what it calls itself, its start and its mounts.

    The number of its mount namespace, the same for everybody, is not for everybody to read.
    """
    told = one.mnt_ns and other.mnt_ns
    same_process = (one.nspid, one.start_ticks) == (other.nspid, other.start_ticks)
    return same_process and (one.mnt_ns == other.mnt_ns or not told)


def _look_at(target: Target, access: Access, image: ImageChoice, journal: Journal) -> Listing:
    try:
        return list_target(Job(target, access=access, image=image), journal)
    except (JvmdiagError, TimeoutError) as error:
        return Listing((), ((str(target), str(error)),))


def _listed(place: Place, sight: Sight, jvm: Jvm, image: ImageChoice) -> Listed:
    scene = Scene(place, sight.view, jvm, image)
    if refusal := sight.refusal(jvm):
        methods = tuple((name, str(refusal)) for name in NAMES)
    else:
        steps = survey(scene, THREAD_PRINT)
        methods = tuple((s.rung.name, getattr(s.readiness, "reason", "")) for s in steps)
    return Listed(place.name, jvm, methods, scene.container_pid)
