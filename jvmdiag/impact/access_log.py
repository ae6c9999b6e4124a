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

# The common log format, %h %l %u %t "%r" %s: the stamp is that of the end of the request.
_LINE = re.compile(rb'\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "[^"\n]*" (\d{3})\b')
_FD = re.compile(r"(\d+) -> (/.*)$", re.MULTILINE)


def access_logs(listing: str) -> tuple[tuple[int, str], ...]:
    """Descriptor and path of each access log in what `ls -l /proc/PID/fd` printed."""
    return tuple((int(number), path) for number, path in _FD.findall(listing))


@dataclass
class LogCount:
    """Requests and errors (5xx) by Unix second, from pieces of a log as they come."""

    requests: Counter[int] = field(default_factory=Counter)
    errors: Counter[int] = field(default_factory=Counter)
    fed_bytes: int = 0
    _rest: bytes = b""
    _known: dict[bytes, int] = field(default_factory=dict)

    def feed(self, data: bytes) -> None:
        """The next bytes; a line that is cut waits for its end."""
        self.fed_bytes += len(data)
        lines, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest if newline else self._rest + data
        for stamp, status in _LINE.findall(lines):
            second = self._second(stamp)
            self.requests[second] += 1
            self.errors[second] += status.startswith(b"5")

    def _second(self, stamp: bytes) -> int:
        if stamp not in self._known:
            moment = datetime.strptime(stamp.decode(), "%d/%b/%Y:%H:%M:%S %z")
            self._known[stamp] = int(moment.timestamp())
        return self._known[stamp]

    @property
    def last(self) -> int | None:
        """The second of the latest line so far."""
        return max(self.requests, default=None)


def count_between(counts: Mapping[int, int], begin: float, end: float) -> int:
    """How many fall into the whole seconds from `begin` to before `end`."""
    return sum(counts[second] for second in counts if begin <= second < end)
