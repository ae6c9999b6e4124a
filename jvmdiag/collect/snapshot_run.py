"""The items of a snapshot, taken one after the other; none of them ends the rest."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from jvmdiag.attach.rung import THREAD_PRINT, Reach, Scene, Speaker, attach_obstacle, reach_of
from jvmdiag.capture.choose import with_speaker
from jvmdiag.collect.job import Job, Progress
from jvmdiag.collect.price import Terms, agree, remember
from jvmdiag.collect.scene import how_it_ended
from jvmdiag.errors import (
    AttachRefused,
    CommandRefused,
    ConnectionLost,
    Declined,
    EngineUnreachable,
    JvmdiagError,
    JvmGone,
    JvmHung,
    NoImage,
    NoSuchTarget,
    PriceError,
    TargetNotRunning,
)
from jvmdiag.impact.preflight import Intent
from jvmdiag.jvm.thread_names import ThreadNames
from jvmdiag.model import Forecast
from jvmdiag.snapshot.asked import Threads
from jvmdiag.snapshot.item import At, Item, NotTaken, Risk, Taken
from jvmdiag.transfer.bundle import FAILED, INTERRUPTED, SKIPPED, TAKEN, BundledItem, Folder, Stored
from jvmdiag.units import duration, size

_GONE = (ConnectionLost, EngineUnreachable, NoSuchTarget, TargetNotRunning)


@dataclass(frozen=True)
class Made(Item):
    """An item that the run itself knows how to take."""

    how: Callable[[], Taken] = lambda: Taken(b"")

    def take(self, at: At) -> Taken:
        return self.how()


def where(job: Job, scene: Scene, *, redact: bool) -> At:
    """A JVM whose files are not for this user to read shows what it shows to everybody."""
    jvm, reach = scene.jvm, reach_of(scene.view, scene.jvm)
    if not jvm.readable:
        reach = Reach(scene.view.host, "", None, jvm.pid)
    files = replace(reach, user=jvm.owner) if jvm.readable else reach
    return At(scene, reach, files, job.timeout_s, ThreadNames() if redact else None)


@dataclass
class Run:
    """Takes items into `folder` and keeps `entries`, one for each. `waiting` are those whose turn has not come.

    `mute` says why the JVM is not asked any more, `gone` why nothing is; both are empty at first.
    """

    job: Job
    risk: Risk
    terms: Terms
    progress: Progress
    at: At
    folder: Folder
    began_at_s: float
    entries: list[BundledItem] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    mute: str = ""
    gone: str = ""
    method: str = ""
    method_detail: str = ""
    notes: list[str] = field(default_factory=list)

    def plan(self, items: Iterable[Item]) -> None:
        self.waiting += items

    def take(self, item: Item, *, then: Callable[[Taken], None] = lambda _: None) -> None:
        """Take `item`, and keep what became of it; `then` hears of what was taken. Raises KeyboardInterrupt alone, and
        of the first question to the JVM what lets the next rung try."""
        self.progress.advance(0)
        if why := self._reason_not_to(item):
            self._keep(item, SKIPPED, why)
            return
        clock, forecast = time.monotonic(), None
        try:
            taken, forecast = self._taken(item)
            stored = self.folder.write(item.file, taken.data)
            then(taken)
        except NotTaken as error:
            self._keep(item, SKIPPED, str(error), clock)
        except KeyboardInterrupt:
            self._keep(item, INTERRUPTED, "the run was interrupted while it was taken", clock)
            raise
        except (PriceError, Declined) as error:
            self._keep(item, SKIPPED, _why(error), clock)
        except (AttachRefused, NoImage) as error:
            if item.asks and not self.method:
                raise
            self._failed(item, error, clock)
        except (JvmdiagError, TimeoutError) as error:
            self._failed(item, error, clock)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this item, and not the incident's only snapshot
            self.notes.append(traceback.format_exc())
            self._failed(
                item, error, clock, f"a fault of jvmdiag: {error!r}; the manifest's notes have its place"
            )
        else:
            self._keep(item, TAKEN, "", clock, taken, stored, forecast)

    def _reason_not_to(self, item: Item) -> str:
        if self.gone:
            return self.gone
        if not self.risk.holds(item.risk):
            return f"only with --{item.risk.value}" if item.risk is Risk.FULL else "not with --light"
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
        why = why or _why(error)
        # What is seen of a container that ends depends on which of its processes is gone first.
        refused = item.asks and isinstance(error, CommandRefused)
        ended = None if refused else how_it_ended(self.at.scene.place)
        if ended or isinstance(error, _GONE):
            self.gone = why = str(ended or error)
        if item.asks and isinstance(error, JvmHung | AttachRefused | JvmGone | TimeoutError):
            self.mute = f"the JVM is not asked any more: {error}"
        self._keep(item, FAILED, why, clock)

    def _keep(
        self,
        item: Item,
        status: str,
        why: str,
        clock: float | None = None,
        taken: Taken | None = None,
        stored: Stored | None = None,
        forecast: Forecast | None = None,
    ) -> None:
        if item in self.waiting:
            self.waiting.remove(item)
        entry = BundledItem(
            name=item.name,
            about=item.about,
            risk=item.risk.value,
            status=status,
            why=why,
            file=item.file if stored else "",
            size_bytes=stored.size_bytes if stored else 0,
            sha256=stored.sha256 if stored else "",
            began_s=None if clock is None else round(clock - self.began_at_s, 3),
            took_s=0.0 if clock is None else round(time.monotonic() - clock, 3),
            pause=taken.pause if taken else None,
            forecast=forecast,
            note=taken.note if taken else "",
        )
        self.keep(entry)

    def keep(self, entry: BundledItem) -> None:
        """One more entry; an older one of that name makes room."""
        self.entries = [*(one for one in self.entries if one.name != entry.name), entry]
        said = f"{size(entry.size_bytes)} in {duration(entry.took_s)}" if entry.status == TAKEN else entry.why
        if entry.began_s is not None:
            self.progress.note(f"  {entry.began_s:5.1f} s  {entry.status:<7}  {entry.name}: {said}")

    def give_up(self, why: str) -> None:
        """Whatever waits was interrupted."""
        for item in list(self.waiting):
            self._keep(item, INTERRUPTED, why)

    # The JVM and its speaker

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


def _why(error: Exception) -> str:
    """The error, and the first thing that helps."""
    advice = getattr(error, "advice", ())
    return "; ".join((str(error), *advice[:1]))
