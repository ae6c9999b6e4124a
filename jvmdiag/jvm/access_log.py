"""Requests by Tomcat's access log: found among the open files of the JVM, counted by the second. Pure.

Tomcat writes it through a buffer that it empties every 10 s (backgroundProcessorDelay) or when it is full, so the
stamp in a line counts, in whole seconds, and not the moment when the line can be read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jvmdiag.jvm.access_pattern import Elapsed

# Tomcat empties its buffer every 10 s: a line that is older and not there yet will not come.
LOG_DELAY_S = 11.0
# The common log format, %h %l %u %t "%r" %s: the stamp is that of the end of the request. One a line, whatever a
# caller put into it; of what he sends, Tomcat escapes quotes. A choice made anew at each byte of the request would take
# three times as long.
_LINE = re.compile(
    rb"^[^\n]*?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d\d[0-5]\d)\] "
    rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*" (\d{3})\b([^\n]*)',
    re.MULTILINE,
)
_MONTHS = {month: n for n, month in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_FD = re.compile(r"^(\d+) (\d+) -> (/.*)$", re.MULTILINE)
# An archive of classes may be called like this as well.
_NO_LOG = (".jar", ".class", ".so", ".conf", ".xml", ".properties")


def access_logs(listing: str) -> tuple[tuple[int, str], ...]:
    """Descriptor and path of each access log, that which was written last at the front. A line of `listing` is
    the time of its last change, its descriptor and its path, as sample.sh prints them."""
    found = sorted(_FD.findall(listing), key=lambda one: int(one[0]), reverse=True)
    return tuple((int(number), path) for _, number, path in found if not path.endswith(_NO_LOG))


@dataclass
class Times:
    """How long requests took that ended in one second."""

    count: int = 0
    total_s: float = 0.0
    longest_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total_s += seconds
        self.longest_s = max(self.longest_s, seconds)


@dataclass
class LogCount:
    """Requests and errors (5xx) by Unix second, from pieces of a log as they come; how long they took where `elapsed`
    says where that stands."""

    requests: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    times: dict[int, Times] = field(default_factory=dict)
    elapsed: Elapsed | None = None
    fed_bytes: int = 0
    _rest: bytes = b""
    _known: dict[bytes, int | None] = field(default_factory=dict)

    def feed(self, data: bytes) -> tuple[int, ...]:
        """The next bytes; a line that is cut waits for its end. Returns the seconds of the lines, in their order."""
        self.fed_bytes += len(data)
        lines, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest if newline else self._rest + data
        seconds, known = [], self._known
        for stamp, status, rest_of_line in _LINE.findall(lines):
            if stamp not in known:
                known[stamp] = _unix_second(stamp)
            second = known[stamp]
            if second is None:
                continue
            seconds.append(second)
            if status.startswith(b"5"):
                self.errors[second] += 1
            took_s = self.elapsed.seconds(rest_of_line) if self.elapsed else None
            if took_s is not None:
                self.times.setdefault(second, Times()).add(took_s)
        self.requests.update(seconds)
        return tuple(seconds)

    def forget(self, before: int) -> None:
        """Everything before that second."""
        kinds: tuple[dict[int, int] | dict[int, Times], ...] = (self.requests, self.errors, self.times)
        for counts in kinds:
            for second in [one for one in counts if one < before]:
                del counts[second]
        self._known.clear()

    @property
    def last(self) -> int | None:
        """The second of the latest line so far."""
        return max(self.requests, default=None)


def _unix_second(stamp: bytes) -> int | None:
    """None for the 31st of February: what a client sends may stand in a log too."""
    text = stamp.decode()
    try:
        day = f"{text[7:11]}-{_MONTHS[stamp[3:6]]:02}-{text[:2]}"
        # strptime takes seven times as long, for each second of the log.
        return int(datetime.fromisoformat(f"{day}T{text[12:20]}{text[21:24]}:{text[24:]}").timestamp())
    except (KeyError, ValueError):
        return None


def within(counts: Mapping[int, int], first: int, last: int) -> dict[int, int]:
    """Those of the seconds from `first` to `last`."""
    return {second: count for second, count in counts.items() if first <= second <= last}
