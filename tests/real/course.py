"""A second source that is read again and again while a command looks: what the load of the machine moves is known."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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


@dataclass(frozen=True)
class Sample:
    """What was read from `begun` to `over`, by time.monotonic(), at a moment that nobody knows."""

    begun: float
    over: float
    values: Mapping[str, float]

    @property
    def at(self) -> float:
        return (self.begun + self.over) / 2


class Course:
    """How the numbers that `read` gives went from before the context to behind it.

    What a command says of so many seconds is of a time somewhere within. Load moves that time and stretches the
    command; it does not move what is true of every time of that length.
    """

    def __init__(self, read: Callable[[], Mapping[str, float]], every_s: float = 0.1) -> None:
        self._read, self._every_s = read, every_s
        self.samples: list[Sample] = []
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
        begun = time.monotonic()
        values = self._read()
        self.samples.append(Sample(begun, time.monotonic(), values))

    def valued(self, name: str) -> Between:
        """Of a number that goes up and down."""
        return between(*(one.values[name] for one in self.samples))

    def rate(self, name: str, seconds: float) -> Between:
        """Of a counter: by how much it grew each second, in all times of that length.

        On a busy machine it takes its time to be read, and may have been at each value a little sooner or later.
        """
        soonest = _Line([(one.begun, one.values[name]) for one in self.samples])
        latest = _Line([(one.over, one.values[name]) for one in self.samples])
        begins = self._begins(seconds, *(at for one in self.samples for at in (one.begun, one.over)))
        return Between(
            min(latest.at(at + seconds) - soonest.at(at) for at in begins) / seconds,
            max(soonest.at(at + seconds) - latest.at(at) for at in begins) / seconds,
        )

    def share(self, part: str, whole: str, seconds: float) -> Between:
        """Of two counters that are read at one moment: how much of the one's growth the other's was."""
        of_part, of_whole = (_Line([(s.at, s.values[name]) for s in self.samples]) for name in (part, whole))
        grown = [
            [line.at(at + seconds) - line.at(at) for line in (of_part, of_whole)]
            for at in self._begins(seconds, *(one.at for one in self.samples))
        ]
        return between(*(some / all_ for some, all_ in grown if all_))

    def mean_of_ten(self, name: str, before: float, since: float, until: float = inf) -> Between:
        """Of a counter of seconds: the kernel's mean of the last ten, at any time of time.monotonic() between these.

        It is made every two seconds, nobody says when, each time with 1 - exp(-2 / 10) of what these two were, in whole
        percents without the rest. At the start it was `before`; of the two seconds before the start any part may have
        been counted.
        """
        line = _Line([(one.at, one.values[name]) for one in self.samples])
        begins, ends = self.samples[0].at, self.samples[-1].at
        found = []
        for phase, share in product(range(20), (0.0, 1.0)):
            at, mean = begins + phase / 10, before
            while at <= ends:
                if since < at < until + 2:
                    found.append(mean)
                unseen = max(begins - (at - 2), 0.0)
                waited = line.at(at) - line.at(at - 2) + share * unseen
                mean += (waited / 2 - mean) * (1 - exp(-2 / 10))
                at += 2
            if at < until + 2:
                found.append(mean)
        return Between(max(min(found) - 0.01, 0.0), max(found))

    def _begins(self, seconds: float, *bends: float) -> list[float]:
        """Where a time of that length may have its extremes, within what was watched: of what is linear in pieces one
        of its two ends is at an end of a piece."""
        first, last = self.samples[0].over, self.samples[-1].begun - seconds
        assert last >= first, f"{last + seconds - first:.1f} s were watched, and {seconds:.1f} s looked at"
        begins = (at for bend in bends for at in (bend, bend - seconds))
        return [first, *(at for at in begins if first < at < last), last]


class _Line:
    """Linear from one point to the next, and level before the first and behind the last."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._points = points
        self._times = [at for at, _ in points]

    def at(self, at: float) -> float:
        n = min(max(bisect_right(self._times, at), 1), len(self._points) - 1)
        (t0, before), (t1, after) = self._points[n - 1], self._points[n]
        part = (at - t0) / (t1 - t0) if t1 > t0 else 1.0
        return before + min(max(part, 0.0), 1.0) * (after - before)


@contextmanager
def told(argv: Sequence[str], shares: Callable[[str], Mapping[str, float] | None]) -> Iterator[Course]:
    """What a program tells again and again of the time since it told before, as seconds of each share of that time.

    `shares` makes them of a line, None of one that tells nothing; the first that tells is of the time since the machine
    booted. From a line before the context to one behind it: what it tells is known a while after it was so.
    """
    course, behind = Course(dict), threading.Event()
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}
    ) as process:
        assert process.stdout
        lines = (found for line in process.stdout if (found := shares(line)) is not None)
        sums = dict.fromkeys(next(lines), 0.0)
        begun = time.monotonic()
        course.samples.append(Sample(begun, begun, sums))

        def add() -> None:
            for line in lines:
                last, now, over = course.samples[-1], time.monotonic(), behind.is_set()
                grown = {name: share * (now - last.at) for name, share in line.items()}
                sums = {name: last.values[name] + some for name, some in grown.items()}
                course.samples.append(Sample(now, now, sums))
                if over:
                    return

        reader = threading.Thread(target=add)
        reader.start()
        try:
            yield course
            behind.set()
            reader.join(60)
            assert not reader.is_alive(), f"{argv[0]} tells nothing more"
        finally:
            process.kill()
            reader.join()


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
