"""Going on with a dump that another run of jvmdiag left half copied: by its journal, from its last whole member."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from jvmdiag.capture.far_file import Dump, FarFile, read_on
from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.capture.patience import Patience
from jvmdiag.collect.again import Sought, byte_count, reopen, same_sum
from jvmdiag.collect.archived import ArchivedDump
from jvmdiag.collect.job import Job, Journal, Progress, now
from jvmdiag.collect.keep import artifact, require_agreement
from jvmdiag.collect.redact import Redacting, redaction_notes
from jvmdiag.errors import DumpIncomplete, NoSuchFile, TargetNotRunning
from jvmdiag.hosts.opening import stopped_container
from jvmdiag.model import Artifact, LeftBehind, Owner, Witness, owner_of
from jvmdiag.target import DockerTarget, SshDockerTarget, parse_target
from jvmdiag.transfer.codec import MEMBER_BYTES, Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import manifest_path, utc, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.recover import member_ends, part_sums, sums_of
from jvmdiag.transfer.sink import PartialFile
from jvmdiag.transfer.unfinished import Unfinished, journals, read_unfinished, remove_unfinished

T = TypeVar("T")


@dataclass(frozen=True)
class Resumed:
    """The verified file. `here_bytes` of it were here before, raw."""

    artifact: Artifact
    target: str
    here_bytes: int
    total_s: float
    left_behind: tuple[LeftBehind, ...] = ()


@dataclass(frozen=True)
class Found:
    """A dump to go on with: its journal, what that says, and the job that it makes."""

    journal_file: Path
    unfinished: Unfinished
    job: Job

    @property
    def partial(self) -> Path:
        return PartialFile(self.job.output, self.unfinished.manifest.file).partial


def unfinished_in(place: Path, way: Job) -> list[Found]:
    """Those in a directory, or the one that a file belongs to; `way` says how their targets are reached.

    Raises BadRequest where `place` is nothing of this, NotADump for a journal that is none.
    """
    return [_found(path, way) for path in journals(place)]


def _found(path: Path, way: Job) -> Found:
    unfinished = read_unfinished(path)
    known = unfinished.manifest
    job = replace(way, target=parse_target(known.target), output=path.parent, codec=Codec(known.codec))
    return Found(path, unfinished, job)


def resume_dump(found: Found, journal: Journal, progress: Progress) -> Resumed:
    """Bring the rest here, verify all of it, give it its name, and remove it there unless it was to be kept.

    What is here and what is there both stay on every error.
    """
    try:
        with ExitStack() as stack:
            resumed = _Work(found.job, found.unfinished, journal, progress, stack).done()
    except NoSuchFile as error:
        useless = shlex.join([str(found.partial), str(found.journal_file)])
        raise NoSuchFile(
            error.what, why=error.why, advice=f"nothing can go on with what is here: rm -f -- {useless}"
        ) from None
    remove_unfinished(found.journal_file)
    return resumed


class _Work:
    def __init__(
        self, job: Job, unfinished: Unfinished, journal: Journal, progress: Progress, stack: ExitStack
    ) -> None:
        self._job = job
        self._unfinished = unfinished
        self._journal = journal
        self._progress = progress
        self._stack = stack
        self._started_s = time.monotonic()
        self._patience = Patience(job.retry_s, progress.warn)
        self._came: str | None = None  # the sum of what came, as it is there

    def done(self) -> Resumed:
        final = self._job.output / self._unfinished.manifest.file
        if final.exists():
            return self._committed(final)
        partial = PartialFile(final.parent, final.name)
        with PartialFile(final.parent, final.name, again=partial.partial.exists()) as sink:
            self._reopened()
            size_bytes = self._asked(lambda: self._dump.written(self._job.timeout_s))
            here_bytes, pumped, witnesses = self._copied(size_bytes, sink)
            kept = artifact(sink.commit(), "heap dump", self._job, pumped, witnesses)
        return self._accounted(kept, here_bytes)

    def _asked(self, ask: Callable[[], T]) -> T:
        return self._patience.asked(ask, self._reopened)

    def _sums(self, parts: list[tuple[int, int]]) -> list[str] | None:
        return self._asked(lambda: self._dump.sums(parts))

    def _reopened(self) -> Dump:
        """The dump on the target, by a new way, which is tried for as long as there is patience."""
        self._dump = self._patience.asked(self._open, lambda: None)
        return self._dump

    def _open(self) -> Dump:
        manifest, target = self._unfinished.manifest, self._job.target
        owner = owner_of(manifest.jvm.owner) if manifest.jvm else Owner(0, 0)
        wanted = Sought(self._unfinished.nspid, self._unfinished.start_ticks, owner)
        try:
            return FarFile(reopen(self._job, self._journal, wanted, self._stack), self._unfinished.path)
        except TargetNotRunning:
            if not isinstance(target, DockerTarget | SshDockerTarget):
                raise
        stopped = stopped_container(target, self._job.access, self._journal)
        return ArchivedDump(self._stack.enter_context(stopped), self._unfinished.path)

    def _copied(self, size_bytes: int, sink: PartialFile) -> tuple[int, Pumped, tuple[Witness, ...]]:
        """What was here before, and all of it. A member that is not as it is there is fetched anew, with all behind."""
        self._progress.expect(size_bytes)
        # What was redacted cannot be compared any more with what is there.
        trusted = self._dump.is_guarded or not self._unfinished.redaction
        ends = member_ends(sink.partial, self._job.codec) if trusted else []
        here_bytes, pumped, walk = self._round(sink, ends, size_bytes)
        summed = self._summed(pumped)
        if any(not witness.agrees for witness in summed):
            ends = self._good(sink, pumped.raw_bytes)
            self._progress.warn(
                f"what is here differs from what is there, behind member {len(ends)}: once more"
            )
            here_bytes, pumped, walk = self._round(sink, ends, size_bytes)
            summed = self._summed(pumped)
        witnesses = (*self._counted(size_bytes, pumped), _structure(walk), *summed)
        require_agreement(witnesses)
        return here_bytes, pumped, witnesses

    def _round(
        self, sink: PartialFile, ends: list[int], size_bytes: int
    ) -> tuple[int, Pumped, StructureWalk]:
        sink.cut(ends[-1] if ends else 0)
        walk = StructureWalk()
        redacting = Redacting(self._unfinished.redaction, size_bytes, summed=not self._dump.is_guarded)

        def seen(block: bytes) -> None:
            walk.feed(block)
            redacting.seen(block)

        sums = sums_of(sink.partial, self._job.codec, seen, self._progress.advance)
        here_bytes = sums.raw_bytes
        if here_bytes < self._unfinished.reclaimed_bytes:
            raise DumpIncomplete(
                f"{self._unfinished.reclaimed_bytes:,} bytes were here only, and {here_bytes:,} still are",
                why="--reclaim had given their disk back on the target, and what is here was cut or damaged since",
            )
        with closing(read_on(self._dump, here_bytes, self._reopened, self._patience)) as chunks:
            passing = redacting.through(chunks)
            pumped = pump(
                passing, sink, self._job.codec, walk=walk, advance=self._progress.advance, before=sums
            )
        self._came = redacting.sha256 if self._unfinished.redaction else pumped.raw_sha256
        return here_bytes, pumped, walk

    def _summed(self, pumped: Pumped) -> tuple[Witness, ...]:
        if self._came is None or self._unfinished.reclaimed_bytes:
            return ()
        return same_sum(self._sums, pumped.raw_bytes, self._came)

    def _good(self, sink: PartialFile, size_bytes: int) -> list[int]:
        """The ends of the members before the first that differs from what is there."""
        parts = [(at, min(MEMBER_BYTES, size_bytes - at)) for at in range(0, size_bytes, MEMBER_BYTES)]
        there = self._sums(parts) or []
        here = part_sums(sink.partial, parts)
        good = next((n for n, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]), 0)
        return member_ends(sink.partial, self._job.codec)[:good]

    def _counted(self, size_bytes: int, pumped: Pumped) -> tuple[Witness, ...]:
        """By the size of the file there and, where it is known, by the JVM's word."""
        told = self._unfinished.manifest.jvm_reported_bytes
        says = JvmSays(size_bytes if told is None else told, 0.0, told=told is not None)
        there = Witness(
            "size", size_bytes == pumped.raw_bytes, f"{size_bytes:,} bytes there, {pumped.raw_bytes:,} here"
        )
        return (byte_count(says, pumped.raw_bytes), there)

    def _committed(self, final: Path) -> Resumed:
        """It has its name already: the run ended between that and the end of its work."""
        walk = StructureWalk()
        sums = sums_of(final, self._job.codec, walk.feed, self._progress.advance)
        pumped = sums.pumped(as_is=self._job.codec is Codec.NONE)
        witnesses = (*self._counted(sums.raw_bytes, pumped), _structure(walk))
        require_agreement(witnesses)
        self._reopened()
        kept = artifact(final, "heap dump", self._job, pumped, witnesses)
        return self._accounted(kept, sums.raw_bytes)

    def _accounted(self, kept: Artifact, here_bytes: int) -> Resumed:
        left = (
            () if not self._unfinished.keep and self._asked(lambda: self._dump.remove()) else (self._left(),)
        )
        total_s = time.monotonic() - self._started_s
        before = self._unfinished.manifest
        manifest = replace(
            before,
            ended_at=utc(now()),
            durations_s={**before.durations_s, "resumed": total_s},
            raw_bytes=kept.raw_bytes,
            stored_bytes=kept.stored_bytes,
            raw_sha256=kept.raw_sha256,
            stored_sha256=kept.stored_sha256,
            witnesses=kept.witnesses,
            left_behind=left,
            notes=(
                *before.notes,
                f"gone on with by jvmdiag resume, from byte {here_bytes:,}",
                *redaction_notes(self._unfinished.redaction),
            ),
            commands=(*before.commands, *self._journal.commands),
        )
        write_manifest(manifest_path(kept.path), manifest)
        return Resumed(kept, str(self._job.target), here_bytes, total_s, left)

    def _left(self) -> LeftBehind:
        path = self._unfinished.path
        return LeftBehind("heap dump", path, f"rm -f {shlex.quote(path)}  (there, as the JVM's user)")


def _structure(walk: StructureWalk) -> Witness:
    structure = walk.finish()
    return Witness("structure", structure.complete, structure.detail)
