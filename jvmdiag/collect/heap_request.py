"""What is asked of a heap dump, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.collect.price import NO_TERMS, Terms
from jvmdiag.errors import BadRequest
from jvmdiag.hprof.rules import Rules
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.preflight import Intent
from jvmdiag.model import Artifact, Cost, Forecast, LeftBehind, Pause


@dataclass(frozen=True)
class HeapDumpRequest:
    """`live` forces a full collection first and leaves unreachable objects out.

    `keep`: True leaves the file on the target, False removes it even where its copy failed; None
    removes it once its copy is verified, and keeps it where the dump is whole and its copy is not.
    `no_disk`: there is no file; raises BadRequest where it is to be kept.
    """

    live: bool = False
    dump_dir: str | None = None
    keep: bool | None = None
    terms: Terms = NO_TERMS
    no_disk: bool = False
    redaction: Rules | None = None
    """What these take out is never written here."""
    reclaim: bool = False
    """Whether the target's disk is given back while the copy goes on."""

    def __post_init__(self) -> None:
        """Raises BadRequest."""
        if self.no_disk and (self.keep or self.reclaim):
            raise BadRequest("--no-disk leaves no file on the target that --keep or --reclaim could be about")
        if self.reclaim and self.keep:
            raise BadRequest(
                "--keep and --reclaim exclude each other", why="of a file with holes nothing is kept"
            )

    @property
    def intent(self) -> Intent:
        redacted = self.redaction.words if self.redaction else ""
        return Intent(Operation.HEAP_DUMP, self.live, self.terms.max_pause_s, self.no_disk, redacted)


@dataclass(frozen=True)
class HeapDumpTaken:
    """The verified file and how it came to be."""

    artifact: Artifact
    says: JvmSays
    method: str
    detail: str
    total_s: float
    asked_at: datetime
    """When the JVM was asked, by the clock of this machine."""
    took_s: float
    """How long it took to answer."""
    on_disk_s: float
    """How long the target's disk held the file; it still does where that is among `left_behind`."""
    resumed: int
    left_behind: tuple[LeftBehind, ...]
    forecast: Forecast
    pause: Pause | None = None
    """How long the application stood still; None where the JVM publishes no counters."""
    cost: Cost | None = None
    """What it did to the traffic; None where that was not watched, or could not be."""
    redacted: str = ""
    """What of it was replaced before it was written here, in words."""
