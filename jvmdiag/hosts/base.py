"""What every place offers on which a command can run: run to the end, or stream."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from jvmdiag.model import CommandRecord, Completed, Owner, StreamEnd

CHUNK = 1 << 20
RUN_TIMEOUT_S = 30.0
Recorder = Callable[[CommandRecord], None]
SomeHost = TypeVar("SomeHost", bound="Host")
SomeStream = TypeVar("SomeStream", bound="ByteStream")


class ByteStream(ABC):
    """The stdout of a running command, as bytes; stderr is kept aside (its last 64 KiB).

    A stream never just ends: iterate to the end of stdout, then ask `finish()` how it ended.
    Leaving the context without `finish()` abandons the command: its stdin and stdout are closed.
    `send` and `end_input` may be called from another thread than the one that reads.
    """

    @abstractmethod
    def read(self) -> bytes:
        """The next bytes of stdout, up to 1 MiB; empty at its end. Waits without a bound.

        Raises ConnectionLost where the way there broke.
        """

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Write to the command's stdin. Silent where the command no longer reads."""

    @abstractmethod
    def end_input(self) -> None:
        """Close the command's stdin: it reads its end, and what it writes can still be read.

        Over TLS to an engine stdin stays open: that connection cannot be closed one way.
        """

    @abstractmethod
    def finish(self) -> StreamEnd:
        """Close stdin, drain what is left and return how the command ended. Raises ConnectionLost."""

    @abstractmethod
    def close(self) -> None:
        """Abandon the command: both ends are closed, a second call does nothing."""

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read():
            yield chunk

    def __enter__(self: SomeStream) -> SomeStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Recorded(ByteStream):
    """A stream whose end is told once: by finish(), by the error that ended it, or by close()."""

    def __init__(self, stream: ByteStream, ended: Callable[[int | None, str], None]) -> None:
        self._stream = stream
        self._ended = ended
        self._told = False

    def _tell(self, exit_code: int | None, note: str) -> None:
        if not self._told:
            self._told = True
            self._ended(exit_code, note)

    def read(self) -> bytes:
        return self._stream.read()

    def send(self, data: bytes) -> None:
        self._stream.send(data)

    def end_input(self) -> None:
        self._stream.end_input()

    def finish(self) -> StreamEnd:
        try:
            end = self._stream.finish()
        except BaseException as error:
            self._tell(None, type(error).__name__)
            raise
        self._tell(end.exit_code, "" if end.exit_code is not None else "cut")
        return end

    def close(self) -> None:
        self._tell(None, "closed")
        self._stream.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._tell(None, kind.__name__)
        self.close()


class Host(ABC):
    """A place on which commands run. argv, never a command string; bytes, never text; never a pty."""

    name: str
    """As in a message: local://, docker://web, ssh://ops@h."""
    is_here = False
    """Whether its processes are those of the machine that this process runs on."""

    def __init__(self, name: str, record: Recorder | None = None) -> None:
        self.name = name
        self.record: Recorder = record or (lambda _: None)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        user: Owner | None = None,
        timeout_s: float = RUN_TIMEOUT_S,
    ) -> Completed:
        """Run `argv` to its end, as `user` where given, and return what it wrote.

        A command that does not exist ends with 127, one that may not be run with 126, as in a shell.
        Raises TimeoutError after `timeout_s` (the command is abandoned), ConnectionLost, SudoRefused.
        """
        started = time.monotonic()
        exit_code: int | None = None
        note = ""
        try:
            done = self._run(tuple(argv), stdin, user, timeout_s)
            exit_code = done.exit_code
            return done
        except BaseException as error:
            note = type(error).__name__
            raise
        finally:
            self._log(argv, user, exit_code, time.monotonic() - started, note)

    def stream(self, argv: Sequence[str], *, user: Owner | None = None) -> ByteStream:
        """Start `argv`, as `user` where given; its stdin stays open until end_input(), finish() or close().

        Raises as `run` does. The record is written when the stream ends, once.
        """
        started = time.monotonic()

        def ended(exit_code: int | None, note: str) -> None:
            self._log(argv, user, exit_code, time.monotonic() - started, note)

        try:
            return _Recorded(self._stream(tuple(argv), user), ended)
        except BaseException as error:
            ended(None, type(error).__name__)
            raise

    def _log(
        self, argv: Sequence[str], user: Owner | None, exit_code: int | None, seconds: float, note: str
    ) -> None:
        who = str(user) if user else None
        self.record(CommandRecord(self.name, tuple(argv), who, exit_code, seconds, note))

    @abstractmethod
    def _run(
        self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float
    ) -> Completed: ...

    @abstractmethod
    def _stream(self, argv: tuple[str, ...], user: Owner | None) -> ByteStream: ...

    @property
    def is_guarded(self) -> bool:
        """Whether a bit that flips on the way is noticed: on this machine, in SSH and in TLS, and not on bare TCP."""
        return True

    @property
    def host_key_checked(self) -> bool | None:
        """Whether known_hosts vouched for every SSH host on the way; None where there was none."""
        return None

    def close(self) -> None:  # noqa: B027 - most hosts hold nothing
        """Let go of connections. A second call does nothing."""

    def __enter__(self: SomeHost) -> SomeHost:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
