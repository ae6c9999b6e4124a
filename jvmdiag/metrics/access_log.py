"""Tomcat's access log from look to look: what look.sh printed of it, counted by the stamps in its lines. Pure.

Only counts stay: a line holds what callers sent, tokens among it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from jvmdiag.jvm.access_log import LOG_DELAY_S, LogCount, Times, within
from jvmdiag.jvm.access_pattern import Elapsed, elapsed_of
from jvmdiag.metrics.pace import KEPT_S, Counted, Pace, Span, pace_of, standstill

# Three times that Tomcat has written what it had, and this was nothing.
SILENT_FROM_S = 30.0
# Of an hour ago "before" says nothing of now.
_SILENT_UNTIL_S = 3600.0
_CLOCKS_AGREE_S = 60
_SECOND = 2
_SOME_LINES = 5
_LATE_LOOKS = 60
_NUMBER = rb"(\d{1,20})"
_NOW = re.compile(rb"now " + _NUMBER)
_LOG = re.compile(b" ".join((b"log", *(_NUMBER,) * 5)))
_PATH = re.compile(rb"path (\d{1,9}) (.*)")


@dataclass(frozen=True)
class Piece:
    """The section "access" of a look. `modified_s` and `now_s` are Unix times of the target; `begins` is the offset of
    `data`, which is None where the log may not be read. Without a log `inode` is None."""

    now_s: int | None = None
    closed: bool = False
    missing: tuple[str, ...] = ()
    logs: int = 0
    path: str = ""
    descriptor: int = 0
    inode: int | None = None
    size: int = 0
    modified_s: int = 0
    begins: int = 0
    data: bytes | None = None
    conf: str = ""
    """Valves of server.xml, and the root of web.xml."""


def parse_piece(section: bytes) -> Piece:
    piece, rest = Piece(), section
    while rest:
        line, _, rest = rest.partition(b"\n")
        word, _, value = line.partition(b" ")
        if line == b"data":
            return replace(piece, data=rest)
        if line == b"closed":
            piece = replace(piece, closed=True)
        elif word == b"missing":
            piece = replace(piece, missing=(*piece.missing, value.decode("utf-8", "replace")))
        elif word == b"conf":
            piece = replace(piece, conf=f"{piece.conf}{value.decode('utf-8', 'replace')}\n")
        elif found := _NOW.fullmatch(line):
            piece = replace(piece, now_s=int(found[1]))
        elif found := _PATH.fullmatch(line):
            piece = replace(piece, logs=int(found[1]), path=found[2].decode("utf-8", "replace"))
        elif found := _LOG.fullmatch(line):
            descriptor, inode, size, modified_s, begins = map(int, found.groups())
            piece = replace(
                piece, descriptor=descriptor, inode=inode, size=size, modified_s=modified_s, begins=begins
            )
    return piece


@dataclass
class _Stretch:
    """All lines are known of the seconds from `first` to before `last`."""

    first: int
    last: int


class AccessLog:
    """What is known of one log, or of the log that took its place."""

    def __init__(self) -> None:
        self.path = ""
        self.unseen: tuple[str, ...] = ()
        """Why nothing is counted, or not all."""
        self._counts = LogCount()
        self._elapsed: Elapsed | None = None
        self._stretches: list[_Stretch] = []
        self._at: Piece = Piece()
        self._offset = 0
        self._fed = False
        self._looks_without = 0

    @property
    def wanted(self) -> str:
        """What the next look is to read: $7 of look.sh. Nothing for a while, where one was not answered in time."""
        if self._looks_without:
            return ""
        at = self._at
        if at.logs > 1 and (self.age_s or 0.0) >= SILENT_FROM_S:
            return "find"  # another one may be written by now
        return f"{at.descriptor} {at.inode} {self._offset}" if at.inode is not None else "find"

    def take(self, section: bytes) -> None:
        """The section "access" of a look; an empty one says nothing."""
        self._looks_without = max(self._looks_without - 1, 0)
        if not section.strip():
            return
        piece = parse_piece(section)
        self.path = piece.path or self.path
        self.unseen = tuple(self._unseen(piece))
        goes_on = piece.inode == self._at.inode and piece.inode is not None and self._goes_on(piece)
        logs = piece.logs or self._at.logs
        self._at = replace(piece, data=None, logs=logs, conf="")
        if piece.data is None:
            self._at = replace(self._at, inode=None)
            return
        begins = self._offset - piece.begins if goes_on else 0
        if piece.path:
            self._elapsed = elapsed_of(piece.conf, piece.path)
        self._feed(piece.data[begins:], goes_on=goes_on)
        self._offset = piece.begins + len(piece.data) if piece.data else piece.size
        if not self._stretches and self._offset:
            self.unseen = (
                *self.unseen,
                f"{self.path}: no line has the time of %t, and the status behind the request",
            )

    def is_late(self) -> None:
        """A look that was to read it was not answered in time. It may be what was slow: far away, or on a mount whose
        server is gone."""
        self._looks_without, self._at = _LATE_LOOKS, Piece()
        self.unseen = ("the access log: the look that was to read it was not answered in time",)

    def _goes_on(self, piece: Piece) -> bool:
        """Whether what comes is what follows on the last look. A log that was truncated is shorter."""
        if not piece.data:
            return piece.size == self._offset
        return piece.begins <= self._offset <= piece.begins + len(piece.data)

    def _unseen(self, piece: Piece) -> list[str]:
        if piece.closed:
            return ["the access log: whose user it is, and root, alone see which files the JVM has open"]
        if piece.missing:
            return [f"the access log: it takes {', '.join(piece.missing)} there"]
        if piece.inode is None:
            return ["no access log is among the files that the JVM has open: AccessLogValve writes one"]
        if piece.data is None:
            return [f"{self.path}: it may not be read"]
        logs = piece.logs or self._at.logs
        return [f"{logs - 1} more access logs are open: {self.path} alone is counted"] if logs > 1 else []

    def _feed(self, data: bytes, *, goes_on: bool) -> None:
        at, before = self._at, self._counts
        if not goes_on:
            self._counts, self._fed = LogCount(elapsed=self._elapsed), False
        seconds = self._counts.feed(data)
        # What a caller sends can stand in front of the stamp, and look like one.
        agree = any(-_CLOCKS_AGREE_S <= one - at.modified_s <= _SECOND for one in seconds[-_SOME_LINES:])
        latest = at.modified_s + _SECOND if agree else max(seconds, default=0)
        known = [one for one in seconds if one <= latest]
        if not goes_on:
            self._join(before, known)
        if known:
            self._reach(known)
        if seconds and not agree:
            off = seconds[-1] - at.modified_s
            self.unseen = (
                *self.unseen,
                f"the clock of the stamps in {self.path} is {off:+,} s off the target's",
            )

    def _join(self, before: LogCount, known: Sequence[int]) -> None:
        """What was counted before counts on, where this log begins behind it: it was rotated, or too much was
        written to be read. Another log takes its place."""
        if self._stretches and known and _first(known) < self._stretches[-1].last:
            self._stretches = []
        else:
            self._counts.requests.update(before.requests)
            self._counts.errors.update(before.errors)
            self._counts.times = {**before.times, **self._counts.times}

    def _reach(self, known: Sequence[int]) -> None:
        if not self._fed:
            # Where it was begun to be read is somewhere in a second.
            first = _first(known)
            self._stretches.append(_Stretch(first + 1, first))
            self._fed = True
        stretch = self._stretches[-1]
        stretch.last = max(stretch.last, *known)
        kept = stretch.last - int(KEPT_S)
        self._counts.forget(kept)
        stretch.first = max(stretch.first, kept)
        self._stretches = [one for one in self._stretches if one.last > kept]

    @property
    def age_s(self) -> float | None:
        """How long ago the last request ended that is in the log, by the target's clock."""
        at = self._at
        if not self._stretches or at.now_s is None or at.inode is None:
            return None
        written_s = max(at.now_s - at.modified_s, 0)
        by_stamp = at.now_s - self._stretches[-1].last
        # What was written then had ended shortly before, whatever the stamps say.
        return float(written_s if by_stamp < 0 else min(by_stamp, written_s + LOG_DELAY_S))

    @property
    def _silent_s(self) -> float:
        """For how long it is known that nothing was written."""
        age_s = self.age_s or 0.0
        return age_s - LOG_DELAY_S if age_s >= SILENT_FROM_S else 0.0

    def pace(self, widths: Sequence[float]) -> Pace | None:
        """Requests a second up to the newest stamp: what came since may not have been written yet. Of a log that is
        silent for so long that it would have been, up to then."""
        age_s = self.age_s
        if age_s is None or age_s > _SILENT_UNTIL_S:
            return None
        newest, silent_s = self._stretches[-1].last, self._silent_s
        counted = self._counted(silent_s)
        still = standstill(counted, newest, newest + silent_s, widths)
        return replace(still, seconds=age_s) if still else pace_of(counted, newest + silent_s, widths)

    def errors_per_s(self, pace: Pace) -> float:
        """Those of 500 and above, in the time of `pace`."""
        return (
            sum(within(self._counts.errors, *self._seconds(pace)).values()) / pace.seconds
            if pace.per_s
            else 0.0
        )

    def times(self, pace: Pace) -> Times | None:
        """How long the requests took that ended in the time of `pace`; None where the log does not tell."""
        first, last = self._seconds(pace)
        found = [times for second, times in self._counts.times.items() if first <= second <= last]
        count = sum(one.count for one in found)
        return (
            Times(count, sum(one.total_s for one in found), max(one.longest_s for one in found))
            if count
            else None
        )

    def _seconds(self, pace: Pace) -> tuple[int, int]:
        """The first and the last that `pace` is over."""
        newest = self._stretches[-1].last
        return int(newest + self._silent_s - pace.seconds), newest if self._silent_s else newest - 1

    def _counted(self, silent_s: float) -> Counted:
        requests, newest = self._counts.requests, self._stretches[-1].last
        spans = [
            Span(second, second + 1, requests.get(second, 0))
            for stretch in self._stretches
            for second in range(stretch.first, stretch.last)
        ]
        if silent_s:
            last = Span(newest, newest + 1, requests.get(newest, 0))
            spans += [last, Span(newest + 1, newest + silent_s, 0)]
        return Counted(spans)


def _first(known: Sequence[int]) -> int:
    """The second of the first lines, whatever a caller made of one of them."""
    return median_low(known[:_SOME_LINES])
