"""The items of a snapshot, taken one after the other; none of them ends the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jvmdiag.attach.rung import THREAD_PRINT, Reach, Scene, Speaker, attach_obstacle, reach_of
from jvmdiag.capture.choose import with_speaker
from jvmdiag.collect.job import Job
from jvmdiag.collect.price import Terms, agree, remember
from jvmdiag.collect.scene import how_it_ended
from jvmdiag.collect.snapshot_taking import Taking, why_of
from jvmdiag.errors import (
    AttachRefused,
    CommandRefused,
    ConnectionLost,
    EngineUnreachable,
    JvmdiagError,
    JvmGone,
    JvmHung,
    NoSuchTarget,
    TargetNotRunning,
)
from jvmdiag.impact.preflight import Intent
from jvmdiag.jvm.thread_names import ThreadNames
from jvmdiag.model import Forecast
from jvmdiag.snapshot.asked import Threads
from jvmdiag.snapshot.item import At, Item, Taken
from jvmdiag.transfer.bundle import FAILED

_GONE = (ConnectionLost, EngineUnreachable, NoSuchTarget, TargetNotRunning)


def where(job: Job, scene: Scene, *, redact: bool) -> At:
    """A JVM whose files are not for this user to read shows what it shows to everybody."""
    jvm, reach = scene.jvm, reach_of(scene.view, scene.jvm)
    if not jvm.readable:
        reach = Reach(scene.view.host, "", None, jvm.pid)
    files = replace(reach, user=jvm.owner) if jvm.readable else reach
    return At(scene, reach, files, job.timeout_s, ThreadNames() if redact else None)


@dataclass
class Run(Taking):
    """The items of a JVM. `mute` says why it is not asked any more; it is empty at first."""

    terms: Terms = field(kw_only=True)
    at: At = field(kw_only=True)
    mute: str = ""

    def _reason_not_to(self, item: Item) -> str:
        if why := super()._reason_not_to(item):
            return why
        if item.asks and self.mute:
            return self.mute
        quits = self.at.speaker is not None and self.at.speaker.method == "quit"
        if item.asks and quits and not (isinstance(item, Threads) and item.line == THREAD_PRINT):
            why = attach_obstacle(self.at.scene.jvm) or "no other method works"
            return f"SIGQUIT gives plain thread dumps and nothing else: {why}"
        return ""

    def _taken(self, item: Item) -> tuple[Taken, Forecast | None]:
        """With a preflight before it, where it has a price."""
        if item.operation is None:
            return item.take(self.at), None
        intent = Intent(item.operation, max_pause_s=self.terms.max_pause_s)
        offer = agree(self.job, self.at.scene, self.at.asked, intent, self.terms)
        taken = item.take(self.at)
        remember(self.job, offer, taken.pause)
        return taken, offer.price.forecast

    def _failed(self, item: Item, error: Exception, clock: float, why: str = "") -> None:
        why = why or why_of(error)
        # What is seen of a container that ends depends on which of its processes is gone first.
        refused = item.asks and isinstance(error, CommandRefused)
        ended = None if refused else how_it_ended(self.at.scene.place)
        if ended or isinstance(error, _GONE):
            self.gone = why = str(ended or error)
        if item.asks and isinstance(error, JvmHung | AttachRefused | JvmGone | TimeoutError):
            self.mute = f"the JVM is not asked any more: {error}"
        self._keep(item, FAILED, why, clock)

    # The JVM and its speaker

    def not_asked(self, first: Item, why: str) -> None:
        """The JVM cannot answer, and `first` says so."""
        self._keep(first, FAILED, why)
        self.mute = f"the JVM could not be asked: see {first.name}"

    def with_speaker(self, work: Callable[[Speaker], None], first: Item) -> None:
        """`work`, given the first rung that can take a thread dump; where none can, `first` says why."""
        if self.gone:
            return
        clock = time.monotonic()
        try:
            with_speaker(self.at.scene, THREAD_PRINT, self.job.method, work)
        except (JvmdiagError, TimeoutError) as error:
            reasons = [line.strip() for line in getattr(error, "advice", ())]
            why = "; ".join((str(error), *reasons))
            if first in self.waiting:
                self._failed(first, error, clock, why)
                self.mute = f"the JVM could not be asked: see {first.name}"
            else:
                # Everything was asked, and what was opened for it did not close well.
                self.notes.append(why)
        finally:
            self.at.speaker = None

    def spoken(self, speaker: Speaker) -> None:
        """`speaker` has had its first question: what is refused from now on is no reason to try another."""
        self.method, self.method_detail = speaker.method, speaker.detail
        self.notes += [note for note in speaker.notes if note not in self.notes]

    def wait_until(self, due_s: float, quick: list[Item]) -> None:
        """Until `due_s` of the monotonic clock, taking of `quick` what there is time to begin."""
        while quick and time.monotonic() < due_s and not self.gone:
            self.take(quick.pop(0))
        if not (self.mute or self.gone):
            time.sleep(max(due_s - time.monotonic(), 0))
