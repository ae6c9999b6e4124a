"""Giving back the disk of a dump that is being copied: what is safe here becomes a hole there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.base import ByteStream

# For each line on stdin, "OFFSET BYTES", a hole. The JVM appends: what it has written it never looks at again.
_PUNCH = """
command -v fallocate >/dev/null || { echo "there is no fallocate (util-linux)" >&2; exit 3; }
while read -r at bytes; do fallocate --punch-hole --offset "$at" --length "$bytes" "$1" || exit 1; done
"""


class Reclaim:
    """Punches holes into the file at `path` up to the byte that `safe` is told of, by any thread.

    Best effort: where it cannot, `tell` hears why, once, and the disk holds the file as it would have without it.
    """

    def __init__(self, path: str, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._stream: ByteStream | None = None
        self._given_back = 0
        self._over = False
        self._lock = threading.Lock()

    def safe(self, reach: Reach, size_bytes: int) -> None:
        """The first `size_bytes` are on a disk of this machine and will be read nowhere else."""
        with self._lock:
            if self._over or size_bytes <= self._given_back:
                return
            try:
                if self._stream is None:
                    argv = ["sh", "-c", _PUNCH, "sh", reach.path(self._path)]
                    self._stream = reach.host.stream(argv, user=reach.user)
                line = f"{self._given_back} {size_bytes - self._given_back}\n"
                self._stream.send(line.encode())
                self._given_back = size_bytes
            except (JvmdiagError, TimeoutError) as error:
                self._cannot(str(error))

    def close(self) -> None:
        """Waits for the last hole; what `safe` is told of after that makes none."""
        with self._lock:
            stream, self._stream, over, self._over = self._stream, None, self._over, True
        if stream is None:
            return
        with contextlib.suppress(JvmdiagError, TimeoutError), stream:
            end = stream.finish()
            if end.exit_code != 0 and not over:
                self._cannot(end.complaint or f"exit code {end.exit_code}")

    def _cannot(self, why: str) -> None:
        self._over = True
        self._tell(f"the disk of the dump there is not given back meanwhile: {why}")
