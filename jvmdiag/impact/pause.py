"""The exact time that a command stopped the JVM, from the JVM's own safepoint counters. No attach is needed.

The counters stand in its perfdata file, which is read before and after. Compared with -Xlog:safepoint they
agree to 0.01 ms; docs/explanation/safety.md says what they hold on which version.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.errors import JvmdiagError
from jvmdiag.jvm.perfdata import Counters, parse_perfdata
from jvmdiag.model import Jvm, Pause

_READ_TIMEOUT_S = 5.0
# The VM thread writes the counters when the threads run again, which may be after the answer is here.
_SETTLES, _SETTLE_S = 10, 0.02
# A question of ours takes up to three safepoints: Thread.print two or three, a histogram and a dump one.
_OURS = {"Thread.print": 3}


@dataclass(frozen=True)
class SafepointCounters:
    """How many safepoints there were since the JVM started, and the seconds of them."""

    count: int
    stopped_s: float
    """From the moment that the first thread waits to the moment that all go on."""
    reaching_s: float
    """Of that, until the last thread had stopped."""


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
    return SafepointCounters(count, total / frequency, reaching / frequency)


def pause_between(before: SafepointCounters, after: SafepointCounters, line: str) -> Pause:
    """What lies between two readings around `line`."""
    safepoints = after.count - before.count
    return Pause(
        seconds=after.stopped_s - before.stopped_s,
        reaching_s=after.reaching_s - before.reaching_s,
        safepoints=safepoints,
        exact=safepoints <= _OURS.get(line.partition(" ")[0], 1),
    )


class MeteredSpeaker(Speaker):
    """Asks by `speaker`, and reads the counters before and after. `pause` is that of the last question.

    Costs two reads of 32 KiB. A JVM without readable counters is asked all the same; `pause` is None then.
    """

    def __init__(self, speaker: Speaker, jvm: Jvm) -> None:
        self._speaker = speaker
        self._jvm = jvm
        self.method, self.detail, self.notes = speaker.method, speaker.detail, speaker.notes
        self.reach: Reach | None = speaker.reach
        self.pause: Pause | None = None

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.pause = None
        before = self._read()
        answer = self._speaker.ask(line, timeout_s)
        if before is not None:
            self.pause = self._since(before, line)
        return answer

    def _since(self, before: SafepointCounters, line: str) -> Pause | None:
        after = self._read()
        for _ in range(_SETTLES):
            if after is None or after.count > before.count:
                break
            time.sleep(_SETTLE_S)
            after = self._read()
        return None if after is None else pause_between(before, after, line)

    def _read(self) -> SafepointCounters | None:
        reach = self.reach
        if self._jvm.perfdata is None or reach is None:
            return None
        try:
            path = reach.path(self._jvm.perfdata)
            done = reach.host.run(["cat", path], user=reach.user, timeout_s=_READ_TIMEOUT_S)
        except (JvmdiagError, TimeoutError):
            return None
        return counters_of(parse_perfdata(done.stdout), self._jvm.major) if done.ok else None
