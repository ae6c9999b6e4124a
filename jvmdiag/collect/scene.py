"""From a Job to the scene of the capture: the place is open, the JVM found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jvmdiag.attach.jdk_image import DEFAULT_IMAGE, PRIVILEGED, as_command
from jvmdiag.attach.rung import ImageChoice, Scene
from jvmdiag.collect.job import Job
from jvmdiag.collect.recording import attaching
from jvmdiag.errors import (
    AttachRefused,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    JvmGone,
    NoImage,
    NoJvm,
    TargetError,
    TransferCut,
)
from jvmdiag.hosts.base import Recorder
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.jvm.discovery import Sight, check_selector, discover, look

# Temurin's images, and most others, say which Java they run.
_VERSION_VARIABLE = "JAVA_VERSION="
# What is seen of a container that ends depends on which of its processes is gone first.
_MAY_BE_ITS_END = (
    ConnectionLost,
    TargetError,
    TimeoutError,
    JvmGone,
    AttachRefused,
    DumpIncomplete,
    TransferCut,
)
# Its JVM is gone some moments before the engine says that it has exited.
_LOOKS, _LOOK_S = 5, 0.1


class SidecarNeeded(Exception):
    """Only a sidecar could look, and none may be started; `commands` would start it, in order."""

    def __init__(self, commands: tuple[str, ...]) -> None:
        super().__init__(*commands)
        self.commands = commands


@contextmanager
def open_scene(job: Job, record: Recorder, *, only_look: bool = False) -> Iterator[Scene]:
    """The JVM that `job` is about, for as long as the context lasts.

    With `only_look` nothing is pulled or started for it: that raises SidecarNeeded instead. A connection
    that breaks because the container ended raises JvmGone, which says how it ended.
    """
    check_selector(job.jvm)
    with open_place(job.target, job.access, record) as place, ExitStack() as stack:
        try:
            told = stack.enter_context(attaching(job, place))
            sight = see(place, job.image, stack, job.jvm, sudo=job.access.sudo, only_look=only_look)
            scene = Scene(place, sight.view, sight.pick(job.jvm, place.name), job.image)
            told(scene.jvm)
            yield scene
        except _MAY_BE_ITS_END as error:
            raise how_it_ended(place) or error from None


def see(
    place: Place,
    image: ImageChoice,
    stack: ExitStack,
    wanted: str | None = None,
    *,
    sudo: bool = False,
    only_look: bool = False,
) -> Sight:
    """The JVMs of `place`, through a sidecar (closed with `stack`) where nothing else can look.

    Those that `wanted` may mean are looked at closely: all without it. Raises SidecarNeeded instead of starting
    a sidecar with `only_look`.
    """
    if sight := discover(place, wanted, sudo=sudo):
        return sight
    if not isinstance(place, ContainerPlace):
        raise NoJvm(
            f"{place.name} cannot be looked at",
            why="it takes Linux's /proc and a POSIX shell",
            advice="a JVM in a container is reached from any machine: jvmdiag ps NAME",
        )
    name = image.name or DEFAULT_IMAGE.format(major=_major_of(place))
    missing = not place.has_image(name)
    if missing and not image.pull:
        raise NoImage(
            f"{place.name} has no shell to look with, and {name} is not on the engine",
            advice=(
                f"docker pull {name}, or name a JDK image that is there: --jdk-image NAME",
                "or run jvmdiag as root on the engine's host",
            ),
        )
    if only_look:
        pull = (f"docker pull {name}",) if missing else ()
        raise SidecarNeeded((*pull, as_command(place, name, PRIVILEGED)))
    if missing:
        place.pull(name, image.advance)
    view = stack.enter_context(place.sidecar(name, PRIVILEGED))
    jvms = look(view)
    if jvms is None:
        raise NoImage(f"the image {name} has no shell", advice="name a JDK image with one: --jdk-image NAME")
    return Sight(view, jvms)


def _major_of(place: ContainerPlace) -> str:
    said = next(
        (v.removeprefix(_VERSION_VARIABLE) for v in place.facts.env if v.startswith(_VERSION_VARIABLE)), ""
    )
    digits = said.removeprefix("jdk-").partition(".")[0]
    return digits if digits.isdigit() else "21"


def how_it_ended(place: Place) -> JvmdiagError | None:
    """JvmGone with the container's own account, where it is no longer running."""
    if not isinstance(place, ContainerPlace):
        return None
    end = None
    for _ in range(_LOOKS):
        try:
            end = place.engine.how_it_ended(place.facts.id)
        except JvmdiagError:
            return None
        if end is not None:
            break
        time.sleep(_LOOK_S)
    if end is None:
        return None
    return JvmGone(
        f"the container {place.facts.name} ended while it was being looked at",
        why=end,
        advice=f"its log: docker logs {place.facts.name}",
    )
