"""The journal of one dump on its way, kept up to date: `jvmdiag resume` goes on by it where this process ends."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.errors import RoomError
from jvmdiag.transfer.unfinished import Unfinished, journal_path, remove_unfinished, write_unfinished


class Ledger:
    """`begin` before the JVM is asked, `told` when it has answered, `end` when nothing is to be gone on with."""

    def __init__(self, directory: Path, name: str, unfinished: Unfinished) -> None:
        self.name = name
        self._path = journal_path(directory, name)
        self._unfinished = unfinished

    @property
    def dump_path(self) -> str:
        """Of the dump, in the JVM's own mount namespace."""
        return self._unfinished.path

    def begin(self) -> None:
        """Raises LocalDiskFull, NotWritable: a dump that nobody knows of must not be asked for."""
        write_unfinished(self._path, self._unfinished)

    def told(self, says: JvmSays) -> None:
        """What the JVM said is one more witness; the dump is not worse where there is no room to write it down."""
        if not says.told:
            return
        known = replace(
            self._unfinished.manifest,
            jvm_reported_bytes=says.size_bytes,
            durations_s={"dump": says.seconds},
        )
        self._unfinished = replace(self._unfinished, manifest=known)
        with contextlib.suppress(RoomError):
            write_unfinished(self._path, self._unfinished)

    def reclaims(self, size_bytes: int) -> None:
        """So many bytes will be here only. Raises LocalDiskFull, NotWritable: then they must not be given back."""
        self._unfinished = replace(self._unfinished, reclaimed_bytes=size_bytes)
        write_unfinished(self._path, self._unfinished)

    def end(self) -> None:
        remove_unfinished(self._path)
