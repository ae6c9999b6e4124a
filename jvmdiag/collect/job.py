"""What a command was asked for, and what every use case reports while it works."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from jvmdiag.attach.rung import ImageChoice
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.base import Recorder
from jvmdiag.model import CommandRecord
from jvmdiag.target import Target, file_stem
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.seal import SUFFIX, Seal


@dataclass(frozen=True)
class Job:
    """One command line: which JVM, how to get there, and where the files go."""

    target: Target
    access: Access = field(default_factory=Access)
    jvm: str | None = None
    method: str | None = None
    image: ImageChoice = field(default_factory=ImageChoice)
    output: Path = Path()
    codec: Codec = Codec.GZIP
    timeout_s: float = 30.0
    retry_s: float = 120.0
    """How long a way that broke is tried again, without a byte."""
    seal: Seal | None = None
    """For whom the files are encrypted."""

    @property
    def suffix(self) -> str:
        """What the name of a file ends with: how it is packed, and that it is sealed."""
        return self.codec.suffix + (SUFFIX if self.seal else "")


class Journal:
    """Every command run on the target, in order; `watch` sees each as it ends."""

    def __init__(self, watch: Recorder = lambda _: None) -> None:
        self.commands: list[CommandRecord] = []
        self._watch = watch

    def __call__(self, record: CommandRecord) -> None:
        self.commands.append(record)
        self._watch(record)


@dataclass(frozen=True)
class Progress:
    """What the use cases tell the one who watches: bytes that passed, and lines of what goes on.

    `written`, where somebody watches: bytes that the JVM has written and that do not pass yet; 0 when they do.
    """

    advance: Callable[[int], None] = lambda _bytes: None
    expect: Callable[[int], None] = lambda _bytes: None
    warn: Callable[[str], None] = lambda _line: None
    note: Callable[[str], None] = lambda _line: None
    written: Callable[[int], None] | None = None


def now() -> datetime:
    return datetime.now(timezone.utc)


def moment_of(at_s: float) -> datetime:
    """A moment of this machine's monotonic clock that is not long ago."""
    return datetime.fromtimestamp(time.time() - time.monotonic() + at_s, timezone.utc)


def file_name(target: Target, what: str, moment: datetime, suffix: str) -> str:
    """web-heap-20260301T120000.250Z.hprof: sorts by time, says where from, has no character to quote."""
    stamp = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
    return f"{file_stem(target)}-{what}-{stamp}{suffix}"
