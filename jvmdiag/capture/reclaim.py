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
echo ready
while read -r at bytes; do fallocate --punch-hole --offset "$at" --length "$bytes" "$1" || exit 1; done
"""
# fallocate may be stuck with its disk, or the target be paused.
_LAST_HOLE_S = 5.0


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

    def works(self, reach: Reach) -> bool:
        """Whether a hole can be made now. To be asked before anybody counts on `safe`."""
        with self._lock:
            if self._over or self._stream is not None:
                return not self._over
            try:
                argv = ["sh", "-c", _PUNCH, "sh", reach.path(self._path)]
                stream = reach.host.stream(argv, user=reach.user)
                if stream.read().strip() == b"ready":
                    self._stream = stream
                else:
                    self._cannot(stream.finish().complaint)
            except (JvmdiagError, TimeoutError) as error:
                self._cannot(str(error))
            return not self._over

    def safe(self, size_bytes: int) -> None:
        """The first `size_bytes` are on a disk of this machine and will be read nowhere else."""
        with self._lock:
            if self._stream is not None and size_bytes > self._given_back:
                line = f"{self._given_back} {size_bytes - self._given_back}\n"
                with contextlib.suppress(JvmdiagError, TimeoutError):
                    self._stream.send(line.encode())
                self._given_back = size_bytes

    def close(self) -> None:
        """No more holes; waits some seconds for the last."""
        with self._lock:
            stream, self._stream, self._over = self._stream, None, True
        if stream is not None:
            last = threading.Thread(target=self._finish, args=(stream,), name="last hole", daemon=True)
            last.start()
            last.join(_LAST_HOLE_S)

    def _finish(self, stream: ByteStream) -> None:
        with contextlib.suppress(JvmdiagError, TimeoutError), stream:
            end = stream.finish()
            if end.exit_code != 0:
                self._cannot(end.complaint or f"exit code {end.exit_code}")

    def _cannot(self, why: str) -> None:
        self._over = True
        self._tell(f"the disk of the dump there is not given back meanwhile: {why}")
