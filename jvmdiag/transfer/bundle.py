"""A snapshot on this machine: a folder with one manifest of all its files, and the same as one archive."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from jvmdiag.errors import OutputExists
from jvmdiag.model import CommandRecord, Forecast, LeftBehind, Pause
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.document import document_bytes
from jvmdiag.transfer.manifest import JvmFacts, Tool
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.seal import Seal
from jvmdiag.transfer.sink import PARTIAL_SUFFIX, PartialFile, not_writable, private_directory, sync_directory
from jvmdiag.transfer.whole import write_whole

SCHEMA = "jvmdiag.snapshot/1"
MANIFEST = "manifest.json"
ARCHIVE_SUFFIX = ".tar.gz"
TAKEN, PARTIAL, FAILED, SKIPPED, INTERRUPTED = "taken", "partial", "failed", "skipped", "interrupted"
_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class BundledItem:
    """One item and what became of it. `file` is its path within the folder; empty where there is none.

    `began_s` counts from the beginning of the snapshot, None where it was not begun. `why` says why it was not taken,
    or what of a PARTIAL one is missing.
    """

    name: str
    about: str = ""
    risk: str = ""
    status: str
    why: str = ""
    file: str = ""
    size_bytes: int = 0
    sha256: str = ""
    began_s: float | None = None
    took_s: float = 0.0
    pause: Pause | None = None
    forecast: Forecast | None = None
    note: str = ""
    beside: str = ""
    """The name of its file beside the archive, where it is not in it: of a heap dump that is encrypted."""

    @property
    def held(self) -> bool:
        """Whether there is a file of it."""
        return self.status in (TAKEN, PARTIAL)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The statement about a folder. Times are ISO 8601 in UTC, sizes in bytes, sums in hex.

    `method` is empty where the JVM could not be asked.
    """

    schema: str = SCHEMA
    target: str
    host_key_checked: bool | None = None
    jvm: JvmFacts | None
    risk: str
    redacted: bool = False
    interrupted: bool = False
    method: str = ""
    method_detail: str = ""
    started_at: str
    ended_at: str
    took_s: float
    items: tuple[BundledItem, ...]
    left_behind: tuple[LeftBehind, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[CommandRecord, ...] = ()
    tool: Tool = field(default_factory=Tool)

    @property
    def held(self) -> tuple[BundledItem, ...]:
        return tuple(item for item in self.items if item.held)

    def having(self, *statuses: str) -> tuple[BundledItem, ...]:
        """In the order of the statuses."""
        return tuple(item for status in statuses for item in self.items if item.status == status)


@dataclass(frozen=True)
class Stored:
    """What a file of the folder came to."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Stored:
        return cls(len(data), hashlib.sha256(data).hexdigest())


class Folder:
    """DIRECTORY/NAME in the making, 0700, its files 0600 from the first byte: NAME.partial until `commit`.

    Raises OutputExists where either is there already, NotWritable where it cannot be made.
    """

    seal: Seal | None = None
    """For whom what others write into it is encrypted."""

    def __init__(self, directory: Path, name: str) -> None:
        private_directory(directory)
        self.final = directory / name
        self.path = directory / (name + PARTIAL_SUFFIX)
        for place in (self.final, self.path):
            if os.path.lexists(place):
                raise OutputExists(
                    f"{place} is there already", why="nothing is ever overwritten", advice="move it away"
                )
        try:
            self.path.mkdir(mode=0o700)
        except OSError as error:
            raise not_writable(directory, error) from None

    @property
    def for_heap_dump(self) -> Path:
        """The directory that a heap dump is taken into."""
        return self.path

    def write(self, file: str, data: bytes) -> Stored:
        """Store `data` as `file`, whole or not at all; replaces an older one. Raises RoomError."""
        self._put(file, data)
        return Stored.of(data)

    def _put(self, file: str, data: bytes) -> None:
        place = self.path / file
        private_directory(place.parent)
        write_whole(place, data)

    def write_manifest(self, bundle: Bundle) -> None:
        """Replaces an older one. Raises RoomError."""
        self.write(MANIFEST, document_bytes(asdict(bundle)))

    def stand(self, bundle: Bundle) -> None:
        """Let what is there be found by its name, whatever happens from now on. Raises RoomError."""
        if self.path != self.final:
            self.commit()

    def commit(self) -> Path:
        """Take the final name, and return it."""
        if os.path.lexists(self.final):
            raise OutputExists(f"{self.final} is there already", why="nothing is ever overwritten")
        self.path.rename(self.final)
        self.path = self.final
        sync_directory(self.final.parent)
        return self.final


def write_archive(folder: Path, bundle: Bundle) -> tuple[Path, Pumped]:
    """FOLDER.tar.gz beside the folder, 0600: the manifest first, then every file of it. Raises RoomError."""
    members = (_member_of(folder, file) for file in files_of(bundle))
    with PartialFile(folder.parent, folder.name + ARCHIVE_SUFFIX) as sink:
        pumped = pump(tar_of(folder.name, members), sink, Codec.GZIP, walk=None, advance=lambda _: None)
        return sink.commit(), pumped


def files_of(bundle: Bundle) -> tuple[str, ...]:
    """The manifest, and each file that was taken into the folder."""
    return (MANIFEST, *(item.file for item in bundle.held if item.file))


@dataclass(frozen=True)
class Member:
    """A file of an archive: its name, its size and time, and how it is read from its beginning."""

    file: str
    size_bytes: int
    changed_s: float
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def _member_of(folder: Path, file: str) -> Member:
    status = (folder / file).stat()
    return Member(file, status.st_size, status.st_mtime, lambda: (folder / file).open("rb"))


def tar_of(folder: str, members: Iterable[Member]) -> Iterator[bytes]:
    """The archive that unpacks to a folder of that name."""
    for member in members:
        with member.open() as opened:
            head = tarfile.TarInfo(f"{folder}/{member.file}")
            head.size, head.mtime, head.mode = member.size_bytes, int(member.changed_s), 0o600
            yield head.tobuf(tarfile.PAX_FORMAT)
            left = member.size_bytes
            while left and (data := opened.read(min(left, _READ_BYTES))):
                left -= len(data)
                yield data
            # A file that was cut meanwhile: its sum tells.
            yield bytes(left + -member.size_bytes % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
