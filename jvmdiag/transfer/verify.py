"""Is this file whole: asked of the file itself and of its manifest, for our files and others'."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from jvmdiag.errors import IntegrityError, NoSuchFile, NotADump
from jvmdiag.model import Witness
from jvmdiag.transfer.bundle_sealed import SEALED_SUFFIX
from jvmdiag.transfer.bundle_verify import SNAPSHOT, bundle_witnesses, is_bundle
from jvmdiag.transfer.codec import Codec, codec_of, raw_blocks
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest, manifest_path, read_manifest
from jvmdiag.transfer.pump import Hash
from jvmdiag.transfer.seal import MAGIC, is_sealed, opened
from jvmdiag.transfer.threads import ThreadDumpWalk

HEAP_DUMP = "heap dump"
THREAD_DUMP = "thread dump"
FILE = "file"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Verdict:
    """What the witnesses say of one file. `ok` where there is at least one and all agree.

    `kind` is by content: "heap dump" or "thread dump", else what the manifest says, else "file".
    `raw_bytes` counts what could be read.
    """

    path: str
    ok: bool
    kind: str
    codec: Codec
    raw_bytes: int
    stored_bytes: int
    witnesses: tuple[Witness, ...]


def verify_file(
    path: str | Path, advance: Callable[[int], None] = lambda _: None, keys: tuple[Any, ...] = ()
) -> Verdict:
    """Read the file once, to its end, and say what each witness found; memory does not grow with it.

    `advance` is called with stored bytes. A damaged file is a verdict. One that is encrypted is opened with `keys`
    (`seal.keys_of`); without any, its manifest alone can speak for it. Of a snapshot, a folder or its archive, every
    file that its manifest names is a witness. Raises NoSuchFile where there is
    nothing to read or no right to, NotADump for what is no regular file, BadRequest where no key opens it.
    """
    place = Path(path)
    try:
        if is_bundle(place):
            return _verify_bundle(place, advance)
        stored_bytes = regular_size(place)
        with place.open("rb", buffering=0) as file:
            if keys and _is_sealed_bundle(place):
                return _verify_sealed_bundle(place, cast(BinaryIO, file), stored_bytes, advance, keys)
            return _verify(place, cast(BinaryIO, file), stored_bytes, advance, keys)
    except OSError as error:
        raise unreadable(place, error) from None


def _verify_bundle(place: Path, advance: Callable[[int], None]) -> Verdict:
    read_bytes, witnesses = bundle_witnesses(place, advance)
    codec = Codec.NONE if place.is_dir() else Codec.GZIP
    stored_bytes = read_bytes if place.is_dir() else place.stat().st_size
    ok = bool(witnesses) and all(witness.agrees for witness in witnesses)
    return Verdict(str(place), ok, SNAPSHOT, codec, read_bytes, stored_bytes, witnesses)


def _is_sealed_bundle(place: Path) -> bool:
    """By its name; an archive that was fetched has a manifest beside it that says so."""
    if not place.name.endswith(SEALED_SUFFIX):
        return False
    manifest, illegible = _manifest_of(place)
    return illegible is None and (manifest is None or manifest.kind == SNAPSHOT)


def _verify_sealed_bundle(
    place: Path, file: BinaryIO, stored_bytes: int, advance: Callable[[int], None], keys: tuple[Any, ...]
) -> Verdict:
    """Every file of it, and the archive itself as it is stored."""
    manifest, _ = _manifest_of(place)
    tapped = Tapped(file, lambda _: None, hashlib.sha256())
    read_bytes = 0
    witnesses: tuple[Witness, ...]
    try:
        with opened(cast(BinaryIO, tapped), keys, str(place)) as plain:
            read_bytes, witnesses = bundle_witnesses(place, advance, plain)
            while plain.read(_READ_BYTES):
                pass
        witnesses = (Witness("age", True, "every block of it is authentic"), *witnesses)
    except IntegrityError as error:
        witnesses = (Witness("age", False, str(error)),)
    tapped.drain()
    if manifest is not None:
        stored = (manifest.stored_bytes, stored_bytes, manifest.stored_sha256, tapped.sha256)
        witnesses = (*witnesses, _compared("stored", *stored))
    ok = all(witness.agrees for witness in witnesses)
    return Verdict(str(place), ok, SNAPSHOT, Codec.GZIP, read_bytes, stored_bytes, witnesses)


def regular_size(place: Path) -> int:
    """Of a file that can be read from end to end. Raises NotADump for what is none, OSError as `stat` does."""
    # Asked before open(): a FIFO would wait there for its writer.
    status = place.stat()
    if stat.S_ISDIR(status.st_mode):
        raise NotADump(
            f"{place} is a directory", why="one file at a time is read", advice="name a file in it"
        )
    if not stat.S_ISREG(status.st_mode):
        raise NotADump(
            f"{place} is no regular file", why="a pipe or device can't be read twice and has no size"
        )
    return status.st_size


def unreadable(place: Path, error: OSError) -> NoSuchFile:
    """Why `place` can't be read, and what helps."""
    if isinstance(error, PermissionError):
        return NoSuchFile(
            f"can't read {place}",
            why="permission denied: dumps are readable by their owner only",
            advice="run this as the file's owner (ls -l shows who that is), or with sudo",
        )
    return NoSuchFile(f"can't read {place}", why=(error.strerror or str(error)).lower())


class Tapped:
    """A file whose stored bytes are counted and summed as they are read."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None], summing: Hash | None) -> None:
        self._file = file
        self._advance = advance
        self._sum = summing

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._advance(len(data))
        if self._sum is not None:
            self._sum.update(data)
        return data

    def drain(self) -> None:
        while self.read(_READ_BYTES):
            pass

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest() if self._sum is not None else ""


@dataclass(frozen=True)
class _Read:
    """One pass over the file."""

    codec: Codec
    raw_bytes: int
    raw_sha256: str
    stored_sha256: str
    fault: IntegrityError | None
    heap: StructureWalk
    threads: ThreadDumpWalk
    sealed: bool = False
    opened: bool = True


def _verify(
    place: Path, file: BinaryIO, stored_bytes: int, advance: Callable[[int], None], keys: tuple[Any, ...]
) -> Verdict:
    manifest, illegible = _manifest_of(place)
    read = _read(place, file, advance, keys, summed=manifest is not None)
    if read.opened:
        kind, content = _content(place, read, manifest)
        witnesses = [*_packing_witnesses(read), *content]
    else:
        kind, witnesses = manifest.kind if manifest else FILE, []
    if illegible:
        witnesses.append(illegible)
    if manifest is not None:
        witnesses += _manifest_witnesses(manifest, read, stored_bytes)
    if not witnesses:
        nothing = "neither a heap dump nor a thread dump, not compressed, and no manifest beside it"
        if not read.opened:
            nothing = "it is encrypted, and no manifest is beside it: --identity FILE opens it"
        witnesses.append(Witness("content", False, nothing))
    ok = all(witness.agrees for witness in witnesses)
    return Verdict(str(place), ok, kind, read.codec, read.raw_bytes, stored_bytes, tuple(witnesses))


def _manifest_of(place: Path) -> tuple[Manifest | None, Witness | None]:
    beside = manifest_path(place)
    if not beside.exists():
        return None, None
    try:
        return read_manifest(beside), None
    except IntegrityError as error:
        return None, Witness("manifest", False, str(error))


def _read(
    place: Path, file: BinaryIO, advance: Callable[[int], None], keys: tuple[Any, ...], *, summed: bool
) -> _Read:
    start = file.read(len(MAGIC))
    file.seek(0)
    tapped = Tapped(file, advance, hashlib.sha256() if summed else None)
    heap, threads = StructureWalk(), ThreadDumpWalk()
    raw_sum = hashlib.sha256() if summed else None
    raw_bytes, codec = 0, Codec.NONE
    fault: IntegrityError | None = None
    can_be_read = not is_sealed(start) or bool(keys)
    try:
        with _plain(tapped, start, keys, str(place)) as (codec, plain):
            for block in raw_blocks(plain, codec, str(place)) if can_be_read else ():
                raw_bytes += len(block)
                heap.feed(block)
                if not heap.starts_as_hprof:
                    threads.feed(block)
                if raw_sum is not None:
                    raw_sum.update(block)
    except IntegrityError as error:
        fault = error
    tapped.drain()
    raw_sha256 = raw_sum.hexdigest() if raw_sum is not None else ""
    return _Read(
        codec, raw_bytes, raw_sha256, tapped.sha256, fault, heap, threads, is_sealed(start), can_be_read
    )


@contextmanager
def _plain(
    tapped: Tapped, start: bytes, keys: tuple[Any, ...], name: str
) -> Iterator[tuple[Codec, BinaryIO]]:
    """How the content is packed, and the content: that of an age file where there are keys for it."""
    if not (is_sealed(start) and keys):
        yield codec_of(start), cast(BinaryIO, tapped)
        return
    with opened(cast(BinaryIO, tapped), keys, name) as plain:
        yield codec_of(plain.peek(4)), plain


def _packing_witnesses(read: _Read) -> list[Witness]:
    """What encryption and compression say of themselves; the outermost says what is wrong."""
    names = (
        *(("age",) if read.sealed else ()),
        *((read.codec.value,) if read.codec is not Codec.NONE else ()),
    )
    if read.fault is not None:
        return [Witness(names[0], False, str(read.fault))]
    fits = {"age": "every block of it is authentic"}
    whole = f"every checksum of it fits, {read.raw_bytes:,} bytes uncompressed"
    return [Witness(name, True, fits.get(name, whole)) for name in names]


def _content(place: Path, read: _Read, manifest: Manifest | None) -> tuple[str, list[Witness]]:
    """What the content is, and what it says of itself."""
    structure, threads = read.heap.finish(), read.threads.finish()
    if structure.starts_as_hprof:
        return HEAP_DUMP, [Witness("structure", structure.complete, structure.detail)]
    if threads.dumps:
        return THREAD_DUMP, [Witness("structure", threads.complete, threads.detail)]
    if not read.raw_bytes:
        return FILE, [] if read.fault else [Witness("content", False, "the file is empty")]
    named = HEAP_DUMP if ".hprof" in place.name else ""
    said = manifest.kind if manifest is not None else named
    if said in (HEAP_DUMP, THREAD_DUMP):
        by = "its manifest" if manifest is not None else "its name"
        return FILE, [Witness("content", False, f"{by} says {said}, and its content is none")]
    return said or FILE, []


def _manifest_witnesses(manifest: Manifest, read: _Read, stored_bytes: int) -> list[Witness]:
    stored = _compared(
        "stored", manifest.stored_bytes, stored_bytes, manifest.stored_sha256, read.stored_sha256
    )
    if read.fault is not None or not read.opened:
        return [stored]
    return [
        stored,
        _compared("raw", manifest.raw_bytes, read.raw_bytes, manifest.raw_sha256, read.raw_sha256),
    ]


def _compared(what: str, said_bytes: int, bytes_: int, said_sha256: str, sha256: str) -> Witness:
    name = f"manifest, {what}"
    if said_bytes != bytes_:
        return Witness(name, False, f"{bytes_:,} bytes, and the manifest says {said_bytes:,}")
    if said_sha256 != sha256:
        return Witness(name, False, f"sha256 is {sha256}, and the manifest says {said_sha256}")
    return Witness(name, True, f"{bytes_:,} bytes, sha256 {sha256}")
