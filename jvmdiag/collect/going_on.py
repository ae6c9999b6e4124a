"""What going on with a dump is: what is here is checked, the rest brought, all of it verified, and named."""

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
from jvmdiag.collect.recording import take_over
from jvmdiag.collect.redacting import Redacting, redaction_notes
from jvmdiag.errors import (
    ConnectError,
    DumpIncomplete,
    NoSuchFile,
    OutputExists,
    TargetError,
    TargetNotRunning,
)
from jvmdiag.hosts.opening import stopped_container
from jvmdiag.hprof.rules import Rules
from jvmdiag.model import Artifact, LeftBehind, Owner, Witness, owner_of
from jvmdiag.target import DockerTarget, SshDockerTarget
from jvmdiag.transfer.codec import MEMBER_BYTES, Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import manifest_path, utc, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.recover import Border, borders, part_sums, sums_of
from jvmdiag.transfer.sink import PartialFile
from jvmdiag.transfer.unfinished import Unfinished

T = TypeVar("T")


@dataclass(frozen=True)
class Resumed:
    """The verified file. `here_bytes` of it were here before, raw."""

    artifact: Artifact
    target: str
    here_bytes: int
    total_s: float
    left_behind: tuple[LeftBehind, ...] = ()


class GoingOn:
    """One dump, from where it was left to its end. `dump` is it as it is reached now."""

    def __init__(
        self, job: Job, unfinished: Unfinished, journal: Journal, progress: Progress, stack: ExitStack
    ) -> None:
        self._job = job
        self._unfinished = unfinished
        self._rules = rules_of(unfinished)
        self._journal = journal
        self._progress = progress
        self._stack = stack
        self._started_s = time.monotonic()
        self._patience = Patience(job.retry_s, progress.warn)
        self._came: str | None = None  # the sum of what came, as it is there

    def done(self) -> Resumed:
        """Raises every error there is; what is here and what is there both stay then."""
        final = self._job.output / self._unfinished.manifest.file
        partial = PartialFile(final.parent, final.name).partial
        if not unnamed(final, partial):
            return self._committed(final)
        with PartialFile(final.parent, final.name, again=partial.exists()) as sink:
            self._take_over()
            self._reopened()
            size_bytes = self._asked(lambda: self._dump.written(self._job.timeout_s))
            here_bytes, pumped, witnesses = self._copied(size_bytes, sink)
            kept = artifact(sink.commit(), "heap dump", self._job, pumped, witnesses)
        return self._accounted(kept, here_bytes)

    def _take_over(self) -> None:
        known = self._unfinished.manifest
        partial = PartialFile(self._job.output, known.file).partial
        take_over(known.target, self._unfinished.path, partial)

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
        good = borders(sink.partial, self._job.codec) if self._can_be_built_on() else []
        here_bytes, pumped, walk = self._round(sink, good, size_bytes)
        summed = self._summed(pumped)
        if any(not witness.agrees for witness in summed) and self._job.seal is None:
            good = self._same(sink, pumped.raw_bytes)
            self._progress.warn(
                f"what is here differs from what is there, behind member {len(good)}: once more"
            )
            here_bytes, pumped, walk = self._round(sink, good, size_bytes)
            summed = self._summed(pumped)
        witnesses = (*self._counted(size_bytes, pumped), _structure(walk), *summed)
        require_agreement(witnesses)
        return here_bytes, pumped, witnesses

    def _can_be_built_on(self) -> bool:
        """What is encrypted cannot be read. What was redacted cannot be compared with what is there: its way and its
        checksums have to vouch for it."""
        if self._job.seal:
            return False
        vouched = self._dump.is_guarded and self._job.codec is not Codec.NONE
        return vouched or self._rules is None

    def _round(
        self, sink: PartialFile, good: list[Border], size_bytes: int
    ) -> tuple[int, Pumped, StructureWalk]:
        at = good[-1] if good else Border(0, 0)
        reclaimed_bytes = self._unfinished.reclaimed_bytes
        if at.raw_bytes < reclaimed_bytes:
            raise DumpIncomplete(
                f"{reclaimed_bytes:,} bytes were here only, and {at.raw_bytes:,} of them still are whole",
                why="--reclaim had given their disk back on the target, and what is here was cut or damaged since",
            )
        sink.cut(at.stored_bytes)
        walk = StructureWalk()
        redacting = Redacting(self._rules, size_bytes, summed=not self._dump.is_guarded)

        def seen(block: bytes) -> None:
            walk.feed(block)
            redacting.seen(block)

        sums = sums_of(sink.partial, self._job.codec, seen, self._progress.advance)
        here_bytes = sums.raw_bytes
        with closing(read_on(self._dump, here_bytes, self._reopened, self._patience)) as chunks:
            passing = redacting.through(chunks)
            pumped = pump(
                passing,
                sink,
                self._job.codec,
                walk=walk,
                advance=self._progress.advance,
                before=sums,
                seal=self._job.seal,
            )
        self._came = pumped.raw_sha256 if self._rules is None else redacting.sha256
        return here_bytes, pumped, walk

    def _summed(self, pumped: Pumped) -> tuple[Witness, ...]:
        if self._came is None or self._unfinished.reclaimed_bytes:
            return ()
        return same_sum(self._sums, pumped.raw_bytes, self._came)

    def _same(self, sink: PartialFile, size_bytes: int) -> list[Border]:
        """The ends of the members before the first that differs from what is there."""
        parts = [(at, min(MEMBER_BYTES, size_bytes - at)) for at in range(0, size_bytes, MEMBER_BYTES)]
        there = self._sums(parts) or []
        here = part_sums(sink.partial, parts)
        good = next((n for n, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]), 0)
        return borders(sink.partial, self._job.codec)[:good]

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
        if self._job.seal:
            raise OutputExists(
                f"{final} is there already, and cannot be read here: it is encrypted",
                advice="jvmdiag verify --identity KEY looks at it, and jvmdiag sweep removes the dump on the target",
            )
        self._take_over()
        walk = StructureWalk()
        sums = sums_of(final, self._job.codec, walk.feed, self._progress.advance)
        pumped = sums.pumped(as_is=self._job.codec is Codec.NONE)
        witnesses = (*self._counted(sums.raw_bytes, pumped), _structure(walk))
        require_agreement(witnesses)
        kept = artifact(final, "heap dump", self._job, pumped, witnesses)
        return self._accounted(kept, sums.raw_bytes, removes=self._is_of(final, pumped))

    def _is_of(self, final: Path, pumped: Pumped) -> bool:
        """Whether the dump there is the one that has the name here; false where it cannot be reached.

        Raises OutputExists where it is another: somebody else took the name.
        """
        try:
            size_bytes = self._reopened().written(self._job.timeout_s)
            self._came = pumped.raw_sha256 if self._rules is None else None
            same = size_bytes == pumped.raw_bytes and all(w.agrees for w in self._summed(pumped))
        except (TargetError, ConnectError, NoSuchFile):
            return False
        if not same:
            raise OutputExists(
                f"{final} is there already, and is another dump",
                why="it is not what stands on the target",
                advice="move it away; then this one can be gone on with",
            )
        return True

    def _accounted(self, kept: Artifact, here_bytes: int, *, removes: bool = True) -> Resumed:
        removed = removes and not self._unfinished.keep and self._asked(lambda: self._dump.remove())
        left = () if removed else (self._left(),)
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
                *redaction_notes(self._rules),
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


def rules_of(unfinished: Unfinished) -> Rules | None:
    """Raises BadRequest for what is no rule."""
    if unfinished.redaction is None:
        return None
    fields, names = unfinished.redacts_fields, unfinished.redacts_names
    return Rules.parse(unfinished.redaction, fields=fields, names=names)


def unnamed(final: Path, partial: Path) -> bool:
    """Whether the dump has not got its name yet. What a kill -9 left of taking it is put right."""
    if not final.exists():
        return True
    if partial.exists() and final.samefile(partial):
        partial.unlink()
    elif partial.exists() and not final.stat().st_size:
        # The name was claimed, on a file system without hard links, and nothing moved there.
        final.unlink()
        return True
    return False
