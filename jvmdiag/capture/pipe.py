"""One FIFO on the target and the stream that empties it: into memory here, as fast as the way goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.capture.spool import Spool
from jvmdiag.errors import ConnectionLost, JvmdiagError, ReadOnlyTarget, TransferCut
from jvmdiag.model import Owner, StreamEnd

STALL_S = 10
"""For how long a JVM may stand still because nobody takes its bytes."""
_LOOKS_PER_S = 10
_READY = b"ready\n"
_NO_FIFO, _STALLED = 65, 75
# Of silence; a JVM that is asked for --live collects first, and one that others ask answers them first.
_SILENT_S = 20.0
_ALIVE_S = 10.0
_END_S = 5.0


@cache
def script() -> str:
    """pipe.sh"""
    return Path(__file__).with_name("pipe.sh").read_text(encoding="utf-8")


def release(reach: Reach, directory: str, user: Owner) -> bool:
    """End what is left of the pipes in `directory` of the JVM, and let a JVM go that waits in one; whether
    nothing is left. A second call does nothing."""
    argv = ["sh", "-c", script(), "sh", "release", reach.path(directory)]
    return reach.host.run(argv, user=user, timeout_s=_ALIVE_S).ok


class Pipe:
    """A FIFO that has its reader. It is made, with `made`, when the first of a directory is opened.

    Raises ReadOnlyTarget where there can be none, and as `Host.stream` does. `chunks` is for one thread.
    """

    def __init__(
        self, reach: Reach, user: Owner, directory: str, name: str, made: Sequence[str], spool: Spool
    ) -> None:
        self.received_bytes = 0
        self._reach = reach
        self._where = f"{directory}/{name}"
        self._spool = spool
        self._answered = False
        looks = str(STALL_S * _LOOKS_PER_S)
        argv = ["sh", "-c", script(), "sh", "copy", looks, reach.path(directory), name, *made]
        self._stream = reach.host.stream(argv, user=user)
        self._thread = threading.Thread(target=self._fill, name=f"pipe {name}", daemon=True)
        try:
            self._until_ready()
        except BaseException:
            self._stream.close()
            raise
        self._thread.start()

    def _until_ready(self) -> None:
        head = b""
        while len(head) < len(_READY):
            chunk = self._stream.read()
            if not chunk:
                raise self._cut(self._stream.finish())
            head += chunk
        # The JVM has not been asked yet: more cannot have come.
        assert head == _READY, head

    def chunks(self) -> Iterator[bytes]:
        """What comes through, to the end. Raises TransferCut where the reader was ended, ConnectionLost."""
        while True:
            try:
                chunk = self._spool.take(_SILENT_S)
            except TimeoutError:
                self._require_way()
                continue
            if not chunk:
                return
            yield chunk

    def answered(self) -> None:
        """The JVM has closed its end: what is left in the pipe comes, and that is the end."""
        self._answered = True
        self._stream.send(b"done\n")

    def fail(self, error: BaseException) -> None:
        """End `chunks` with that error, and the reader."""
        self._spool.end(error)
        self._stream.send(b"leave\n")

    def stop(self) -> None:
        """End the reader, if it has not ended: a JVM that writes goes on, and gets an error."""
        self._spool.close()
        self._stream.send(b"leave\n")

    def close(self) -> None:
        """The same, and let go of the stream. For the thread that made it."""
        self.stop()
        self._thread.join(_END_S)
        self._stream.close()

    def _fill(self) -> None:
        error: BaseException | None = None
        try:
            for chunk in self._stream:
                self.received_bytes += len(chunk)
                self._spool.put(chunk)
            end = self._stream.finish()
            if end.exit_code != 0 or not self._answered:
                error = self._cut(end)
        except BaseException as raised:  # noqa: BLE001 - it is raised again by the thread that takes
            error = raised
        self._spool.end(error)

    def _cut(self, end: StreamEnd) -> JvmdiagError:
        why = end.complaint or f"exit code {end.exit_code}"
        if end.exit_code == _NO_FIFO:
            return ReadOnlyTarget(
                f"there can be no FIFO {self._where}",
                why=why,
                advice="name another directory: --dump-dir DIR",
            )
        if end.exit_code == _STALLED:
            return TransferCut(
                f"nothing was taken from the JVM for {STALL_S} s, and it stood still for that long",
                why="the connection or this machine stalled; the reader there was ended, and the JVM goes on",
                advice="without --no-disk the way's speed is nothing to the JVM",
            )
        return TransferCut(f"the stream of {self._where} ended after {self.received_bytes:,} bytes", why=why)

    def _require_way(self) -> None:
        """Raises ConnectionLost where the target says nothing at all any more."""
        host = self._reach.host
        try:
            host.run(["true"], timeout_s=_ALIVE_S)
        except TimeoutError:
            raise ConnectionLost(
                f"{host.name} does not answer any more",
                why=f"nothing came for {_SILENT_S + _ALIVE_S:g} s; the reader there ends after {STALL_S} s, "
                "and the JVM goes on",
            ) from None
        except ConnectionLost:
            raise
        except JvmdiagError:
            # A paused container, say: it and its JVM go on together.
            return
