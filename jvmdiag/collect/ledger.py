"""The journal of one dump on its way, kept up to date: `jvmdiag resume` goes on by it where this process ends."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.errors import RoomError
from jvmdiag.transfer.unfinished import Unfinished, journal_path, remove_unfinished, write_unfinished


class Ledger:
    """`begin` before the JVM is asked, `told` when it has answered, `end` when nothing is to be gone on with.

    Each may come from a thread of its own; nothing is written behind the end.
    """

    def __init__(self, directory: Path, name: str, unfinished: Unfinished) -> None:
        self.name = name
        self._path = journal_path(directory, name)
        self._unfinished = unfinished
        self._lock = threading.Lock()
        self._ended = False

    @property
    def dump_path(self) -> str:
        """Of the dump, in the JVM's own mount namespace."""
        return self._unfinished.path

    def begin(self) -> None:
        """Raises LocalDiskFull, NotWritable: a dump that nobody knows of must not be asked for."""
        self._write()

    def told(self, says: JvmSays) -> None:
        """What the JVM said is one more witness; the dump is not worse where there is no room to write it down."""
        if says.told:
            known = replace(
                self._unfinished.manifest,
                jvm_reported_bytes=says.size_bytes,
                durations_s={"dump": says.seconds},
            )
            with contextlib.suppress(RoomError):
                self._write(manifest=known)

    def reclaims(self, size_bytes: int) -> None:
        """So many bytes will be here only. Raises LocalDiskFull, NotWritable: then they must not be given back."""
        self._write(reclaimed_bytes=size_bytes)

    def _write(self, **changes: Any) -> None:
        with self._lock:
            self._unfinished = replace(self._unfinished, **changes)
            if not self._ended:
                write_unfinished(self._path, self._unfinished)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            remove_unfinished(self._path)
