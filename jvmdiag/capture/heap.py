"""A heap dump: the JVM writes it on the target while it is followed and brought here.

The file is append-only on 11 to 25, so reading behind the writer is safe, and a reader that lags does
not hold the JVM up. What was received is continued at the same byte on a new stream when one is cut.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.errors import (
    AttachRefused,
    BadRequest,
    CommandRefused,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    JvmGone,
    NoSuchFile,
    ReadOnlyTarget,
    TargetDiskFull,
    TransferCut,
)
from jvmdiag.hosts.base import ByteStream
from jvmdiag.model import LeftBehind

_CREATED = re.compile(r"Heap dump file created \[(\d+) bytes in ([\d.]+) secs\]")
# A JVM of 22 and later writes its segments beside the file and merges them: .p0 and on, one a thread; 3/8 of its CPUs.
_PARTS = tuple(f".p{number}" for number in range(96))
# Behind the /proc/PID/root of a JVM that is gone rm finds nothing, and calls that a success.
_REMOVE = '[ -d "${1%/*}" ] && rm -f -- "$@"'
# A JVM that was asked and has not begun yet writes later all the same, unless its client is gone first:
# that is whatever names the dump, which nothing else does.
_ABANDON = """
name=$1; shift
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
_ATTEMPTS = 4
_PAUSES_S = (0.2, 1.0, 3.0)


def heap_dump_line(path: str, *, live: bool) -> str:
    """The diagnostic command. Without `live` unreachable objects are kept and no collection is forced.

    The path is quoted for the JVM's own parser, which takes blanks inside double quotes and knows no
    escape. Raises BadRequest for a path that cannot be told to it.
    """
    if '"' in path or not path.isprintable():
        raise BadRequest(
            f"a JVM cannot be told to write to {path!r}", why="a double quote or a control character"
        )
    return f'GC.heap_dump {"" if live else "-all "}"{path}"'


@dataclass(frozen=True)
class JvmSays:
    """What the JVM itself said of the dump it wrote: bytes of the file, seconds it took."""

    size_bytes: int
    seconds: float


def parse_created(text: str, path: str) -> JvmSays:
    """The JVM's account. Raises TargetDiskFull, ReadOnlyTarget or DumpIncomplete: the exit code of jcmd
    and jmap is 0 for them too."""
    if created := _CREATED.search(text):
        return JvmSays(int(created[1]), float(created[2]))
    said = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
    if "No space left" in said or "File too large" in said or "Disk quota" in said:
        raise TargetDiskFull(
            "the target's disk filled while the JVM was dumping",
            why=said,
            advice="name a larger directory: --dump-dir DIR",
        )
    if "Read-only" in said or "Permission denied" in said or "Unable to create" in said:
        raise ReadOnlyTarget(
            f"the JVM could not write {path}", why=said, advice="name another directory: --dump-dir DIR"
        )
    raise DumpIncomplete("the JVM did not finish the dump", why=said)


@cache
def _script() -> str:
    return Path(__file__).with_name("follow.sh").read_text(encoding="utf-8")


class HeapDump:
    """One heap dump under way. Iterate `chunks()` to its end, then ask `says()`; `discard()` removes the file.

    `reopen` gives the way to the target anew when the connection is lost; it raises when it cannot.
    `written` is told, by another thread, how many bytes stand in parts beside the file while they grow, and
    0 when that is over; only a JVM of 22 and later makes any.
    """

    def __init__(
        self,
        speaker: Speaker,
        path: str,
        *,
        live: bool,
        timeout_s: float,
        reopen: Callable[[], Reach],
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
        self._written = written
        self._over = threading.Event()
        self._answer: bytes | None = None
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
            if watcher.ident is not None:
                watcher.join(_JOIN_S)

    def _all_chunks(self) -> Iterator[bytes]:
        asker = threading.Thread(target=self._ask, name="heap dump", daemon=True)
        for attempt in range(_ATTEMPTS):
            try:
                yield from self._follow(asker)
                return
            except (TransferCut, ConnectionLost):
                if asker.ident is None:
                    raise
                # Without the JVM's answer nobody could tell when the file is whole.
                self._answered.wait(self._timeout_s)
                self._raise_refusal()
                if attempt + 1 == _ATTEMPTS:
                    raise
                time.sleep(_PAUSES_S[attempt])
                self.resumed += 1
                self._reach = self._way()

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
                yield chunk
            end = stream.finish()
            self._stream = None
        if end.exit_code == 0 and self._answered.is_set():
            return
        if end.exit_code in (66, 67):
            self._answered.wait(self._timeout_s)
            self._raise_refusal()
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

    def _way(self) -> Reach:
        """The same way where it still works, else a new one."""
        with contextlib.suppress(JvmdiagError, TimeoutError):
            if self._reach.host.run(["true"], timeout_s=10).ok:
                return self._reach
        return self._reopen()

    def _ask(self) -> None:
        try:
            self._answer = self._speaker.ask(self._line, self._timeout_s)
        except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that reads
            self._error = error
        finally:
            self._answered.set()
            if stream := self._stream:
                with contextlib.suppress(JvmdiagError):
                    stream.send(b"\n")

    def _raise_refusal(self) -> None:
        self.says()

    def says(self) -> JvmSays:
        """The JVM's account, once the chunks have ended. Raises as `parse_created` does, or what asking raised."""
        if isinstance(self._error, AttachRefused):
            # It answered a question before this one. No other rung may ask for a second dump.
            raise DumpIncomplete(
                "the JVM was asked for the dump, and the answer failed", why=str(self._error)
            )
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise CommandRefused("the JVM has not answered yet")
        return parse_created(self._answer.decode("utf-8", "replace"), self.path)

    def whole_on_target(self) -> bool:
        """Whether the JVM said that it wrote the file to its end. Waits for its answer, if it was asked."""
        if not self._asked:
            return False
        self._answered.wait(self._timeout_s)
        with contextlib.suppress(JvmdiagError):
            self.says()
            return True
        return False

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
        for pause_s in (0.0, *_PAUSES_S[:-1]):
            time.sleep(pause_s)
            if self._remove(self._reopen):
                return None
        return self.kept()

    def _remove(self, way: Callable[[], Reach]) -> bool:
        with contextlib.suppress(JvmdiagError, TimeoutError):
            reach = way()
            paths = [reach.path(self.path + part) for part in ("", *_PARTS)]
            if self._settled:
                return reach.host.run(["sh", "-c", _REMOVE, "sh", *paths], user=reach.user).ok
            done = reach.host.run(["sh", "-c", _ABANDON, "sh", self.path, *paths], user=reach.user)
            self._may_come = done.text.strip() == "absent"
            return done.ok and not self._may_come
        return False

    @property
    def _settled(self) -> bool:
        """Whether the JVM will write no more: it answered, is gone, or was never asked. One that did not
        answer in time, or whose way broke, may take the dump when it goes on."""
        refused = isinstance(self._error, CommandRefused | JvmGone)
        return not self._asked or self._answer is not None or refused

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
