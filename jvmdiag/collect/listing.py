"""Which JVMs there are, and by which methods each could be asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from jvmdiag.attach.rung import THREAD_PRINT, ImageChoice, Scene
from jvmdiag.capture.choose import survey
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import see
from jvmdiag.errors import EngineUnreachable, JvmdiagError
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import open_engine, open_place
from jvmdiag.hosts.place import Place, View
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


@dataclass(frozen=True)
class Listing:
    """What was found, and which places could not be looked at, with why."""

    jvms: tuple[Listed, ...]
    unseen: tuple[tuple[str, str], ...] = ()


def list_target(job: Job, journal: Journal) -> Listing:
    """The JVMs of one target. Raises what opening it raises."""
    with open_place(job.target, job.access, journal) as place, ExitStack() as stack:
        view, jvms = see(place, job.image, stack, sudo=job.access.sudo)
        return Listing(tuple(_listed(place, view, jvm, job.image) for jvm in jvms))


def list_everything(access: Access, image: ImageChoice, journal: Journal) -> Listing:
    """The JVMs of this machine and of every running container of the local engine."""
    # Looking must not pull an image.
    image = replace(image, pull=False)
    found, unseen = _look_at(LocalTarget(), access, image, journal)
    # A process with two pids lives in a container: it is listed there.
    found = tuple(one for one in found if len(one.jvm.nspids) == 1)
    try:
        with open_engine(journal) as engine:
            names = engine.containers()
    except EngineUnreachable as error:
        return Listing(found, (*unseen, ("containers", str(error))))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = list(
            pool.map(lambda name: _look_at(DockerTarget(name), access, image, journal), sorted(names))
        )
    return Listing(
        (*found, *(jvm for jvms, _ in looks for jvm in jvms)),
        (*unseen, *(one for _, ones in looks for one in ones)),
    )


def _look_at(
    target: Target, access: Access, image: ImageChoice, journal: Journal
) -> tuple[tuple[Listed, ...], tuple[tuple[str, str], ...]]:
    try:
        return list_target(Job(target, access=access, image=image), journal).jvms, ()
    except (JvmdiagError, TimeoutError) as error:
        return (), ((str(target), str(error)),)


def _listed(place: Place, view: View, jvm: Jvm, image: ImageChoice) -> Listed:
    steps = survey(Scene(place, view, jvm, image), THREAD_PRINT)
    return Listed(place.name, jvm, tuple((s.rung.name, getattr(s.readiness, "reason", "")) for s in steps))
