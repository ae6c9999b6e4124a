"""What runs say they made on a target, by records of this machine and by manifests: nothing else may be removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from jvmdiag.errors import BadRequest, IntegrityError
from jvmdiag.impact.runs import HEAP_DUMP, RunRecord
from jvmdiag.transfer.manifest import Manifest, manifest_path, read_manifest
from jvmdiag.transfer.sink import PARTIAL_SUFFIX
from jvmdiag.transfer.unfinished import journal_path

FILE = "file"
_MANIFESTS = "*.manifest.json"
# A JVM takes what it is asked for in order: a dump may wait behind another question, and nobody's timeout ends that.
_MAY_COME_S = 3600.0


@dataclass(frozen=True)
class Claim:
    """Somebody's word for one path of `target`. `uid` is that of the JVM, as numbered where it was looked at.

    `size_bytes` is what it must be, where that is known. `copy` is a verified copy of it here, `partial` one that
    `jvmdiag resume` goes on with; each or both empty.
    """

    target: str
    kind: str
    path: str
    by: str
    uid: int | None
    record: RunRecord | None = None
    size_bytes: int | None = None
    copy: str = ""
    partial: str = ""
    may_come: bool = False
    """Whether the JVM may write it yet, if it lives: it was asked a short while ago, and nothing came here."""


def claims_of_record(record: RunRecord, now_s: float) -> Iterator[Claim]:
    """One for everything that the run was about to make."""
    uid = int(record.jvm.owner.partition(":")[0]) if record.jvm else None
    partial = Path(record.partial) if record.partial else None
    final = Path(record.partial.removesuffix(PARTIAL_SUFFIX))
    copy = str(final) if partial and final.is_file() else ""
    begun = bool(copy or (partial and partial.is_file() and partial.stat().st_size))
    waits = not begun and now_s - record.at_s < _MAY_COME_S
    for made in record.made:
        for path in made.paths:
            yield Claim(
                target=record.target,
                kind=made.kind,
                path=path,
                by=f"record {record.id}",
                uid=uid,
                record=record,
                copy=copy,
                partial=str(partial) if partial and journal_path(final.parent, final.name).is_file() else "",
                may_come=waits and made.kind == HEAP_DUMP,
            )


def claims_of_manifests(files: Sequence[Path], directory: Path | None) -> tuple[Claim, ...]:
    """What manifests say was left behind: those named, and all of `directory`.

    Raises NotADump and NoSuchFile for one that was named and is none; in the directory such are passed over.
    """
    claims: list[Claim] = []
    for file in map(_manifest_at, files):
        claims += _of_manifest(file, read_manifest(file))
    for file in sorted(directory.glob(_MANIFESTS)) if directory else ():
        with suppress(IntegrityError):
            claims += _of_manifest(file, read_manifest(file))
    return tuple(claims)


def _manifest_at(file: Path) -> Path:
    """FILE.manifest.json, or what stands beside FILE."""
    return file if file.name.endswith(_MANIFESTS[1:]) else manifest_path(file)


def _of_manifest(file: Path, manifest: Manifest) -> Iterator[Claim]:
    stored = file.parent / manifest.file
    uid = int(manifest.jvm.owner.partition(":")[0]) if manifest.jvm else None
    for left in manifest.left_behind:
        if not left.where.startswith("/") or "\n" in left.where:
            raise BadRequest(f"{file} names no path of a target", why=repr(left.where))
        yield Claim(
            target=manifest.target,
            kind=HEAP_DUMP if manifest.kind == HEAP_DUMP else FILE,
            path=left.where,
            by=f"manifest {file}",
            uid=uid,
            size_bytes=manifest.raw_bytes,
            copy=str(stored) if stored.is_file() else "",
        )


def without_doubles(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """A path that a record and a manifest name is one: the record knows more, the manifest of the copy."""
    kept: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        first = kept.setdefault((claim.target, claim.path), claim)
        if first is not claim and claim.copy and not first.copy:
            kept[claim.target, claim.path] = replace(first, copy=claim.copy)
    return tuple(kept.values())
