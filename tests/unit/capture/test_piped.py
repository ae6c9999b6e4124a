"""A heap dump through a FIFO: the reader is there first, every end is told, and a JVM is never left waiting."""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.piped import PipedDump, fifo_of, piped_line
from jvmdiag.errors import (
    AttachRefused,
    BadRequest,
    CommandRefused,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    JvmGone,
    LocalDiskFull,
    ReadOnlyTarget,
    TransferCut,
)
from jvmdiag.hosts.local import LocalHost
from jvmdiag.model import LeftBehind, Owner
from tests.fakes import FakeHost, Streamed, done
from tests.unit.capture.readers import readers_of

CONTENT = random.Random(7).randbytes(3_000_000)
ME = Owner(os.geteuid(), os.getegid())
BROKEN = "Dump file is incomplete: Broken pipe\n"


class Jvm(Speaker):
    """Answers a heap dump by what `write` does with the path that it is told; `ended` once it has."""

    method = "pretended"
    detail = "by a test"

    def __init__(self, reach: Reach, write: Callable[[Path], str]) -> None:
        self.reach = reach
        self.asked: list[str] = []
        self.ended = threading.Event()
        self._write = write

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.asked.append(line)
        try:
            return self._write(Path(line.split('"')[1])).encode()
        finally:
            self.ended.set()


def created(size: int = len(CONTENT)) -> str:
    return f"Dumping heap to x ...\nHeap dump file created [{size} bytes in 0.050 secs]\n"


def write_to(path: Path, content: bytes) -> None:
    """As a JVM opens it with -overwrite, and writes."""
    with path.open("wb", buffering=0) as out:
        left = memoryview(content)
        while left:
            left = left[out.write(left) :]


def write_all(path: Path) -> str:
    try:
        write_to(path, CONTENT)
    except BrokenPipeError:
        return BROKEN
    except FileNotFoundError:
        return f"Unable to create {path}: No such file or directory\n"
    return created()


class Kept:
    """An Aside in memory, which may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.held = bytearray()
        self._error = error

    def write(self, data: bytes, /) -> None:
        if self._error:
            raise self._error
        self.held += data

    def read(self) -> Iterator[bytes]:
        yield bytes(self.held)


def no_other_way() -> Reach:
    raise ConnectionLost("still away")


def dump_of(jvm: Jvm, directory: Path, aside: Kept | None = None, **more: Any) -> PipedDump:
    more = {"reopen": no_other_way, **more}
    return PipedDump(
        jvm, ME, str(directory), live=False, timeout_s=10, spool_bytes=1 << 20, aside=aside, **more
    )


def here(write: Callable[[Path], str] = write_all) -> Jvm:
    return Jvm(Reach(LocalHost(), "", None), write)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Not there yet, and gone at the end."""
    yield tmp_path / f".jvmdiag-{secrets.token_hex(6)} b.hprof"
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_one_that_opens_what_is_there_with_one_writer() -> None:
    assert piped_line("/x/f", live=False, parted=False) == 'GC.heap_dump -overwrite -all "/x/f"'
    assert piped_line("/x/f", live=True, parted=True) == 'GC.heap_dump -overwrite -parallel=1 "/x/f"'
    with pytest.raises(BadRequest):
        piped_line('/x"/f', live=True, parted=False)


def test_a_dump_arrives_byte_for_byte_and_leaves_nothing(directory: Path) -> None:
    dump = dump_of(jvm := here(), directory)
    assert b"".join(dump.chunks()) == CONTENT
    assert (dump.received_bytes, dump.says().size_bytes, dump.resumed) == (len(CONTENT), len(CONTENT), 0)
    assert jvm.asked == [piped_line(fifo_of(str(directory)), live=False, parted=False)]
    assert dump.discard() is None
    assert not dump.may_be_whole()


def test_the_reader_is_there_before_the_jvm_is_asked(directory: Path) -> None:
    def write(path: Path) -> str:
        # Without a reader that fails with ENXIO.
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return write_all(path)

    assert b"".join(dump_of(here(write), directory).chunks()) == CONTENT


def parts(path: Path) -> str:
    """As 25 does it: what precedes the objects, the objects beside it, the rest of what precedes them, the end."""
    main = os.open(path, os.O_WRONLY | os.O_TRUNC)
    os.write(main, CONTENT[:1000])
    part = path.with_name(f"{path.name}.p0")
    write_to(part, CONTENT[2000:-9])
    os.write(main, CONTENT[1000:2000])
    # The merger opens the part, finds that it has no size, and removes it.
    os.close(os.open(part, os.O_RDONLY))
    part.unlink()
    os.write(main, CONTENT[-9:])
    os.close(main)
    return created(2009)


def test_a_dump_in_parts_is_put_together(directory: Path) -> None:
    told: list[int] = []
    aside = Kept()
    dump = dump_of(here(parts), directory, aside, written=told.append)
    assert b"".join(dump.chunks()) == CONTENT
    assert (dump.says().size_bytes, dump.received_bytes) == (2009, len(CONTENT))
    assert bytes(aside.held) == CONTENT[2000:-9]
    assert told and told[-1] == 0 and max(told) > 0
    assert dump.discard() is None


def test_a_part_that_finds_no_room_here_ends_the_dump_and_not_the_jvm(directory: Path) -> None:
    def write(path: Path) -> str:
        try:
            return parts(path)
        except BrokenPipeError:
            return BROKEN

    dump = dump_of(jvm := here(write), directory, Kept(LocalDiskFull("full")))
    with pytest.raises(LocalDiskFull):
        list(dump.chunks())
    assert jvm.ended.wait(10)
    assert dump.discard() is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Unable to create /x: Permission denied\n", ReadOnlyTarget),
        (BROKEN, DumpIncomplete),
        ("something else\n", DumpIncomplete),
    ],
)
def test_a_jvm_that_refuses_has_written_nothing(
    directory: Path, answer: str, kind: type[JvmdiagError]
) -> None:
    dump = dump_of(here(lambda _: answer), directory)
    assert list(dump.chunks()) == []
    with pytest.raises(kind):
        dump.says()
    assert dump.discard() is None


@pytest.mark.parametrize(("raised", "kind"), [(AttachRefused, DumpIncomplete), (JvmGone, JvmGone)])
@pytest.mark.parametrize("parted", [True, False])
def test_what_asking_raises_is_raised_and_leads_to_no_second_dump(
    directory: Path, raised: type[JvmdiagError], kind: type[JvmdiagError], parted: bool
) -> None:
    def refuse(_: Path) -> str:
        raise raised("the JVM would not")

    dump = dump_of(here(refuse), directory, Kept() if parted else None)
    with pytest.raises(JvmdiagError, match="the JVM would not") as caught:
        list(dump.chunks())
    assert type(caught.value) is kind
    assert dump.discard() is None


def test_who_stops_reading_midway_lets_the_jvm_go(directory: Path) -> None:
    dump = dump_of(jvm := here(), directory)
    chunks = dump.chunks()
    next(chunks)
    chunks.close()
    assert jvm.ended.wait(10)
    assert dump.discard() is None


def test_a_reader_that_is_killed_is_told_as_a_cut(directory: Path) -> None:
    killed = threading.Event()

    def write(path: Path) -> str:
        try:
            write_to(path, CONTENT[:1000])
            fd = os.open(path, os.O_WRONLY)
            os.kill(readers_of(directory)[0], signal.SIGKILL)
            killed.set()
            while True:
                os.write(fd, CONTENT)
        except BrokenPipeError:
            return BROKEN

    dump = dump_of(here(write), directory)
    with pytest.raises(TransferCut, match="ended after"):
        list(dump.chunks())
    assert killed.is_set()
    assert dump.discard() is None


@pytest.mark.parametrize(
    ("code", "kind", "said"), [(65, ReadOnlyTarget, "no FIFO"), (75, TransferCut, "10 s")]
)
def test_why_there_is_no_reader_is_told_and_the_jvm_is_not_asked(
    directory: Path, code: int, kind: type[JvmdiagError], said: str
) -> None:
    jvm = Jvm(Reach(FakeHost({lambda _: True: Streamed(exit_code=code)}), "", None), write_all)
    with pytest.raises(kind, match=said):
        list(dump_of(jvm, directory).chunks())
    assert jvm.asked == []


def test_what_could_not_be_removed_is_named_with_the_command_for_it(directory: Path) -> None:
    jvm = Jvm(Reach(FakeHost({lambda _: True: done("", 1)}), "", None), write_all)
    tried: list[str] = []

    def reopen() -> Reach:
        tried.append("anew")
        return no_other_way()

    left = dump_of(jvm, directory, reopen=reopen, pauses_s=(0.0, 0.01, 0.01, 60.0)).discard()
    assert tried == ["anew"] * 3
    assert left == LeftBehind(
        "FIFO of a heap dump", str(directory), f"rm -r '{directory}'  (there, as the JVM's user)"
    )


def test_nothing_is_said_before_the_jvm_has_answered(directory: Path) -> None:
    with pytest.raises(CommandRefused, match="not answered yet"):
        dump_of(here(), directory).says()
