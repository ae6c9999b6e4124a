"""A heap dump without a file: the JVM writes it into a FIFO, and it is here before the next byte has room.

A JVM of 22 and later writes its objects into a part beside the dump and copies that in afterwards. Where the part
is a FIFO too it finds nothing to copy; the dump is put together here, the part before the last record.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.heap_command import JvmSays, heap_dump_line, parse_created
from jvmdiag.capture.patience import PAUSES_S
from jvmdiag.capture.pipe import Pipe, release
from jvmdiag.capture.spool import Spool
from jvmdiag.errors import (
    AttachRefused,
    CommandRefused,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    TransferCut,
)
from jvmdiag.model import LeftBehind, Owner

_MAIN, _PART = "heap.hprof", "heap.hprof.p0"
# HEAP_DUMP_END: its tag, and eight bytes of zero.
_LAST_BYTES = 9
_DISCARDS = 4
# A JVM whose reader is gone answers within half a second.
_ANSWER_S = 5.0
_TELL_S = 0.2


class Aside(Protocol):
    """What keeps the part of a dump until the rest of it has come: a file of this machine, say."""

    def write(self, data: bytes, /) -> None: ...

    def read(self) -> Iterator[bytes]:
        """What was written, once all is."""


def piped_line(fifo: str, *, live: bool, parted: bool) -> str:
    """The diagnostic command. A JVM opens a file that is there with -overwrite only; more than one writer
    would make more than one part. Raises BadRequest as `heap_dump_line` does."""
    command, _, rest = heap_dump_line(fifo, live=live).partition(" ")
    return f"{command} -overwrite {'-parallel=1 ' if parted else ''}{rest}"


def fifo_of(directory: str) -> str:
    """The path that the JVM is told."""
    return f"{directory}/{_MAIN}"


class PipedDump:
    """One heap dump on its way. Iterate `chunks()` to its end, then ask `says()`; `discard()` leaves nothing there.

    `directory` is made, for `user`, who is the JVM's own. With an `aside` the JVM is of 22 or later; `written` is told
    what of the dump came to be put aside, and 0 when that is over. `spool_bytes` are held in memory at most, twice
    that with an `aside`. `pauses_s` are between the tries to leave nothing there.
    """

    def __init__(
        self,
        speaker: Speaker,
        user: Owner,
        directory: str,
        *,
        live: bool,
        timeout_s: float,
        reopen: Callable[[], Reach],
        spool_bytes: int,
        aside: Aside | None = None,
        written: Callable[[int], None] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        assert speaker.reach is not None
        self.path = directory
        self.parted = aside is not None
        self.resumed = 0
        self._speaker = speaker
        self._reach = speaker.reach
        self._user = user
        self._line = piped_line(fifo_of(directory), live=live, parted=self.parted)
        self._timeout_s = timeout_s
        self._reopen = reopen
        self._spool_bytes = spool_bytes
        self._aside = aside
        self._written = written or (lambda _: None)
        self._pauses_s = pauses_s
        self._pipes: list[Pipe] = []
        self._answer: bytes | None = None
        self._error: BaseException | None = None
        self._failure: BaseException | None = None
        self._answered = threading.Event()
        self._released = False

    @property
    def received_bytes(self) -> int:
        return sum(pipe.received_bytes for pipe in self._pipes)

    def chunks(self) -> Generator[bytes, None, None]:
        """The bytes of the dump. The JVM is asked once every reader is in its place.

        Raises what asking raised, TransferCut where a reader was ended: the JVM goes on then, and there is no dump.
        """
        with ExitStack() as stack:
            main = self._open(stack, _MAIN, (_MAIN, _PART) if self._aside else (_MAIN,))
            part = self._open(stack, _PART) if self._aside else None
            threading.Thread(target=self._ask, name="heap dump", daemon=True).start()
            try:
                if part and self._aside:
                    yield from self._joined(main, part, self._aside)
                else:
                    yield from main.chunks()
            except (TransferCut, ConnectionLost):
                # What ended the stream may have ended the JVM.
                self._answered.wait(_ANSWER_S)
                if self._error is not None:
                    raise self._error from None
                raise

    def _open(self, stack: ExitStack, name: str, made: tuple[str, ...] = ()) -> Pipe:
        pipe = Pipe(self._reach, self._user, self.path, name, made, Spool(self._spool_bytes))
        stack.callback(pipe.close)
        self._pipes.append(pipe)
        return pipe

    def _joined(self, main: Pipe, part: Pipe, aside: Aside) -> Iterator[bytes]:
        keeper = threading.Thread(target=self._keep, args=(part, aside, main), name="part", daemon=True)
        keeper.start()
        last = b""
        try:
            for chunk in main.chunks():
                last += chunk
                yield last[:-_LAST_BYTES]
                last = last[-_LAST_BYTES:]
        except BaseException:
            part.stop()
            raise
        finally:
            keeper.join()
            self._written(0)
        if self._failure is not None:
            raise self._failure
        yield from aside.read()
        yield last

    def _keep(self, part: Pipe, aside: Aside, main: Pipe) -> None:
        size, told_s = 0, 0.0
        try:
            for chunk in part.chunks():
                aside.write(chunk)
                size += len(chunk)
                if time.monotonic() - told_s > _TELL_S:
                    self._written(size)
                    told_s = time.monotonic()
        except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that takes
            self._failure = error
            part.stop()
            main.fail(error)

    def _ask(self) -> None:
        try:
            self._answer = self._speaker.ask(self._line, self._timeout_s)
        except AttachRefused as error:
            # It answered a question before this one. No other rung may ask for a second dump.
            self._error = DumpIncomplete(
                "the JVM was asked for the dump, and the answer failed", why=str(error)
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that reads
            self._error = error
        self._answered.set()
        for pipe in self._pipes:
            with contextlib.suppress(JvmdiagError):
                if self._error is None:
                    pipe.answered()
                else:
                    pipe.fail(self._error)

    def says(self) -> JvmSays:
        """The JVM's account, once the chunks have ended. Of a dump with a part its bytes are those of the rest.

        Raises as `parse_created` does, or what asking raised.
        """
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise CommandRefused("the JVM has not answered yet")
        return parse_created(self._answer.decode("utf-8", "replace"), self.path)

    def may_be_whole(self) -> bool:
        """Never: what was read from a FIFO is nowhere else."""
        return False

    @property
    def is_guarded(self) -> bool:
        """As `Host.is_guarded`, of the way that it comes by."""
        return self._reach.host.is_guarded

    def sums(self, parts: list[tuple[int, int]]) -> list[str] | None:
        """None: there is nothing that could be read once more."""
        return None

    @property
    def cleaned(self) -> bool:
        """Whether nothing of it is on the target."""
        return self._released

    def discard(self) -> LeftBehind | None:
        """Leave nothing there, and nobody waiting; None when that is so.

        Where the connection is gone a new one is made for it. A JVM that was asked and has not begun finds no place
        to write to.
        """
        for again, pause_s in enumerate((0.0, *self._pauses_s)[:_DISCARDS]):
            time.sleep(pause_s)
            with contextlib.suppress(JvmdiagError, TimeoutError):
                if release(self._reopen() if again else self._reach, self.path, self._user):
                    self._released = True
                    return None
        return self.kept()

    def kept(self) -> LeftBehind:
        """The directory as something left behind, with the command that removes it."""
        path = shlex.quote(self.path)
        return LeftBehind("FIFO of a heap dump", self.path, f"rm -r {path}  (there, as the JVM's user)")
