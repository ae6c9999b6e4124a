"""The ladder: which rung puts a command to a JVM, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from jvmdiag.attach.direct import Direct
from jvmdiag.attach.jdk_image import JdkImage
from jvmdiag.attach.quit import Quit
from jvmdiag.attach.rung import NotReady, Readiness, Ready, Rung, Scene, Speaker
from jvmdiag.attach.tools import Tools
from jvmdiag.errors import AttachRefused, BadRequest, NoImage, NoMethod

# What costs the target least comes first.
LADDER: tuple[Rung, ...] = (Direct(), Tools(), JdkImage(), Quit())
T = TypeVar("T")
NAMES = tuple(rung.name for rung in LADDER)


@dataclass(frozen=True)
class Step:
    """One rung and what it says of itself."""

    rung: Rung
    readiness: Readiness

    @property
    def ready(self) -> bool:
        return isinstance(self.readiness, Ready)


def survey(scene: Scene, line: str, method: str | None = None) -> tuple[Step, ...]:
    """Every rung's readiness to put `line` to the JVM, or just that of `method`. Raises BadRequest."""
    return tuple(_steps(scene, line, method))


def check_method(method: str | None) -> None:
    """Raises BadRequest for a --method that is none."""
    if method is not None and method not in NAMES:
        raise BadRequest(f"no method {method!r}", advice=f"a method is one of: {', '.join(NAMES)}")


def _steps(scene: Scene, line: str, method: str | None) -> Iterator[Step]:
    """One after the other: a rung that is not reached asks the engine nothing."""
    check_method(method)
    for rung in LADDER:
        if method in (None, rung.name):
            yield Step(rung, rung.probe(scene, line))


def with_speaker(scene: Scene, line: str, method: str | None, work: Callable[[Speaker], T]) -> T:
    """What `work` returns, given the first rung that is ready and is not refused.

    A rung that is refused (AttachRefused, NoImage) is not tried again: the next one is. Raises NoMethod,
    which lists every rung with its reason; with `method`, that one's own error.
    """
    reasons: list[str] = []
    refused: list[str] = []
    for step in _steps(scene, line, method):
        if isinstance(step.readiness, NotReady):
            reasons.append(f"  {step.rung.name}: {step.readiness.reason}")
            continue
        try:
            with step.rung.open(scene) as speaker:
                speaker.notes = tuple(f"not by {reason.strip()}" for reason in refused)
                return work(speaker)
        except (AttachRefused, NoImage) as error:
            if method is not None:
                raise
            refused.append("; ".join((f"{step.rung.name}: {error}", *error.advice)))
            reasons.append(f"  {refused[-1]}")
    what = f"no way to ask the JVM {scene.jvm.pid} of {scene.place.name} for {line.split()[0]}"
    raise NoMethod(what, why="every way was looked at" if method is None else "", advice=tuple(reasons))
