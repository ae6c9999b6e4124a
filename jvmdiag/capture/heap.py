"""A heap dump: the JVM writes it on the target while it is followed and brought here.

The file is append-only on 11 to 25, so reading behind the writer is safe, and a reader that lags does
not hold the JVM up. What was received is continued at the same byte on a new stream when one is cut.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.far_file import FarFile
from jvmdiag.capture.heap_command import JvmSays, heap_dump_line, parse_created
from jvmdiag.capture.patience import PAUSES_S, Patience
from jvmdiag.capture.reclaim import Reclaim
from jvmdiag.errors import (
    AttachRefused,
    CommandRefused,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    JvmGone,
    NoImage,
    NoSuchFile,
    NoSuchTarget,
    ReadOnlyTarget,
    TargetDiskFull,
    TargetNotRunning,
    TransferCut,
)
from jvmdiag.hosts.base import ByteStream
from jvmdiag.model import LeftBehind

# A JVM that was asked and has not begun yet writes later all the same, unless its client is gone first:
# that is whatever names the dump, which nothing else does.
_ABANDON = """
name=$1; shift
case $name in */.jvmdiag-?*) ;; *) exit 1 ;; esac
for f in $(grep -l -F "$name" /proc/[0-9]*/cmdline 2>/dev/null); do
    p=${f#/proc/}; p=${p%/cmdline}
    [ "$p" = $$ ] || kill -TERM "$p" 2>/dev/null
done
[ -e "$1" ] || echo absent
rm -f -- "$@"
"""
# For each line on stdin the size of all parts, as a line.
_PARTS_BYTES = """
while read -r _; do
    total=0
    for f in "$1".p*; do size=$(stat -c %s "$f" 2>/dev/null) && total=$((total + size)); done
    echo "$total"
done
"""
_WATCH_S = 0.2
_JOIN_S = 5.0
_DISCARDS = 3
RETRY_S = 120.0


@cache
def _script() -> str:
    return Path(__file__).with_name("follow.sh").read_text(encoding="utf-8")


class HeapDump:
    """One heap dump under way. Iterate `chunks()` to its end, then ask `says()`; `discard()` removes the file.

    `reopen` gives the way to the target anew when the connection is lost; it raises when it cannot, and is asked again
    for `retry_s` without a byte, `pauses_s` apart, which `tell` hears of.
    `told` is told, by another thread, what the JVM said of a dump that it has written. `written` is told, by a third,
    how many bytes stand in parts beside the file while they grow, and 0 when that is over; only a JVM of 22 and later
    makes any.
    """

    def __init__(
        self,
        speaker: Speaker,
        path: str,
        *,
        live: bool,
        timeout_s: float,
        reopen: Callable[[], Reach],
        retry_s: float = RETRY_S,
        pauses_s: Sequence[float] = PAUSES_S,
        tell: Callable[[str], None] = lambda _line: None,
        told: Callable[[JvmSays], None] = lambda _says: None,
        written: Callable[[int], None] | None = None,
    ) -> None:
        assert speaker.reach is not None
        self.path = path
        self.received_bytes = 0
        self.resumed = 0
        self._speaker = speaker
        self._reach = speaker.reach
        self._line = heap_dump_line(path, live=live)
        self._timeout_s = timeout_s
        self._reopen = reopen
        self._patience = Patience(retry_s, tell, pauses_s)
        self._pauses_s = pauses_s
        self._reclaim = Reclaim(path, tell)
        self._told = told
        self._written = written
        self._over = threading.Event()
        self._says: JvmSays | None = None
        self._error: BaseException | None = None
        self._asked = False
        self._may_come = False
        self._removed = False
        self._answered = threading.Event()
        self._stream: ByteStream | None = None

    def chunks(self) -> Generator[bytes, None, None]:
        """The bytes of the dump, from the first to the last that the JVM wrote.

        Raises what the JVM's answer means, and TransferCut where the file could not be read to its end.
        """
        watcher = threading.Thread(target=self._watch, name="parts", daemon=True)
        if self._written:
            watcher.start()
        try:
            yield from self._all_chunks()
        finally:
            self._over.set()
            self._reclaim.close()
            if watcher.ident is not None:
                watcher.join(_JOIN_S)

    def _all_chunks(self) -> Iterator[bytes]:
        asker = threading.Thread(target=self._ask, name="heap dump", daemon=True)
        while True:
            try:
                yield from self._follow(asker)
                return
            except (TransferCut, ConnectionLost) as error:
                if asker.ident is None:
                    raise
                self._come_back(error)

    def _come_back(self, error: BaseException) -> None:
        """Be where reading can go on. Raises `error`, or what came after it, where that cannot be had."""
        # Without the JVM's answer nobody could tell when the file is whole.
        self._answered.wait(self._timeout_s)
        if not self._word_lost:
            self.says()
        self.resumed += 1
        self._patience.until(self._be_back, error)

    def _be_back(self) -> None:
        try:
            self._reach = self._way()
        except (AttachRefused, NoImage) as error:
            # Those would send the ladder to its next rung, which would ask for a second dump.
            raise TransferCut("the way to the dump could not be made anew", why=str(error)) from None
        if self._word_lost:
            self._settle(JvmSays(self._far_file.written(self._timeout_s), 0.0, told=False))

    def _follow(self, asker: threading.Thread) -> Iterator[bytes]:
        argv = ["sh", "-c", _script(), "sh", self._reach.path(self.path), str(self.received_bytes)]
        with self._reach.host.stream(argv, user=self._reach.user) as stream:
            self._stream = stream
            if asker.ident is None:
                self._asked = True
                asker.start()
            elif self._answered.is_set():
                stream.send(b"\n")
            for chunk in stream:
                self.received_bytes += len(chunk)
                self._patience.moved()
                yield chunk
            end = stream.finish()
            self._stream = None
        if end.exit_code == 0 and self._answered.is_set() and not self._word_lost:
            return
        if end.exit_code in (66, 67):
            self._answered.wait(self._timeout_s)
            self.says()
            raise NoSuchFile(
                f"the JVM wrote {self.path}, and it cannot be read from {self._reach.host.name}",
                why="there is no such file" if end.exit_code == 66 else "it is not for this user to read",
            )
        raise TransferCut(
            f"the stream of {self.path} ended after {self.received_bytes:,} bytes",
            why=end.complaint or f"exit code {end.exit_code}",
        )

    def _watch(self) -> None:
        assert self._written is not None
        reach, seen, received = self._reach, 0, 0
        argv = ["sh", "-c", _PARTS_BYTES, "sh", reach.path(self.path)]
        with (
            contextlib.suppress(JvmdiagError, TimeoutError, ValueError),
            reach.host.stream(argv, user=reach.user) as stream,
        ):
            while not self._over.wait(_WATCH_S):
                stream.send(b"\n")
                size = int(stream.read())
                # They grow no more, and the file does: the JVM merges them.
                if 0 < size <= seen and self.received_bytes > received:
                    break
                if size > seen:
                    self._written(size)
                seen, received = size, self.received_bytes
        self._written(0)

    @property
    def _far_file(self) -> FarFile:
        """The file as it is reached now."""
        return FarFile(self._reach, self.path)

    @property
    def is_guarded(self) -> bool:
        """As `Host.is_guarded`, of the way that it comes by."""
        return self._reach.host.is_guarded

    def can_give_back(self) -> bool:
        """Whether `give_back` does something."""
        return self._reclaim.works(self._reach)

    def give_back(self, size_bytes: int) -> None:
        """Make a hole of the first bytes on the target: they are safe here."""
        self._reclaim.safe(size_bytes)

    def sums(self, parts: list[tuple[int, int]]) -> list[str] | None:
        """As `FarFile.sums`, over as many connections as it takes."""
        return self._patience.asked(lambda: self._far_file.sums(parts), self._be_back)

    def _way(self) -> Reach:
        """The same way where it still works, else a new one."""
        with contextlib.suppress(JvmdiagError, TimeoutError):
            if self._reach.host.run(["true"], timeout_s=10).ok:
                return self._reach
        return self._reopen()

    def _ask(self) -> None:
        try:
            answer = self._speaker.ask(self._line, self._timeout_s)
            self._settle(parse_created(answer.decode("utf-8", "replace"), self.path))
        except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that reads
            self._error = error
        finally:
            self._answered.set()
            if stream := self._stream:
                with contextlib.suppress(JvmdiagError):
                    stream.send(b"\n")

    def _settle(self, says: JvmSays) -> None:
        self._says = says
        self._told(says)

    def says(self) -> JvmSays:
        """The JVM's account, once the chunks have ended. Raises as `parse_created` does, or what asking raised."""
        if self._says is not None:
            return self._says
        if isinstance(self._error, AttachRefused):
            # It answered a question before this one. No other rung may ask for a second dump.
            raise DumpIncomplete(
                "the JVM was asked for the dump, and the answer failed", why=str(self._error)
            )
        if self._error is not None:
            raise self._error
        raise CommandRefused("the JVM has not answered yet")

    @property
    def _word_lost(self) -> bool:
        """Whether who asked the JVM went before its answer came: it writes on all the same."""
        return self._says is None and isinstance(self._error, ConnectionLost | AttachRefused)

    def may_be_whole(self) -> bool:
        """Whether the JVM said that it wrote the file to its end, or might have. Waits for its answer, if it was
        asked."""
        if not self._asked:
            return False
        self._answered.wait(self._timeout_s)
        return self._says is not None or (self._word_lost and self._may_become_whole())

    def _may_become_whole(self) -> bool:
        """Whether the JVM still writes it, or left it as one that is whole ends; true where that cannot be seen.

        One that ended without a word, with its container, left half a dump.
        """
        try:
            return self._far_file.is_written_on() or self._far_file.ends_well()
        except (TargetNotRunning, NoSuchTarget, JvmGone):
            return False
        except (JvmdiagError, TimeoutError):
            return True

    @property
    def cleaned(self) -> bool:
        """Whether nothing of it is on the target: it was removed, or never asked for."""
        return not self._asked or self._removed

    def discard(self) -> LeftBehind | None:
        """Remove the file and the parts a JVM of 22 and later writes beside it; None when nothing is left.

        Where the connection is gone a new one is made for it.
        """
        left = self._discard()
        self._removed = left is None
        return left

    def _discard(self) -> LeftBehind | None:
        if self._remove(lambda: self._reach):
            return None
        if self._may_come:
            return self.kept()
        for pause_s in (0.0, *self._pauses_s)[:_DISCARDS]:
            time.sleep(pause_s)
            if self._remove(self._reopen):
                return None
        return self.kept()

    def _remove(self, way: Callable[[], Reach]) -> bool:
        with contextlib.suppress(JvmdiagError, TimeoutError):
            reach = way()
            far = FarFile(reach, self.path)
            if self._settled:
                return far.remove()
            done = reach.host.run(["sh", "-c", _ABANDON, "sh", self.path, *far.paths], user=reach.user)
            self._may_come = done.text.strip() == "absent"
            return done.ok and not self._may_come
        return False

    @property
    def _settled(self) -> bool:
        """Whether the JVM will write no more: it answered, is gone, or was never asked. One that did not
        answer in time, or whose way broke, may take the dump when it goes on."""
        never = CommandRefused | JvmGone | TargetDiskFull | ReadOnlyTarget | DumpIncomplete
        return not self._asked or self._says is not None or isinstance(self._error, never)

    def kept(self) -> LeftBehind:
        """The file as something left behind, with the command that removes it."""
        if self._may_come:
            what = "heap dump that the JVM was asked for and may still write"
            return LeftBehind(
                what, self.path, f"rm -f {shlex.quote(self.path)}  (there, as the JVM's user, later)"
            )
        return LeftBehind(
            "heap dump", self.path, f"rm -f {shlex.quote(self.path)}  (there, as the JVM's user)"
        )
