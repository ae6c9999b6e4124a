"""A snapshot that nobody here can read: one encrypted archive, made of files that never were anything else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from jvmdiag.errors import OutputExists
from jvmdiag.transfer.bundle import ARCHIVE_SUFFIX, MANIFEST, Bundle, Folder, Member, Stored, files_of, tar_of
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.seal import SUFFIX, Seal, fresh_key, opened, sealed_bytes
from jvmdiag.transfer.sink import PartialFile

SEALED_SUFFIX = ARCHIVE_SUFFIX + SUFFIX


class SealedFolder(Folder):
    """NAME.partial holds each item as FILE.age, and goes when all of it is in NAME.tar.gz.age.

    The files are for the recipients, who can open them where a run was killed, and for a key of this process alone,
    which makes the archive of them and is never written anywhere. The archive is for the recipients.
    """

    def __init__(self, directory: Path, name: str, seal: Seal) -> None:
        self.archived = directory / (name + SEALED_SUFFIX)
        if os.path.lexists(self.archived):
            raise OutputExists(
                f"{self.archived} is there already", why="nothing is ever overwritten", advice="move it away"
            )
        super().__init__(directory, name)
        self._for = seal
        self._key, public = fresh_key()
        self.seal: Seal = replace(seal, recipients=(*seal.recipients, public))
        self._manifest_bytes = 0

    @property
    def for_heap_dump(self) -> Path:
        """Beside the archive: it is encrypted once, and can be gone on with where it was cut."""
        return self.path.parent

    def write(self, file: str, data: bytes) -> Stored:
        stored = Stored.of(data)
        self._put(file + SUFFIX, sealed_bytes(data, self.seal))
        if file == MANIFEST:
            self._manifest_bytes = stored.size_bytes
        return stored

    def stand(self, bundle: Bundle) -> None:
        self.archive(bundle)

    def archive(self, bundle: Bundle) -> tuple[Path, Pumped]:
        """Write the archive, in place of an older one of this run. Raises RoomError."""
        again = self.archived.exists()
        name = f".{self.archived.name}" if again else self.archived.name
        sizes = {item.file: item.size_bytes for item in bundle.items} | {MANIFEST: self._manifest_bytes}
        members = (
            Member(file, sizes[file], time.time(), lambda file=file: self._opened(file))  # type: ignore[misc]
            for file in files_of(bundle)
        )
        with PartialFile(self.archived.parent, name) as sink:
            chunks = tar_of(self.final.name, members)
            pumped = pump(chunks, sink, Codec.GZIP, walk=None, advance=lambda _: None, seal=self._for)
            if again:
                sink.replace(self.archived)
            else:
                sink.commit()
        return self.archived, pumped

    @contextmanager
    def _opened(self, file: str) -> Iterator[IO[bytes]]:
        place = self.path / (file + SUFFIX)
        with place.open("rb") as stored, opened(stored, (self._key,), str(place)) as plain:
            yield plain

    def remove(self) -> None:
        """What is in the archive need not stand twice."""
        shutil.rmtree(self.path, ignore_errors=True)
