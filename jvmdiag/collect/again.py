"""A way to a dump that is on the target already: opened anew, and what is asked there of its bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach, reach_of
from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import see
from jvmdiag.errors import NoJvm
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.model import Jvm, Owner, Witness


@dataclass(frozen=True)
class Sought:
    """The JVM that wrote a dump, as the place knows it."""

    nspid: int
    start_ticks: int
    owner: Owner


def sought(jvm: Jvm) -> Sought:
    return Sought(jvm.nspid, jvm.start_ticks, jvm.owner)


def reopen(job: Job, journal: Journal, wanted: Sought, stack: ExitStack) -> Reach:
    """A new connection to the same JVM; it closes with `stack`. Raises what connecting raises.

    Of a JVM that is gone the files are reached that it left in its container or on its machine.
    """
    place = stack.enter_context(open_place(job.target, job.access, journal))
    with suppress(NoJvm):
        sight = see(place, job.image, stack, job.jvm, sudo=job.access.sudo)
        for jvm in sight.jvms:
            if (jvm.nspid, jvm.start_ticks) == (wanted.nspid, wanted.start_ticks):
                return reach_of(sight.view, jvm)
    if isinstance(place, ContainerPlace):
        return Reach(place.inside, "", wanted.owner)
    return Reach(place.host, "", wanted.owner if job.access.sudo else None)


def byte_count(says: JvmSays, here_bytes: int) -> Witness:
    """What the JVM said it wrote beside what came here; where that was lost, the size at which it closed it."""
    said = f"the JVM wrote {says.size_bytes:,} bytes"
    if not says.told:
        said = f"the JVM's answer was lost on the way; it has closed the file at {says.size_bytes:,} bytes"
    return Witness("byte count", says.size_bytes == here_bytes, f"{said}, {here_bytes:,} came here")


def same_sum(
    sums: Callable[[list[tuple[int, int]]], list[str] | None], size_bytes: int, here: str
) -> tuple[Witness, ...]:
    """What the target's own sum of the file says; nothing where it has no sha256sum. Reads the file once there."""
    there = sums([(0, size_bytes)])
    if not there:
        return ()
    same = there[0] == here
    detail = f"{there[0]} there" + (" and here" if same else f", {here} here")
    return (Witness("sha256", same, detail),)
