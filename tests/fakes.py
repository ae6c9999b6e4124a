"""A Host that answers from a table: the one fake of the unit tests, at the one seam there is."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.base import CHUNK, ByteStream, Host, Recorder
from jvmdiag.hosts.tail import LIMIT_BYTES
from jvmdiag.model import Completed, Owner, StreamEnd

WAIT_S = 10.0


@dataclass(frozen=True)
class Asked:
    """One command that the fake was asked to run. `streamed` says with which of the two verbs."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    user: Owner | None = None
    streamed: bool = False


@dataclass(frozen=True)
class Streamed:
    """What a stream gives: its pieces, then its end.

    The pieces behind `held` come only once stdin holds those bytes. `cut` breaks the connection
    where the end would be; exit_code None is a far side that could not say.
    """

    pieces: tuple[bytes, ...] = ()
    exit_code: int | None = 0
    stderr: bytes = b""
    held: bytes = b""
    after_held: tuple[bytes, ...] = ()
    cut: bool = False


Answer = Completed | Streamed | bytes | BaseException
Key = Sequence[str] | Callable[[tuple[str, ...]], bool]
# A Mapping is invariant in its keys: Any spares every test an annotation of Key.
Script = Mapping[Any, "Answer | Callable[[Asked], Answer]"]


def done(stdout: bytes | str = b"", exit_code: int = 0, stderr: bytes | str = b"") -> Completed:
    """An answer in short."""
    out, err = (text.encode() if isinstance(text, str) else text for text in (stdout, stderr))
    return Completed((), exit_code, out, err, 0.0)


class FakeHost(Host):
    """Answers from `script`: by the whole argv, or by a predicate on it, the first that fits.

    An answer is a Completed, bytes (stdout of a success), a Streamed, an exception to raise, or a
    callable that makes one of them from what was asked. The same answer serves run and stream. A
    command that is not in the script goes to `elsewhere`; without one it is the test's mistake
    (AssertionError), never a 127 that the code under test could take for an answer.

    With a LocalHost as `elsewhere` and no script it passes the contract suite by running the suite's
    commands for real; that its scripted answers keep the contract too is tested beside that.
    `asked` holds every command in order, those that went elsewhere included.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        elsewhere: Host | None = None,
        name: str = "fake://",
        record: Recorder | None = None,
    ) -> None:
        super().__init__(name, record)
        self._script = dict(script or {})
        self._elsewhere = elsewhere
        self.asked: list[Asked] = []
        self.streams: list[FakeStream] = []
        self.closed = False

    def add(self, key: Key, answer: Answer | Callable[[Asked], Answer]) -> None:
        """One more line of the script, asked before those that are there."""
        line = key if callable(key) else tuple(key)
        self._script.pop(line, None)
        self._script = {line: answer, **self._script}

    def _answer(self, asked: Asked) -> Answer | None:
        self.asked.append(asked)
        for key, answer in self._script.items():
            if key(asked.argv) if callable(key) else key == asked.argv:
                return answer(asked) if callable(answer) else answer
        if self._elsewhere is None:
            raise AssertionError(f"the script of {self.name} has no answer to {asked.argv}")
        return None

    def _run(self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float) -> Completed:
        answer = self._answer(Asked(argv, stdin, user))
        if answer is None:
            assert self._elsewhere is not None
            return self._elsewhere.run(argv, stdin=stdin, user=user, timeout_s=timeout_s)
        if isinstance(answer, Completed):
            return Completed(argv, answer.exit_code, answer.stdout, answer.stderr, answer.seconds)
        stream = FakeStream(_as_streamed(answer))
        stream.send(stdin)
        out = b"".join(stream)
        end = stream.finish()
        if end.exit_code is None:
            raise ConnectionLost(f"{self.name} did not say how {argv[0]} ended")
        return Completed(argv, end.exit_code, out, end.stderr, 0.0)

    def _stream(self, argv: tuple[str, ...], user: Owner | None) -> ByteStream:
        answer = self._answer(Asked(argv, b"", user, streamed=True))
        if answer is None:
            assert self._elsewhere is not None
            return self._elsewhere.stream(argv, user=user)
        stream = FakeStream(_as_streamed(answer))
        self.streams.append(stream)
        return stream

    def close(self) -> None:
        self.closed = True


def _as_streamed(answer: Answer) -> Streamed:
    if isinstance(answer, BaseException):
        raise answer
    if isinstance(answer, bytes):
        return Streamed((answer,))
    if isinstance(answer, Completed):
        return Streamed((answer.stdout,), answer.exit_code, answer.stderr)
    return answer


@dataclass
class FakeStream(ByteStream):
    """A scripted stream. `sent` is what came to its stdin, `closed` whether it was let go."""

    answer: Streamed
    sent: bytes = b""
    closed: bool = False
    size_bytes: int = 0
    _pieces: deque[bytes] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stdin_closed: bool = False
    _released: bool = False

    def __post_init__(self) -> None:
        self._put(self.answer.pieces)

    def _put(self, pieces: tuple[bytes, ...]) -> None:
        # A real pipe never gives more than 1 MiB at once, and an empty piece would be its end.
        for piece in pieces:
            self._pieces.extend(piece[i : i + CHUNK] for i in range(0, len(piece), CHUNK))

    def read(self) -> bytes:
        with self._changed:
            if not self._pieces and not self._released:
                self._wait_for_held()
            if self._pieces:
                piece = self._pieces.popleft()
                self.size_bytes += len(piece)
                return piece
        if self.answer.cut:
            raise ConnectionLost("the connection broke", why="the script cuts it here")
        return b""

    def _wait_for_held(self) -> None:
        def is_over() -> bool:
            return self.answer.held in self.sent or self._stdin_closed or self.closed

        if not self._changed.wait_for(is_over, WAIT_S):
            raise AssertionError(f"nobody sent {self.answer.held!r}")
        if self.answer.held in self.sent:
            self._put(self.answer.after_held)
        self._released = True

    def send(self, data: bytes) -> None:
        with self._changed:
            if not self._stdin_closed:
                self.sent += data
            self._changed.notify_all()

    def end_input(self) -> None:
        with self._changed:
            self._stdin_closed = True
            self._changed.notify_all()

    def finish(self) -> StreamEnd:
        self.end_input()
        while self.read():
            pass
        return StreamEnd(self.answer.exit_code, self.answer.stderr[-LIMIT_BYTES:], self.size_bytes)

    def close(self) -> None:
        with self._changed:
            self.closed = self._stdin_closed = True
            self._changed.notify_all()
