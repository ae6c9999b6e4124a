"""A snapshot on this machine: a folder with one manifest of all its files, and the same as one archive."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jvmdiag.errors import OutputExists
from jvmdiag.model import CommandRecord, Forecast, LeftBehind, Pause
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.document import write_document
from jvmdiag.transfer.manifest import JvmFacts, Tool
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PARTIAL_SUFFIX, PartialFile, not_writable, private_directory, sync_directory

SCHEMA = "jvmdiag.snapshot/1"
MANIFEST = "manifest.json"
ARCHIVE_SUFFIX = ".tar.gz"
TAKEN, FAILED, SKIPPED, INTERRUPTED = "taken", "failed", "skipped", "interrupted"
_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class BundledItem:
    """One item and what became of it. `file` is its path within the folder; empty where there is none.

    `began_s` counts from the beginning of the snapshot, None where it was not begun. `why` says why it was not taken.
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


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The statement about a folder. Times are ISO 8601 in UTC, sizes in bytes, sums in hex.

    `method` is empty where the JVM could not be asked.
    """

    schema: str = SCHEMA
    target: str
    host_key_checked: bool | None = None
    jvm: JvmFacts
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

    def having(self, status: str) -> tuple[BundledItem, ...]:
        return tuple(item for item in self.items if item.status == status)


@dataclass(frozen=True)
class Stored:
    """What a file of the folder came to."""

    size_bytes: int
    sha256: str


class Folder:
    """DIRECTORY/NAME in the making, 0700, its files 0600 from the first byte: NAME.partial until `commit`.

    Raises OutputExists where either is there already, NotWritable where it cannot be made.
    """

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

    def write(self, file: str, data: bytes) -> Stored:
        """Store `data` as `file`, whole or not at all; replaces an older one. Raises RoomError."""
        place = self.path / file
        private_directory(place.parent)
        with PartialFile(place.parent, f".{place.name}.{os.getpid()}") as sink:
            sink.write(data)
            sink.replace(place)
        return Stored(len(data), hashlib.sha256(data).hexdigest())

    def write_manifest(self, bundle: Bundle) -> None:
        """Replaces an older one. Raises RoomError."""
        write_document(self.path / MANIFEST, asdict(bundle))

    def commit(self) -> Path:
        """Take the final name, and return it."""
        if os.path.lexists(self.final):
            raise OutputExists(
                f"{self.final} is there already",
                why="nothing is ever overwritten",
                advice=f"it is {self.path}",
            )
        self.path.rename(self.final)
        self.path = self.final
        sync_directory(self.final.parent)
        return self.final

    def remove_if_empty(self) -> None:
        with suppress(OSError):
            self.path.rmdir()


def write_archive(folder: Path, bundle: Bundle) -> tuple[Path, Pumped]:
    """FOLDER.tar.gz beside the folder, 0600: the manifest first, then every file of it. Raises RoomError."""
    files = [MANIFEST, *(item.file for item in bundle.items if item.status == TAKEN)]
    with PartialFile(folder.parent, folder.name + ARCHIVE_SUFFIX) as sink:
        pumped = pump(_tar(folder, files), sink, Codec.GZIP, walk=None, advance=lambda _: None)
        return sink.commit(), pumped


def _tar(folder: Path, files: list[str]) -> Iterator[bytes]:
    for file in files:
        with (folder / file).open("rb") as opened:
            status = os.fstat(opened.fileno())
            head = tarfile.TarInfo(f"{folder.name}/{file}")
            head.size, head.mtime, head.mode = status.st_size, int(status.st_mtime), 0o600
            yield head.tobuf(tarfile.PAX_FORMAT)
            left = status.st_size
            while left and (data := opened.read(min(left, _READ_BYTES))):
                left -= len(data)
                yield data
            # A file that was cut meanwhile: its sum tells.
            yield bytes(left + -status.st_size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
