"""What a capture would meet and cost, without taking it: the preflight alone."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

from jvmdiag.attach.rung import NotReady, Ready, Scene, Speaker
from jvmdiag.capture.choose import Step, survey
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.price import preflight
from jvmdiag.collect.scene import open_scene
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.preflight import Intent, Preflight
from jvmdiag.model import Jvm

# They start no container, and a JVM that is asked for its heap by them notices nothing.
_CHEAP = ("direct", "tools")


class Capture(str, Enum):
    """What can be checked; the names are those of --of."""

    HEAPDUMP = "heapdump"
    HISTOGRAM = "histogram"
    LOCKS = "locks"


_OPERATIONS = {
    Capture.HEAPDUMP: (Operation.HEAP_DUMP, "GC.heap_dump"),
    Capture.HISTOGRAM: (Operation.HISTOGRAM, "GC.class_histogram"),
    Capture.LOCKS: (Operation.LOCKS, "Thread.print -l"),
}


@dataclass(frozen=True)
class Checked:
    """The JVM, where it is, and the price of what was intended."""

    where: str
    jvm: Jvm
    price: Preflight


def check(
    job: Job,
    capture: Capture,
    journal: Journal,
    dump_dir: str | None = None,
    *,
    live: bool = False,
    max_pause_s: float | None = None,
) -> Checked:
    """The price of `capture`. The JVM is asked for its heap where a cheap method can; nothing is
    written, and nothing is refused. Raises what looking at the target raises."""
    operation, line = _OPERATIONS[capture]
    intent = Intent(operation, live, max_pause_s)
    with open_scene(job, journal) as scene, ExitStack() as stack:
        steps = survey(scene, line, job.method)
        price = preflight(job, scene, intent, methods_of(steps), _speaker(steps, scene, stack), dump_dir)
        return Checked(scene.place.name, scene.jvm, price)


def methods_of(steps: tuple[Step, ...]) -> tuple[tuple[str, str], ...]:
    """Each method with why it would not work; empty where it would."""
    return tuple(
        (s.rung.name, s.readiness.reason if isinstance(s.readiness, NotReady) else "") for s in steps
    )


def _speaker(steps: tuple[Step, ...], scene: Scene, stack: ExitStack) -> Speaker | None:
    ready = (s.rung for s in steps if isinstance(s.readiness, Ready) and s.rung.name in _CHEAP)
    rung = next(ready, None)
    return stack.enter_context(rung.open(scene)) if rung else None
