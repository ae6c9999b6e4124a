"""This machine as a Host: commands are its subprocesses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from typing import IO, Any

from jvmdiag.hosts.base import CHUNK, ByteStream, Host, Recorder
from jvmdiag.hosts.sudo import Ask, Identity, Switch, UserSwitch
from jvmdiag.hosts.tail import Tail
from jvmdiag.hosts.uninterrupted import uninterrupted
from jvmdiag.model import Completed, Owner, StreamEnd

# A pipe of 64 KiB makes writer and reader take turns; Linux allows 1 MiB to everybody.
_PIPE_BYTES = 1 << 20
_END_S = 5.0
_KILL_S = 2.0
_SWITCH_S = 30.0


class LocalHost(Host):
    """Commands run here, as this process's user; as another where that is root, or sudo was asked for."""

    is_here = True

    def __init__(self, record: Recorder | None = None, *, sudo: bool = False, ask: Ask | None = None) -> None:
        super().__init__("local://", record)
        login = os.environ.get("USER") or str(os.geteuid())
        me = Identity(Owner(os.geteuid(), os.getegid()), login, tuple(os.getgroups()))
        self._users = UserSwitch("this machine", me, self._plain, sudo=sudo, ask=ask)

    def _run(self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float) -> Completed:
        started = time.monotonic()
        switch = Switch() if os.geteuid() == 0 else self._users.to(user)
        with ExitStack() as ends:
            try:
                with uninterrupted():
                    process = _start(switch.argv(argv), user)
                    ends.callback(end_group, process, signal.SIGKILL)
                    ends.callback(_close_pipes, process)
            except OSError as error:
                said = str(error).encode()
                return Completed(argv, _shell_code(error), b"", said, time.monotonic() - started)
            try:
                out, err = process.communicate(switch.stdin + stdin, timeout_s)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"{argv[0]} did not end within {timeout_s:g} s") from None
        return Completed(argv, _exit_code(process), out, err, time.monotonic() - started)

    def _plain(self, argv: tuple[str, ...], stdin: bytes) -> Completed:
        return self._run(argv, stdin, None, _SWITCH_S)

    def _stream(self, argv: tuple[str, ...], user: Owner | None) -> ByteStream:
        switch = Switch() if os.geteuid() == 0 else self._users.to(user)
        with ExitStack() as ends:
            try:
                with uninterrupted():
                    stream = _ProcessStream(_start(switch.argv(argv), user))
                    ends.callback(stream.close)
            except OSError as error:
                return _NeverStarted(_shell_code(error), str(error))
            stream.send(switch.stdin)
            ends.pop_all()
        return stream


def _shell_code(error: OSError) -> int:
    """What a shell ends with for a command that is not there, or may not be run."""
    return 127 if isinstance(error, FileNotFoundError) else 126


def _start(argv: tuple[str, ...], user: Owner | None) -> subprocess.Popen[bytes]:
    as_other: dict[str, Any] = {}
    if user is not None and os.geteuid() == 0 and user != Owner(0, os.getegid()):
        as_other = {"user": user.uid, "group": user.gid, "extra_groups": []}
    # A session of its own: Ctrl-C in the terminal reaches jvmdiag, which then cleans up in order.
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
        cwd="/",
        **as_other,
    )


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    code = process.wait()
    return code if code >= 0 else 128 - code


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def end_group(process: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """Signal the process's group, with the next where it lives on after 2 s; one that has ended is reaped.

    Returns in any case: sudo and what it runs are not for us to signal, and end by themselves.
    """
    for number in signals:
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_S)
    if process.poll() is None:
        threading.Thread(target=process.wait, daemon=True).start()


class _ProcessStream(ByteStream):
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._process = process
        self._stdin: IO[bytes] = process.stdin
        self._stdout = process.stdout.fileno()
        self._size_bytes = 0
        self._complaints = Tail()
        self._drain = threading.Thread(target=self._drain_stderr, args=(process.stderr,), daemon=True)
        self._drain.start()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def _drain_stderr(self, stderr: IO[bytes]) -> None:
        # A command that cannot be ended outlives the pipe that close() takes away.
        with contextlib.suppress(OSError, ValueError):
            while chunk := stderr.read(65536):
                self._complaints.add(chunk)

    def read(self) -> bytes:
        chunk = os.read(self._stdout, CHUNK)
        self._size_bytes += len(chunk)
        return chunk

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._stdin.write(data)

    def end_input(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def finish(self) -> StreamEnd:
        self.end_input()
        while self.read():
            pass
        code = _exit_code(self._process)
        self._drain.join(_END_S)
        return StreamEnd(code, self._complaints.value, self._size_bytes)

    def close(self) -> None:
        self.end_input()
        end_group(self._process, signal.SIGKILL)
        self._drain.join(_END_S)
        _close_pipes(self._process)


class _NeverStarted(ByteStream):
    """A command that is not there: no output, and the exit code a shell would give."""

    def __init__(self, code: int, complaint: str) -> None:
        self._end = StreamEnd(code, complaint.encode(), 0)

    def read(self) -> bytes:
        return b""

    def send(self, data: bytes) -> None:
        pass

    def end_input(self) -> None:
        pass

    def finish(self) -> StreamEnd:
        return self._end

    def close(self) -> None:
        pass
