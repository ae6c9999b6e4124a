"""Questions to a JVM by whoever looks at it again and again: one that was silent is left alone until it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from jvmdiag.attach.rung import THREAD_PRINT, NotReady, Ready, Scene, Speaker, stopped
from jvmdiag.capture.choose import survey
from jvmdiag.errors import CommandRefused, JvmdiagError, JvmHung, NoMethod
from jvmdiag.metrics.http import NoPage, Why
from jvmdiag.metrics.pulse import Pulse

# They start no container, and a JVM that is asked by them for its threads stands still for a millisecond.
_CHEAP = ("direct", "tools")
_TIMEOUT_S = 5.0
_AGAIN_AFTER_S, _AGAIN_AT_MOST_S = 30.0, 600.0
_WHO = "Tomcat by JMX or a thread dump"


@dataclass(frozen=True)
class Silence:
    """A JVM that did not answer, `times` in a row and last at `at_s`. `then` is its pulse in the first look since."""

    times: int
    at_s: float
    why: str
    then: Pulse | None = None

    def over(self, now: Pulse | None, now_s: float) -> bool:
        """Whether it may be asked again: it goes on, and that long has passed.

        What it did not answer waits in it. One that goes on has answered that by now, or will; in one that hangs each
        further question would wait as well, and all of them would be answered at once, each in a safepoint.
        """
        wait_s = min(_AGAIN_AFTER_S * 2 ** (self.times - 1), _AGAIN_AT_MOST_S)
        return bool(now and self.then and now.beats_since(self.then)) and now_s - self.at_s >= wait_s


class Questions:
    """Puts questions to the JVM of `scene` by a cheap rung, which stays open as long as `stack`. `why` says why the
    last one was not answered, empty where it was."""

    def __init__(
        self,
        scene: Scene | None,
        stack: ExitStack,
        clock: Callable[[], float] = time.monotonic,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.why = ""
        self._scene = scene
        self._stack = stack
        self._clock = clock
        self._timeout_s = timeout_s
        self._speaker: Speaker | None = None
        self._pulse: Pulse | None = None
        self._silence: Silence | None = None
        self._never = ""

    def see(self, pulse: Pulse | None) -> None:
        """What a look just told of it."""
        self._pulse = pulse
        if self._silence and not self._silence.then:
            self._silence = replace(self._silence, then=pulse)

    def ask(self, line: str) -> str | NoPage:
        """The JVM's answer. Raises nothing of ours.

        It is not put to one that stands still, nor to one that was silent before its time has come. What does not come
        by itself (no rung is ready, or it is refused) is never asked again.
        """
        if self._scene is None:
            return NoPage(Why.OTHER, "there is no JVM")
        if self._never:
            return NoPage(Why.OTHER, self._never)
        if why := self._not_now(self._scene):
            self.why = why
            return NoPage(Why.LATER, why)
        try:
            self._speaker = self._speaker or self._open(self._scene)
            answer = self._speaker.ask(line, self._timeout_s).decode("utf-8", "replace")
        except CommandRefused as error:
            return NoPage(Why.OTHER, f"JMX: {error}")
        except (JvmHung, TimeoutError) as error:
            times = self._silence.times if self._silence else 0
            self.why = f"{_WHO}: {error}"
            self._silence = Silence(times + 1, self._clock(), self.why)
            return NoPage(Why.LATER, self.why)
        except JvmdiagError as error:
            named = ". An agent's port can be named: --jmx PORT" if isinstance(error, NoMethod) else ""
            self.why = self._never = f"{_WHO}: {error}{named}"
            return NoPage(Why.OTHER, self._never)
        self.why, self._silence = "", None
        return answer

    def _not_now(self, scene: Scene) -> str:
        """Why it is not asked; empty where it is."""
        pulse = self._pulse
        if stands := pulse.stands if pulse else stopped(scene.jvm.state):
            # One that stands still answers at no port either.
            return f"{_WHO}: {stands}"
        if self._silence and not self._silence.over(pulse, self._clock()):
            return self._silence.why
        return ""

    def _open(self, scene: Scene) -> Speaker:
        """Raises NoMethod."""
        # It may have been stopped when it was found.
        state = self._pulse.state if self._pulse else scene.jvm.state
        steps = survey(replace(scene, jvm=replace(scene.jvm, state=state)), THREAD_PRINT)
        for step in steps:
            if isinstance(step.readiness, Ready) and step.rung.name in _CHEAP:
                return self._stack.enter_context(step.rung.open(scene))
        why = next(step.readiness.reason for step in steps if isinstance(step.readiness, NotReady))
        raise NoMethod("the JVM cannot be asked cheaply", why=why)
