"""A second source that is read again and again while a command looks: what the load of the machine moves is known."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from math import exp, inf
from types import TracebackType


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`."""

    low: float
    high: float


def between(*values: float) -> Between:
    """What was there before and after, say."""
    return Between(min(values), max(values))


class Course:
    """How the numbers that `read` gives went from before the context to behind it.

    What a command says of so many seconds is of a time somewhere within. Load moves that time and stretches the
    command; it does not move what is true of every time of that length.
    """

    def __init__(self, read: Callable[[], Mapping[str, float]], every_s: float = 0.1) -> None:
        self._read, self._every_s = read, every_s
        self.samples: list[tuple[float, Mapping[str, float]]] = []
        self._over = threading.Event()
        self._worker = ThreadPoolExecutor(1)

    def __enter__(self) -> Course:
        self._sample()
        self._going = self._worker.submit(self._go_on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._worker.shutdown()
        if kind is None:
            self._going.result()
            self._sample()

    def _go_on(self) -> None:
        while not self._over.wait(self._every_s):
            self._sample()

    def _sample(self) -> None:
        before = time.monotonic()
        values = self._read()
        self.samples.append(((before + time.monotonic()) / 2, values))

    def valued(self, name: str) -> Between:
        """Of a number that goes up and down."""
        return between(*(values[name] for _, values in self.samples))

    def rate(self, name: str, seconds: float) -> Between:
        """Of a counter: by how much it grew each second, in all times of that length."""
        return between(*(grown[name] / seconds for grown in self._grown((name,), seconds)))

    def share(self, part: str, whole: str, seconds: float) -> Between:
        """Of two counters: how much of the one's growth the other's was."""
        grown = [one for one in self._grown((part, whole), seconds) if one[whole]]
        return between(*(one[part] / one[whole] for one in grown))

    def mean_of_ten(self, name: str, before: float, since: float, until: float = inf) -> Between:
        """Of a counter of seconds: the kernel's mean of the last ten, at any time of time.monotonic() between these.

        It is made every two seconds, nobody says when, each time with 1 - exp(-2 / 10) of what these two were. At the
        start it was `before`; of the two seconds before the start any part may have been counted.
        """
        times = [at for at, _ in self.samples]
        found = []
        for phase, share in product(range(20), (0.0, 1.0)):
            at, mean = times[0] + phase / 10, before
            while at <= times[-1]:
                if since < at < until + 2:
                    found.append(mean)
                unseen = max(times[0] - (at - 2), 0.0)
                waited = self._at(times, name, at) - self._at(times, name, at - 2) + share * unseen
                mean += (waited / 2 - mean) * (1 - exp(-2 / 10))
                at += 2
            if at < until + 2:
                found.append(mean)
        return between(*found)

    def _grown(self, names: Sequence[str], seconds: float) -> list[dict[str, float]]:
        times = [at for at, _ in self.samples]
        last = times[-1] - seconds
        assert last >= times[0], f"{times[-1] - times[0]:.1f} s were watched, and {seconds:.1f} s looked at"
        # What is linear in pieces has its extremes where one of both ends is at an end of a piece.
        begins = [at for one in times for at in (one, one - seconds) if times[0] <= at <= last]
        return [
            {name: self._at(times, name, at + seconds) - self._at(times, name, at) for name in names}
            for at in begins
        ]

    def _at(self, times: Sequence[float], name: str, at: float) -> float:
        n = min(max(bisect_right(times, at), 1), len(times) - 1)
        (t0, before), (t1, after) = self.samples[n - 1], self.samples[n]
        part = (at - t0) / (t1 - t0) if t1 > t0 else 1.0
        return before[name] + min(max(part, 0.0), 1.0) * (after[name] - before[name])


def rate_of(events: Sequence[tuple[float, float]], seconds: float) -> Between:
    """Of what a log says happened, a moment and a weight each: the weight a second, in all times of that length.

    The first and the last event are outside of what was looked at.
    """
    times = [at for at, _ in events]
    sums = [0.0]
    for _, weight in events:
        sums.append(sums[-1] + weight)
    found = []
    for at in times:
        for begin in (at, at - seconds):
            if begin < times[0] or begin + seconds > times[-1]:
                continue
            # With what falls on either end, and without.
            most = sums[bisect_right(times, begin + seconds)] - sums[bisect_left(times, begin)]
            least = sums[bisect_left(times, begin + seconds)] - sums[bisect_right(times, begin)]
            found += [most / seconds, least / seconds]
    assert found, f"nothing was logged for {seconds:.1f} s"
    return between(*found)
