"""Items taken one after the other into a folder, each with its status: what every kind of snapshot has in common."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from jvmdiag.collect.job import Job, Progress
from jvmdiag.errors import AttachRefused, Declined, JvmdiagError, NoImage, PriceError
from jvmdiag.model import Forecast
from jvmdiag.snapshot.item import At, Item, NotTaken, Risk, Taken
from jvmdiag.transfer.bundle import FAILED, INTERRUPTED, PARTIAL, SKIPPED, TAKEN, BundledItem, Folder, Stored
from jvmdiag.units import duration, size


@dataclass(frozen=True)
class Made(Item):
    """An item that the run itself knows how to take."""

    how: Callable[[], Taken] = lambda: Taken(b"")

    def take(self, at: At) -> Taken:
        return self.how()


@dataclass
class Taking:
    """Takes items into `folder` and keeps `entries`, one for each. `waiting` are those whose turn has not come.

    `gone` says why nothing is taken any more; it is empty at first.
    """

    job: Job
    risk: Risk
    progress: Progress
    folder: Folder
    began_at_s: float
    entries: list[BundledItem] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
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
            self._keep(item, SKIPPED, why_of(error), clock)
        except (AttachRefused, NoImage) as error:
            if item.asks and not self.method:
                raise
            self._failed(item, error, clock)
        except (JvmdiagError, TimeoutError) as error:
            self._failed(item, error, clock)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this item, and not the incident's only snapshot
            self.notes.append(traceback.format_exc())
            # Not its repr: that of an error of encoding holds the whole text.
            said = f"a fault of jvmdiag: {type(error).__name__}: {error}"
            self._failed(item, error, clock, f"{said}; the manifest's notes have its place")
        else:
            self._keep(
                item, PARTIAL if taken.missing else TAKEN, taken.missing, clock, taken, stored, forecast
            )

    def _reason_not_to(self, item: Item) -> str:
        if self.gone:
            return self.gone
        if not self.risk.holds(item.risk):
            return f"only with --{item.risk.value}" if item.risk is Risk.FULL else "not with --light"
        return ""

    def _taken(self, item: Item) -> tuple[Taken, Forecast | None]:
        """By what it makes itself of."""
        assert isinstance(item, Made)
        return item.how(), None

    def _failed(self, item: Item, error: Exception, clock: float, why: str = "") -> None:
        self._keep(item, FAILED, why or why_of(error), clock)

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
        came = f"{size(entry.size_bytes)} in {duration(entry.took_s)}" if entry.held else ""
        said = "; ".join(part for part in (came, entry.why) if part)
        if entry.began_s is not None:
            self.progress.note(f"  {entry.began_s:5.1f} s  {entry.status:<7}  {entry.name}: {said}")

    def give_up(self, why: str) -> None:
        """Whatever waits was interrupted."""
        for item in list(self.waiting):
            self._keep(item, INTERRUPTED, why)


def why_of(error: Exception) -> str:
    """The error, and the first thing that helps."""
    advice = getattr(error, "advice", ())
    return "; ".join((str(error), *advice[:1]))
