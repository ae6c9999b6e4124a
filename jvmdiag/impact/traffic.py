"""What a capture does to the traffic, seen by one command on the target that only reads the kernel's files.

It asks the application nothing: no attach, no request. It ends with its stdin, so it never outlives us. A sampler
that cannot start, or breaks, ends by itself and costs the capture nothing.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.base import ByteStream
from jvmdiag.impact.sample import Sample, parse_sample
from jvmdiag.jvm.access_log import LogCount, access_logs

# A sample is a process on the target, 1.6 to 2.7 ms of CPU time: this keeps it under 1 % of a core.
INTERVAL_S = 0.4
_SLOW_EVERY = 5
# Answers that are late on a full link must not let the questions pile up on the target.
_MOST_UNDER_WAY = 20
# While the user makes up their mind.
_KEPT_BEFORE = 75
_END_S = 2.0
_TIMES = re.compile(r"(\d+)m([\d.]+)s")


@cache
def _script() -> str:
    return Path(__file__).with_name("sample.sh").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Timed:
    """A sample at `at_s` of this machine's monotonic clock; `marked` where something began or ended just then."""

    at_s: float
    sample: Sample
    marked: bool = False


class Sampler:
    """Samples process `pid` of `reach` in threads of its own until `close`."""

    def __init__(self, reach: Reach, pid: int) -> None:
        self.log = LogCount()
        self.log_path: str | None = None
        self.logs = 0
        """How many access logs the JVM has open: one of them is followed."""
        self.own_cpu_s: float | None = None
        """What the sampler itself took on the target, once it is closed."""
        self.shares_network: bool | None = None
        """Whether it runs in the network namespace of the JVM."""
        self.keep_all = False
        """False drops what is older than half a minute: nothing has begun yet."""
        self._token = secrets.token_hex(8)
        self._seen: list[tuple[Sample, bool]] = []
        self._asked: list[tuple[float, bool]] = []
        self._ahead_s = 0.0
        self._best_answer_s = float("inf")
        self._unix_s: float | None = None
        self._answers = 0
        self._over = threading.Event()
        self._wake = threading.Event()
        self._marked = False
        self._stream: ByteStream | None = None
        self._reach, self._pid = reach, pid
        self._reader = threading.Thread(target=self._work, name="sampler", daemon=True)
        self._ticker = threading.Thread(target=self._tick, name="sampler clock", daemon=True)
        try:
            self._reader.start()
        except RuntimeError:
            self._over.set()

    @property
    def over(self) -> bool:
        """Whether it has ended, or could not begin."""
        return self._over.is_set()

    @property
    def timed(self) -> tuple[Timed, ...]:
        """The samples so far. Target's clock and ours are matched by the quickest answer."""
        seen = tuple(self._seen)
        return tuple(Timed(sample.uptime_s + self._ahead_s, sample, marked) for sample, marked in seen)

    def unix_s(self, at_s: float) -> float | None:
        """`at_s` of this machine's monotonic clock as the target's Unix time: that of its access log."""
        return None if self._unix_s is None or not self._seen else self._unix_s + at_s - self._ahead_s

    def _work(self) -> None:
        # No channel, no thread, no shell: the capture goes on without.
        # Nor does anything that the target prints end it in another way than this.
        with contextlib.suppress(JvmdiagError, OSError, RuntimeError, ValueError, LookupError):
            argv = ["sh", "-c", _script(), "sh", self._token, str(self._pid)]
            with self._reach.host.stream(argv, user=self._reach.user) as stream:
                self._stream = stream
                for sections in self._records(stream):
                    self._take(sections)
        self._over.set()
        self._wake.set()

    def _records(self, stream: ByteStream) -> Iterator[dict[str, bytes]]:
        """The sections up to each `end`, by name."""
        mark, rest = f"\n@@{self._token} ".encode(), b""
        ending = mark + b"end\n"
        for chunk in stream:
            rest += chunk
            while ending in rest:
                record, _, rest = rest.partition(ending)
                parts = (part.partition(b"\n") for part in record.split(mark)[1:])
                yield {name.decode(): body for name, _, body in parts}

    def _take(self, sections: dict[str, bytes]) -> None:
        text = {name: body.decode("utf-8", "replace") for name, body in sections.items() if name != "log"}
        if "clock" in text:
            self._begin(text)
        elif "cost" in text:
            self.own_cpu_s = sum(int(m) * 60 + float(s) for m, s in _TIMES.findall(text["cost"]))
        elif sample := parse_sample(text.get("sample", "")):
            self._add(sample)
        if "sample" in text:
            self._answers += 1
        self.log.feed(sections.get("log", b""))

    def _begin(self, text: dict[str, str]) -> None:
        date, uptime, *_ = text["clock"].split()
        # A date without nanoseconds prints %N as it is.
        seconds = re.match(r"\d+(?:\.\d+)?", date)
        self._unix_s = float(seconds[0]) - float(uptime) if seconds else None
        spaces = text["netns"].split()
        self.shares_network = spaces[0] == spaces[1] if len(spaces) == 2 else None
        found = access_logs(text["logs"])
        self.logs = len(found)
        if found:
            number, self.log_path = found[0]
            self._send(f"follow {number}")
        self._ticker.start()

    def _add(self, sample: Sample) -> None:
        now = time.monotonic()
        asked, marked = self._asked[self._answers]
        # Asked at one end of the way there and back, answered at the other: the quickest is the least wrong.
        if now - asked < self._best_answer_s:
            self._best_answer_s = now - asked
            self._ahead_s = (asked + now) / 2 - sample.uptime_s
        self._seen.append((sample, marked))
        if not self.keep_all:
            del self._seen[:-_KEPT_BEFORE]

    def _tick(self) -> None:
        count, due = 0, time.monotonic()
        while not self._over.is_set():
            self._wake.clear()
            marked, self._marked = self._marked, False
            if len(self._asked) - self._answers < _MOST_UNDER_WAY:
                slow = marked or count % _SLOW_EVERY == 0
                self._asked.append((time.monotonic(), marked))
                self._send("sample slow log" if slow else "sample")
            if not marked:
                count, due = count + 1, due + INTERVAL_S
            self._wake.wait(max(due - time.monotonic(), 0))

    def mark(self) -> None:
        """Look now: something begins, or has ended. Never waits, whatever the way there does."""
        self._marked = True
        self._wake.set()

    def _send(self, line: str) -> None:
        if stream := self._stream:
            with contextlib.suppress(JvmdiagError, OSError, ValueError):
                stream.send(f"{line}\n".encode())

    def close(self) -> None:
        """End it there and here, within two seconds. A second call does nothing."""
        if not self._over.is_set():
            self._over.set()
            self._wake.set()
            if self._ticker.ident is not None:
                self._ticker.join(_END_S)
            self._send("end")
        if self._reader.ident is not None:
            self._reader.join(_END_S)
        if self._reader.is_alive() and self._stream is not None:
            with contextlib.suppress(JvmdiagError, OSError):
                self._stream.close()

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
