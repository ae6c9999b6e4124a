"""What a snapshot is asked for with, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.price import NO_TERMS, Terms
from jvmdiag.collect.servers import ServersRequest
from jvmdiag.errors import BadRequest, SnapshotPartial
from jvmdiag.metrics.figure import Metrics
from jvmdiag.snapshot.digest import Digest
from jvmdiag.snapshot.item import Risk
from jvmdiag.transfer.bundle import FAILED, PARTIAL, Bundle

SUMMARY = "summary.md"
_HOUR_S = 3600.0
_MOST_DUMPS = 100
_MOST_LOGS_MB = 1000.0


@dataclass(frozen=True)
class SnapshotRequest:
    """`heap` asks for a heap dump too, `fetch_found` for the files that lie around the JVM, `archive` for a .tar.gz.
    `servers` says how Tomcat and Apache are asked for their figures.

    Raises BadRequest for what does not go together.
    """

    risk: Risk = Risk.DEFAULT
    count: int = 3
    interval_s: float = 5.0
    logs_mb: float = 2.0
    redact: bool = False
    heap: bool = False
    fetch_found: bool = False
    archive: bool = True
    terms: Terms = NO_TERMS
    servers: ServersRequest = field(default_factory=ServersRequest)

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MOST_DUMPS or not 0 <= self.interval_s <= _HOUR_S:
            raise BadRequest(f"--count is from 1 to {_MOST_DUMPS}, and --interval from 0 to an hour")
        if not 0 <= self.logs_mb <= _MOST_LOGS_MB:
            raise BadRequest(f"--logs-mb is from 0 to {_MOST_LOGS_MB:g}")
        if self.redact and (self.heap or self.fetch_found):
            raise BadRequest(
                "--redact takes no secrets out of heap dumps and files that are there",
                advice="without --heap and --fetch-found; then jvmdiag heapdump --redact",
            )


@dataclass(frozen=True)
class Pages:
    """What the folder's files for people are made by."""

    html: Callable[[Bundle, Digest], str]
    markdown: Callable[[Bundle, Digest], str]
    metrics: Callable[[Metrics], str]


@dataclass(frozen=True)
class SnapshotTaken:
    """`archive` is None where none was asked for, or it could not be written; `folder` where all is encrypted, and
    the archive is all there is."""

    folder: Path | None
    archive: Path | None
    bundle: Bundle
    digest: Digest

    @property
    def fault(self) -> SnapshotPartial | None:
        """What whoever asked for it has to know, where not all of it could be taken."""
        named = {status: [item.name for item in self.bundle.having(status)] for status in (FAILED, PARTIAL)}
        why = "; ".join(f"{status}: {', '.join(names)}" for status, names in named.items() if names)
        if not why:
            return None
        where = self.folder / SUMMARY if self.folder else f"{SUMMARY} of {self.archive}"
        return SnapshotPartial(
            "the snapshot stands, and not all of it could be taken",
            why=why,
            advice=f"what each said is in {where}",
        )

    @property
    def path(self) -> Path:
        """What stands."""
        place = self.folder or self.archive
        assert place
        return place


@dataclass(frozen=True)
class Order:
    """A snapshot that was asked for, by whom it is made and told."""

    job: Job
    request: SnapshotRequest
    journal: Journal
    progress: Progress
    pages: Pages
    started: datetime
