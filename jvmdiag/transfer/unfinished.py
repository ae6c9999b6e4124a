"""NAME.partial.journal: what it takes to go on with NAME.partial where another process left it, or this one will."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from jvmdiag.errors import BadRequest, NoSuchFile, NotADump
from jvmdiag.transfer.document import MAX_BYTES, parse_document, write_document
from jvmdiag.transfer.manifest import Manifest
from jvmdiag.transfer.sink import PARTIAL_SUFFIX

SCHEMA = "jvmdiag.unfinished/1"
_SUFFIX = f"{PARTIAL_SUFFIX}.journal"
_NOT_MINE = "it, or what it is about, belongs to somebody else, or is a link"
SCRATCH = re.compile(r"/(?:.*/)?\.jvmdiag-[0-9a-f]{12}\.hprof", re.DOTALL)
"""The name of a dump while it is on the target (impact.disk.scratch_path)."""


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A dump on its way. `manifest` says what is known of it so far; its sums and end are not.

    `path` is that of the dump in the JVM's own mount namespace; `nspid` and `start_ticks` are that JVM. `redaction`
    is what --redact was given, and None where nothing is taken out.
    """

    schema: str = SCHEMA
    path: str
    nspid: int
    start_ticks: int
    keep: bool = False
    sealed_for: tuple[str, ...] = ()
    """To whom NAME.partial is encrypted: nobody here can read it."""
    redaction: str | None = None
    redacts_fields: bool = False
    redacts_names: bool = False
    reclaimed_bytes: int = 0
    """Of its beginning on the target: there are holes there, and the bytes are here only."""
    manifest: Manifest


def journal_path(directory: str | Path, name: str) -> Path:
    """Where the journal of DIRECTORY/NAME.partial stands."""
    return Path(directory) / f"{name}{_SUFFIX}"


def write_unfinished(path: Path, unfinished: Unfinished) -> None:
    """Whole or not at all, 0600. Raises LocalDiskFull, NotWritable."""
    write_document(path, asdict(unfinished))


def read_unfinished(path: Path) -> Unfinished:
    """Raises NotADump for what is none of this user's own, or says what this version does not understand; NoSuchFile.

    What it says is done on the target, so it is believed only where nobody else can have written it.
    """
    advice = "go on with it as the user, and by the version, that began it"
    text = _own_text(path, advice)
    unfinished = parse_document(
        text, Unfinished, SCHEMA, str(path), "journal of jvmdiag", advice=advice, strict=True
    )
    name = unfinished.manifest.file
    partial = path.with_name(path.name.removesuffix(".journal"))
    if path.name != f"{name}{_SUFFIX}":
        why = f"it is of another file, {name!r}"
    elif not SCRATCH.fullmatch(unfinished.path) or ".." in unfinished.path.split("/"):
        why = f"{unfinished.path!r} is no path that jvmdiag lets a JVM write to"
    elif not _is_mine(partial):
        why = _NOT_MINE
    else:
        return unfinished
    raise NotADump(f"{path} is not to be believed", why=why, advice=advice)


def _own_text(path: Path, advice: str) -> bytes:
    """Of the file that was looked at, whatever has its name a moment later. Raises NotADump, NoSuchFile."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotADump(f"{path} is not to be believed", why=_NOT_MINE, advice=advice) from None
        raise NoSuchFile(f"can't read {path}", why=(error.strerror or str(error)).lower()) from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            raise NotADump(f"{path} is not to be believed", why=_NOT_MINE, advice=advice)
        return file.read(MAX_BYTES)


def _is_mine(path: Path) -> bool:
    """Whether it is a file of this user, or is not there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return True
    return status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode)


def remove_unfinished(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def journals(place: Path) -> Iterator[Path]:
    """The journals in a directory, or that of one file: NAME, NAME.partial and the journal itself all name it.

    Raises BadRequest where `place` is nothing of this.
    """
    if place.is_dir():
        yield from sorted(place.glob(f"*{_SUFFIX}"))
        return
    name = place.name.removesuffix(_SUFFIX).removesuffix(PARTIAL_SUFFIX)
    journal = journal_path(place.parent, name)
    if not journal.exists():
        raise BadRequest(
            f"nothing is known of {place}",
            why=f"there is no {journal.name} beside it",
            advice="name a directory, or a file whose journal is there",
        )
    yield journal
