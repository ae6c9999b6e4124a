"""The exact time that a command stopped the JVM, from the JVM's own safepoint counters. No attach is needed.

The counters stand in its perfdata file, which is read before and after. HotSpot counts a safepoint when it
begins and adds its time when it ends (runtimeService.cpp), so one reading alone may fall between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.errors import JvmdiagError
from jvmdiag.jvm.perfdata import Counters, parse_perfdata
from jvmdiag.model import Jvm, Pause

_READ_TIMEOUT_S = 2.0
_SETTLE_S = 0.02
# A clock here beside one of the JVM.
_SLACK_S = 0.001
_COLLECTORS = range(4)


@dataclass(frozen=True)
class SafepointCounters:
    """How many safepoints have begun since the JVM started, and the seconds of those that have ended."""

    count: int
    stopped_s: float
    """From the moment that the first thread waits to the moment that all go on."""
    reaching_s: float
    """Of that, until the last thread had stopped."""
    collecting: bool = False
    """Whether a collection was under way: it is counted already, and its time is not."""
    collections: int = 0
    collecting_s: float = 0.0
    """Collections that have ended since the JVM started, and the seconds that they took; all collectors' sum."""


def counters_of(perfdata: Counters, major: int | None) -> SafepointCounters | None:
    """The counters; None where the JVM publishes none, or what they hold on its version is not known."""
    names = ("sun.rt.safepoints", "sun.rt.safepointTime", "sun.rt.safepointSyncTime", "sun.os.hrt.frequency")
    values = [value for name in names if isinstance(value := perfdata.get(name), int)]
    if len(values) < len(names) or values[3] <= 0:
        return None
    count, at, reaching, frequency = values
    # safepointTime holds the time until all have stopped on 11, and does not from 17 on; 12 to 16 were not measured.
    if major is None or (major != 11 and major < 17):
        return None
    total = at if major == 11 else at + reaching
    collections, ticks = (_sum_of_collectors(perfdata, name) for name in ("invocations", "time"))
    return SafepointCounters(
        count,
        total / frequency,
        reaching / frequency,
        _is_collecting(perfdata),
        collections,
        ticks / frequency,
    )


def _sum_of_collectors(perfdata: Counters, name: str) -> int:
    values = (perfdata.get(f"sun.gc.collector.{number}.{name}", 0) for number in _COLLECTORS)
    return sum(value for value in values if isinstance(value, int))


def _is_collecting(perfdata: Counters) -> bool:
    prefixes = (f"sun.gc.collector.{number}.last" for number in _COLLECTORS)
    times = ((perfdata.get(f"{p}EntryTime", 0), perfdata.get(f"{p}ExitTime", 0)) for p in prefixes)
    return any(isinstance(entry, int) and isinstance(exit_, int) and entry > exit_ for entry, exit_ in times)


def takes_safepoints(line: str, major: int | None) -> int:
    """How many a question of ours takes at most on a JVM that does nothing else."""
    if line.partition(" ")[0] == "Thread.print":
        return 3 if major in (11, 17) else 2
    return 1


def pause_between(
    before: SafepointCounters, after: SafepointCounters, takes: int, asked_s: float
) -> Pause | None:
    """What lies between two readings around a question that was answered after `asked_s`.

    None where nothing was counted: the file is not that of this JVM, or the question took no safepoint.
    """
    safepoints, seconds = after.count - before.count, after.stopped_s - before.stopped_s
    if safepoints <= 0 or seconds <= 0:
        return None
    ours_alone = safepoints <= takes and not before.collecting and seconds <= asked_s + _SLACK_S
    return Pause(
        seconds,
        after.reaching_s - before.reaching_s,
        safepoints,
        ours_alone,
        after.collections - before.collections,
        after.collecting_s - before.collecting_s,
    )


class MeteredSpeaker(Speaker):
    """Asks by `speaker`, and reads the counters before and after. `pause`, `asked_s` and `asked_at_s` (this
    machine's monotonic clock) are of the last question.

    Costs two reads of 32 KiB or some more, within a second or two. A JVM without readable counters is asked
    all the same; `pause` is None then. `read_ahead` takes the first reading before the question is put. `mark`
    is called just before a question and just after its answer. Counters that stand still are read again for
    `settles_within_s`: they may be written after the answer is here.
    """

    def __init__(
        self,
        speaker: Speaker,
        jvm: Jvm,
        mark: Callable[[], None] = lambda: None,
        settles_within_s: float = 1.0,
    ) -> None:
        self._speaker = speaker
        self._jvm = jvm
        self._mark = mark
        self._settles_within_s = settles_within_s
        self.method, self.detail, self.notes = speaker.method, speaker.detail, speaker.notes
        self.reach: Reach | None = speaker.reach
        self.pause: Pause | None = None
        self.asked_s = 0.0
        self.asked_at_s = 0.0
        self._ahead: SafepointCounters | None = None

    def read_ahead(self) -> None:
        """Read now, for the next question: what must not wait between its beginning and its question."""
        self._ahead = self._read()

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.pause = None
        before, self._ahead = self._ahead or self._read(), None
        self._mark()
        self.asked_at_s = time.monotonic()
        answer = self._speaker.ask(line, timeout_s)
        self.asked_s = time.monotonic() - self.asked_at_s
        self._mark()
        if before is not None and (after := self._settled(before)):
            takes = takes_safepoints(line, self._jvm.major)
            self.pause = pause_between(before, after, takes, self.asked_s)
        return answer

    @property
    def answered_at_s(self) -> float:
        return self.asked_at_s + self.asked_s

    def _settled(self, before: SafepointCounters) -> SafepointCounters | None:
        """The counters once they have moved and stand still."""
        until = time.monotonic() + self._settles_within_s
        last = self._read()
        while last is not None and time.monotonic() < until:
            time.sleep(_SETTLE_S)
            now = self._read()
            if now == last and last.count > before.count and last.stopped_s > before.stopped_s:
                break
            last = now
        return last

    def _read(self) -> SafepointCounters | None:
        reach = self.reach
        if self._jvm.perfdata is None or reach is None:
            return None
        try:
            path = reach.path(self._jvm.perfdata)
            done = reach.host.run(["cat", path], user=reach.user, timeout_s=_READ_TIMEOUT_S)
        except (JvmdiagError, OSError, RuntimeError):
            # No file descriptor, no thread: an answer must not be lost for its price.
            return None
        return counters_of(parse_perfdata(done.stdout), self._jvm.major) if done.ok else None
