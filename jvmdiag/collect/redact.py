"""A heap dump that is here already, stored a second time without its values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from jvmdiag.collect.job import Progress, now
from jvmdiag.collect.keep import require_agreement
from jvmdiag.hprof.choose import size_to_come
from jvmdiag.hprof.redact import Redaction, Redactor
from jvmdiag.model import Artifact, Witness
from jvmdiag.transfer.codec import Codec, raw_blocks, sniff
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest, manifest_path, utc, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory
from jvmdiag.transfer.verify import HEAP_DUMP, Tapped, regular_size, unreadable

_CODEC = Codec.GZIP


@dataclass(frozen=True)
class Redacted:
    """The new file, and what it was made of: `source_sha256` is that of the stored bytes."""

    artifact: Artifact
    source: str
    source_sha256: str
    redaction: Redaction
    fields: bool
    total_s: float


def redact_file(
    source: Path, output: Path, redaction: Redaction, progress: Progress, *, fields: bool = False
) -> Redacted:
    """Write OUTPUT/NAME.redacted.hprof.gz, 0600, and its manifest; nothing of `source` changes.

    Raises NoSuchFile and NotADump for what can't be read as a heap dump, DumpIncomplete, TransferCut or
    VerificationFailed where it is not whole, RoomError; there is no new file then.
    """
    try:
        stored_bytes = regular_size(source)
        with source.open("rb", buffering=0) as file:
            work = _Work(source, cast(BinaryIO, file), redaction, fields, progress)
            progress.expect(stored_bytes)
            return work.done(output)
    except OSError as error:
        raise unreadable(source, error) from None


def redacted_name(name: str) -> str:
    """web.hprof.zst -> web.redacted.hprof.gz"""
    for suffix in (Codec.GZIP.suffix, Codec.ZSTD.suffix):
        name = name.removesuffix(suffix)
    return f"{name.removesuffix('.hprof')}.redacted.hprof{_CODEC.suffix}"


class _Work:
    """One file on its way."""

    def __init__(
        self, source: Path, file: BinaryIO, redaction: Redaction, fields: bool, progress: Progress
    ) -> None:
        self._source = source
        self._redaction = redaction
        self._fields = fields
        self._tapped = Tapped(file, progress.advance, hashlib.sha256())
        self._blocks = raw_blocks(cast(BinaryIO, self._tapped), sniff(source), str(source))
        self._raw_bytes = 0
        self._started = now()

    def done(self, output: Path) -> Redacted:
        private_directory(output)
        walk = StructureWalk()
        with PartialFile(output, redacted_name(self._source.name)) as sink:
            pumped = pump(self._redacted(), sink, _CODEC, walk=walk, advance=lambda _: None)
            structure = walk.finish()
            witnesses = (
                Witness("structure", structure.complete, structure.detail),
                _same_size(self._raw_bytes, pumped.raw_bytes),
            )
            require_agreement(witnesses)
            kept = _artifact(sink.commit(), pumped, witnesses)
        total_s = (now() - self._started).total_seconds()
        result = Redacted(
            kept, str(self._source), self._tapped.sha256, self._redaction, self._fields, total_s
        )
        write_manifest(manifest_path(kept.path), self._manifest(result))
        return result

    def _redacted(self) -> Iterator[bytes]:
        redactor = Redactor(self._redaction, fields=self._fields, size_bytes=size_to_come(self._source))
        for block in self._blocks:
            self._raw_bytes += len(block)
            yield redactor.feed(block)
        yield redactor.finish()

    def _manifest(self, result: Redacted) -> Manifest:
        """Says nothing of the JVM or its host: who gets a redacted dump need not know."""
        kept = result.artifact
        what = f"{how(self._redaction, self._fields)} zeroed"
        return Manifest(
            kind=kept.kind,
            file=Path(kept.path).name,
            target="local://",
            method="redact",
            method_detail=what,
            started_at=utc(self._started),
            ended_at=utc(now()),
            durations_s={"total": result.total_s},
            codec=kept.codec,
            raw_bytes=kept.raw_bytes,
            stored_bytes=kept.stored_bytes,
            raw_sha256=kept.raw_sha256,
            stored_sha256=kept.stored_sha256,
            witnesses=kept.witnesses,
            notes=(f"redacted: {what}", f"source: {self._source.name}, sha256 {result.source_sha256}"),
        )


class Redacting:
    """What `rule` takes out of a dump on its way; nothing without one. `size_bytes` is about how much will come.

    `summed`: what came is summed before anything is taken out, for a way that does not guard it.
    """

    def __init__(self, rule: str | None, size_bytes: int, *, summed: bool = False) -> None:
        self._redactor = None if rule is None else Redactor(Redaction(rule), size_bytes=size_bytes)
        self._sum = hashlib.sha256() if summed and self._redactor else None
        self._here_bytes = 0  # given back by `seen`, and here already

    @property
    def sha256(self) -> str | None:
        """Of what came; None where it was not summed."""
        return self._sum.hexdigest() if self._sum else None

    def seen(self, block: bytes) -> None:
        """The next bytes of what was stored before, from its beginning: a redacted dump is read as any other is."""
        if self._redactor:
            self._here_bytes += len(block) - len(self._redactor.feed(block))

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes that follow, redacted. Raises NotADump for what can't be read, DumpIncomplete at a cut end."""
        if self._redactor is None:
            yield from chunks
            return
        for chunk in chunks:
            if self._sum:
                self._sum.update(chunk)
            done = self._redactor.feed(chunk)
            yield done[self._here_bytes :]
            self._here_bytes = max(0, self._here_bytes - len(done))
        yield self._redactor.finish()


def require_rule(rule: str | None) -> None:
    """Raises ValueError for one that is none."""
    if rule is not None:
        Redaction(rule)


def redaction_notes(rule: str | None) -> tuple[str, ...]:
    """What the manifest says of it."""
    return (f"redacted: {how(Redaction(rule), fields=False)} zeroed",) if rule is not None else ()


def how(redaction: Redaction, fields: bool) -> str:
    """What is zeroed, in words."""
    arrays = "byte[] and char[]" if redaction is Redaction.STRINGS else "all primitive arrays"
    return f"{arrays}, and all primitive fields," if fields else arrays


def _same_size(read_bytes: int, written_bytes: int) -> Witness:
    return Witness(
        "byte count", read_bytes == written_bytes, f"{read_bytes:,} bytes read, {written_bytes:,} written"
    )


def _artifact(path: Path, pumped: Pumped, witnesses: tuple[Witness, ...]) -> Artifact:
    return Artifact(
        path=str(path),
        kind=HEAP_DUMP,
        codec=_CODEC.value,
        raw_bytes=pumped.raw_bytes,
        stored_bytes=pumped.stored_bytes,
        raw_sha256=pumped.raw_sha256,
        stored_sha256=pumped.stored_sha256,
        witnesses=witnesses,
    )
