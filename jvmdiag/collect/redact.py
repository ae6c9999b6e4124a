"""A dump that is here already, stored a second time without its values: of a heap, or of threads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from jvmdiag.collect.job import Progress, now
from jvmdiag.collect.keep import require_agreement
from jvmdiag.errors import BadRequest, NotADump
from jvmdiag.hprof.choose import size_to_come
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules
from jvmdiag.jvm.thread_names import ThreadNames, mask_bytes
from jvmdiag.model import Artifact, Witness
from jvmdiag.transfer.codec import Codec, raw_blocks, sniff
from jvmdiag.transfer.hprof import MAGIC, StructureWalk
from jvmdiag.transfer.manifest import Manifest, manifest_path, utc, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory
from jvmdiag.transfer.threads import ThreadDumps, ThreadDumpWalk
from jvmdiag.transfer.verify import HEAP_DUMP, THREAD_DUMP, Tapped, regular_size, unreadable

_CODEC = Codec.GZIP
_SUFFIXES = {HEAP_DUMP: ".hprof", THREAD_DUMP: ".txt"}
# A dump of 10,000 threads has 30 MB. It is held, for the names in it are.
_MAX_TEXT_BYTES = 256 << 20


@dataclass(frozen=True)
class Redacted:
    """The new file, and what it was made of: `source_sha256` is that of the stored bytes.

    `redaction` is what --redact said, and `what` says it in words.
    """

    artifact: Artifact
    source: str
    source_sha256: str
    redaction: str
    fields: bool
    names: bool
    what: str
    total_s: float


def redact_file(source: Path, output: Path, rules: Rules, progress: Progress) -> Redacted:
    """Write OUTPUT/NAME.redacted.hprof.gz, or .txt.gz, 0600, and its manifest; nothing of `source` changes.

    Raises NoSuchFile and NotADump for what can't be read as a dump, DumpIncomplete, TransferCut or
    VerificationFailed where it is not whole, RoomError; there is no new file then.
    """
    try:
        stored_bytes = regular_size(source)
        with source.open("rb", buffering=0) as file:
            work = _Work(source, cast(BinaryIO, file), rules, progress)
            progress.expect(stored_bytes)
            return work.done(output)
    except OSError as error:
        raise unreadable(source, error) from None


def redacted_name(name: str, kind: str = HEAP_DUMP) -> str:
    """web.hprof.zst -> web.redacted.hprof.gz"""
    for suffix in (Codec.GZIP.suffix, Codec.ZSTD.suffix):
        name = name.removesuffix(suffix)
    suffix = _SUFFIXES[kind]
    return f"{name.removesuffix(suffix)}.redacted{suffix}{_CODEC.suffix}"


class _Work:
    """One file on its way."""

    def __init__(self, source: Path, file: BinaryIO, rules: Rules, progress: Progress) -> None:
        self._source = source
        self._rules = rules
        self._tapped = Tapped(file, progress.advance, hashlib.sha256())
        self._blocks = raw_blocks(cast(BinaryIO, self._tapped), sniff(source), str(source))
        self._raw_bytes = 0
        self._started = now()

    def done(self, output: Path) -> Redacted:
        first = next(self._blocks, b"")
        private_directory(output)
        if first.startswith(MAGIC) or not _threads_in(first).dumps:
            return self._heap(output, first)
        return self._threads(output, first)

    def _heap(self, output: Path, first: bytes) -> Redacted:
        walk = StructureWalk()
        with PartialFile(output, redacted_name(self._source.name)) as sink:
            pumped = pump(self._redacted(first), sink, _CODEC, walk=walk, advance=lambda _: None)
            structure = walk.finish()
            witnesses = (
                Witness("structure", structure.complete, structure.detail),
                _same_size(self._raw_bytes, pumped.raw_bytes),
            )
            require_agreement(witnesses)
            kept = _artifact(sink.commit(), HEAP_DUMP, pumped, witnesses)
        return self._result(kept, self._rules.words)

    def _redacted(self, first: bytes) -> Iterator[bytes]:
        redactor = Redactor(self._rules, size_bytes=size_to_come(self._source))
        for block in self._raw(first):
            self._raw_bytes += len(block)
            yield redactor.feed(block)
        yield redactor.finish()

    def _raw(self, first: bytes) -> Iterator[bytes]:
        yield first
        yield from self._blocks

    def _threads(self, output: Path, first: bytes) -> Redacted:
        if self._rules.fields or self._rules.names:
            raise BadRequest(
                "a thread dump has no fields, and its names of classes are what it is for",
                advice="without --fields and --redact-names the names of its threads are replaced",
            )
        text = bytearray()
        for block in self._raw(first):
            text += block
            if len(text) > _MAX_TEXT_BYTES:
                raise NotADump("this is no thread dump", why=f"it is longer than {_MAX_TEXT_BYTES:,} bytes")
        masked = mask_bytes(bytes(text), ThreadNames(self._rules.keeps))
        found = _threads_in(masked)
        witnesses = (Witness("structure", found.complete, found.detail),)
        require_agreement(witnesses)
        with PartialFile(output, redacted_name(self._source.name, THREAD_DUMP)) as sink:
            pumped = pump([masked], sink, _CODEC, walk=None, advance=lambda _: None)
            kept = _artifact(sink.commit(), THREAD_DUMP, pumped, witnesses)
        return self._result(kept, "names of threads replaced, what is no line of a thread dump hidden")

    def _result(self, kept: Artifact, what: str) -> Redacted:
        result = Redacted(
            artifact=kept,
            source=str(self._source),
            source_sha256=self._tapped.sha256,
            redaction=self._rules.text,
            fields=self._rules.fields,
            names=self._rules.names,
            what=what,
            total_s=(now() - self._started).total_seconds(),
        )
        write_manifest(manifest_path(kept.path), self._manifest(result))
        return result

    def _manifest(self, result: Redacted) -> Manifest:
        """Says nothing of the JVM or its host: who gets a redacted dump need not know."""
        kept = result.artifact
        return Manifest(
            kind=kept.kind,
            file=Path(kept.path).name,
            target="local://",
            method="redact",
            method_detail=result.what,
            started_at=utc(self._started),
            ended_at=utc(now()),
            durations_s={"total": result.total_s},
            codec=kept.codec,
            raw_bytes=kept.raw_bytes,
            stored_bytes=kept.stored_bytes,
            raw_sha256=kept.raw_sha256,
            stored_sha256=kept.stored_sha256,
            witnesses=kept.witnesses,
            notes=(f"redacted: {result.what}", f"source: {self._source.name}, sha256 {result.source_sha256}"),
        )


def _threads_in(text: bytes) -> ThreadDumps:
    walk = ThreadDumpWalk()
    walk.feed(text)
    return walk.finish()


def _same_size(read_bytes: int, written_bytes: int) -> Witness:
    return Witness(
        "byte count", read_bytes == written_bytes, f"{read_bytes:,} bytes read, {written_bytes:,} written"
    )


def _artifact(path: Path, kind: str, pumped: Pumped, witnesses: tuple[Witness, ...]) -> Artifact:
    return Artifact(
        path=str(path),
        kind=kind,
        codec=_CODEC.value,
        raw_bytes=pumped.raw_bytes,
        stored_bytes=pumped.stored_bytes,
        raw_sha256=pumped.raw_sha256,
        stored_sha256=pumped.stored_sha256,
        witnesses=witnesses,
    )
