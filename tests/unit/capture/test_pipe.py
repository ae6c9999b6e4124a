"""The FIFO and its reader, as a shell runs them: whoever is killed, stalls or never comes, no writer waits for long."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jvmdiag.capture.pipe import script
from tests.unit.capture.readers import readers_of

PAST_S = 15.0
# Half a second.
SOON = 5
DATA = os.urandom(1 << 20) * 3


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Not there yet; by its name, of chance, the processes of a copy are found."""
    return tmp_path / f".jvmdiag-{secrets.token_hex(6)}.hprof"


class Copy:
    """A copy whose reader is there; leaving the context ends it."""

    def __init__(self, directory: Path, looks: int = 100) -> None:
        argv = ["sh", "-c", script(), "sh", "copy", str(looks), str(directory), "fifo", "fifo"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        head = b""
        while not head.endswith(b"\n"):
            head += os.read(self.stdout.fileno(), 6)
        assert head == b"ready\n"

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.process.wait(PAST_S)
        self.stdout.close()

    def say(self, word: bytes) -> None:
        self.stdin.write(word + b"\n")
        self.stdin.flush()

    def ends_with(self) -> int:
        return self.process.wait(PAST_S)


@contextlib.contextmanager
def writing(fifo: Path, data: bytes = DATA) -> Iterator[list[OSError | None]]:
    """A writer in a thread, as a JVM is one; what it ended with is in the list when the context has ended."""
    ended: list[OSError | None] = []

    def write() -> None:
        try:
            fd = os.open(fifo, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(fd, left) :]
            finally:
                os.close(fd)
            ended.append(None)
        except OSError as error:
            ended.append(error)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield ended
    thread.join(PAST_S)
    assert not thread.is_alive(), "the writer waits for ever"


def until(what: str, done: Callable[[], object], patience_s: float = PAST_S) -> None:
    end = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def test_it_is_for_its_owner_only_and_goes_with_the_copy(directory: Path) -> None:
    with Copy(directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        mode = (directory / "fifo").stat().st_mode
        assert stat.S_ISFIFO(mode) and stat.S_IMODE(mode) == 0o600
    assert list(directory.parent.iterdir()) == []


def test_what_is_written_comes_whole_once_the_writer_is_said_to_be_done(directory: Path) -> None:
    with Copy(directory) as copy, writing(directory / "fifo") as ended:
        received = b""
        while len(received) < len(DATA):
            received += os.read(copy.stdout.fileno(), 1 << 20)
        until("it is written", lambda: ended)
        copy.say(b"done")
        assert os.read(copy.stdout.fileno(), 1) == b""
        assert copy.ends_with() == 0
    assert (ended, received) == ([None], DATA)
    assert list(directory.parent.iterdir()) == []


def test_a_writer_that_comes_when_nobody_listens_any_more_finds_no_place_for_a_file(directory: Path) -> None:
    with Copy(directory):
        pass
    with writing(directory / "fifo") as ended:
        pass
    assert isinstance(ended[0], FileNotFoundError)
    assert list(directory.parent.iterdir()) == []


@pytest.mark.parametrize("word", [b"leave", b""])
def test_one_that_writes_when_the_listener_goes_is_told(directory: Path, word: bytes) -> None:
    with Copy(directory) as copy, writing(directory / "fifo") as ended:
        # Nobody takes it, and both pipes together hold less.
        time.sleep(0.2)
        assert not ended
        copy.say(word) if word else copy.stdin.close()
        # Not 75, which it would be once the bound is over.
        assert copy.ends_with() == 137
    assert isinstance(ended[0], BrokenPipeError)
    assert list(directory.parent.iterdir()) == []


def test_one_that_writes_when_the_reader_is_killed_is_told(directory: Path) -> None:
    with Copy(directory) as copy, writing(directory / "fifo") as ended:
        [reader] = readers_of(directory)
        os.kill(reader, signal.SIGKILL)
        assert copy.ends_with() == 137
    assert isinstance(ended[0], BrokenPipeError)
    assert list(directory.parent.iterdir()) == []


@pytest.mark.parametrize("stopped", [True, False])
def test_a_reader_that_takes_nothing_is_ended_within_its_bound(directory: Path, stopped: bool) -> None:
    """It is stopped itself, or what it read is taken by nobody: here, by us."""
    with Copy(directory, SOON) as copy:
        if stopped:
            os.kill(readers_of(directory)[0], signal.SIGSTOP)
        with writing(directory / "fifo") as ended:
            pass
        assert isinstance(ended[0], BrokenPipeError)
        assert copy.ends_with() == 75
    assert list(directory.parent.iterdir()) == []


def test_a_writer_that_writes_nothing_is_waited_for(directory: Path) -> None:
    with Copy(directory, SOON) as copy:
        fd = os.open(directory / "fifo", os.O_WRONLY)
        os.write(fd, b"x")
        with pytest.raises(subprocess.TimeoutExpired):
            copy.process.wait(1.25)
        os.close(fd)


def test_release_lets_a_writer_go_whose_copy_was_killed_before_it_came(directory: Path) -> None:
    with Copy(directory) as copy:
        readers = readers_of(directory)
        copy.process.kill()
        copy.process.wait()
        for reader in readers:
            os.kill(reader, signal.SIGKILL)
    until("the FIFO has no reader", lambda: not has_reader(directory / "fifo"))
    with writing(directory / "fifo") as ended:
        time.sleep(0.3)
        assert not ended
        assert released(directory) == 0
    assert isinstance(ended[0], BrokenPipeError)
    assert list(directory.parent.iterdir()) == []


def has_reader(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def released(directory: Path) -> int:
    return subprocess.run(["sh", "-c", script(), "sh", "release", str(directory)]).returncode


def test_release_ends_a_reader_that_is_stopped_and_whose_shell_is_gone(directory: Path) -> None:
    with Copy(directory) as copy:
        [reader] = readers_of(directory)
        os.kill(reader, signal.SIGSTOP)
        with writing(directory / "fifo") as ended:
            copy.process.kill()
            copy.process.wait()
            assert released(directory) == 0
    assert isinstance(ended[0], BrokenPipeError)
    until("the reader is gone", lambda: not readers_of(directory))
    assert list(directory.parent.iterdir()) == []


def test_release_of_what_is_not_there_does_nothing_and_of_what_cannot_be_seen_is_no_success(
    directory: Path,
) -> None:
    assert released(directory) == 0
    assert released(directory / "not/there") == 1


def test_where_no_directory_can_be_made_it_says_why() -> None:
    argv = ["sh", "-c", script(), "sh", "copy", "10", "/proc/x", "fifo", "fifo"]
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 65
    assert b"/proc/x" in done.stderr
