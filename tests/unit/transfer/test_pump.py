"""The one place where the bytes pass."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator

import pytest

from jvmdiag.errors import ConnectionLost, LocalDiskFull
from jvmdiag.transfer.codec import BLOCK_BYTES, Codec, Members
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import Pumped, pump
from tests import hprof_bytes as make

DUMP = make.large_dump(7 << 20)
HELD_AT_MOST = 16 << 20


class Memory:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.parts.append(data)

    @property
    def content(self) -> bytes:
        return b"".join(self.parts)


class Full:
    """A disk that has room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, data: bytes) -> None:
        self.room -= len(data)
        if self.room < 0:
            raise LocalDiskFull("the disk is full")


class BrokenWalk(StructureWalk):
    def feed(self, chunk: bytes | memoryview) -> None:
        raise ValueError("a walk that fails")


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def endless(seen: list[int]) -> Iterator[bytes]:
    block = bytes(1 << 18)
    while True:
        seen.append(len(block))
        yield block


def pumped(source: Iterator[bytes], sink: Memory | Full, codec: Codec = Codec.NONE) -> Pumped:
    return pump(source, sink, codec, walk=None, advance=lambda _: None)


def threads_of_the_pump() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pump")]


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("size", [16_411, BLOCK_BYTES, 5 << 20])
def test_every_byte_is_counted_summed_walked_and_stored(codec: Codec, size: int) -> None:
    sink, walk, steps = Memory(), StructureWalk(), list[int]()
    got = pump(chunks(DUMP, size), sink, codec, walk=walk, advance=steps.append)
    assert got == Pumped(
        raw_bytes=len(DUMP),
        stored_bytes=len(sink.content),
        raw_sha256=hashlib.sha256(DUMP).hexdigest(),
        stored_sha256=hashlib.sha256(sink.content).hexdigest(),
    )
    assert walk.finish().complete
    assert sum(steps) == len(DUMP)
    assert threads_of_the_pump() == []


@pytest.mark.parametrize("codec", list(Codec))
def test_nothing_passes_too(codec: Codec) -> None:
    sink = Memory()
    got = pumped(iter(()), sink, codec)
    assert got.raw_bytes == 0
    assert got.raw_sha256 == hashlib.sha256().hexdigest()
    assert got.stored_sha256 == hashlib.sha256(sink.content).hexdigest()


def test_small_and_large_chunks_become_blocks_of_a_megabyte() -> None:
    for size in (4099, 700_000, 6 << 20):
        sink = Memory()
        pumped(chunks(DUMP, size), sink)
        assert sink.content == DUMP
        sizes = [len(part) for part in sink.parts]
        assert all(BLOCK_BYTES <= size < 2 * BLOCK_BYTES for size in sizes[:-1]), sizes


def test_progress_is_told_in_the_callers_thread() -> None:
    told: set[str] = set()
    pump(
        chunks(DUMP, 1 << 18),
        Memory(),
        Codec.GZIP,
        walk=None,
        advance=lambda _: told.add(threading.current_thread().name),
    )
    assert told == {threading.current_thread().name}


@pytest.mark.parametrize("codec", list(Codec))
def test_a_full_disk_stops_the_reader_and_is_raised_as_it_is(codec: Codec) -> None:
    seen: list[int] = []
    with pytest.raises(LocalDiskFull, match="the disk is full"):
        pumped(endless(seen), Full(0), codec)
    assert threads_of_the_pump() == []


def test_a_full_disk_at_the_last_byte_is_raised_too() -> None:
    with pytest.raises(LocalDiskFull):
        pumped(chunks(DUMP, 1 << 20), Full(len(DUMP) - 1))


def test_a_failing_walk_is_raised() -> None:
    with pytest.raises(ValueError, match="a walk that fails"):
        pump(endless([]), Memory(), Codec.NONE, walk=BrokenWalk(), advance=lambda _: None)
    assert threads_of_the_pump() == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConnectionLost("cut")])
def test_what_the_reader_raises_is_raised_and_no_thread_is_left(stop: BaseException) -> None:
    def reader() -> Iterator[bytes]:
        yield from chunks(DUMP, 1 << 16)
        raise stop

    with pytest.raises(type(stop)) as caught:
        pumped(reader(), Memory(), Codec.GZIP)
    assert caught.value is stop
    assert threads_of_the_pump() == []


def test_what_advance_raises_is_raised_and_no_thread_is_left() -> None:
    def stop(_size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pump(endless([]), Memory(), Codec.ZSTD, walk=None, advance=stop)
    assert threads_of_the_pump() == []


@pytest.mark.parametrize("codec", list(Codec))
def test_a_slow_disk_holds_the_reader_back(codec: Codec) -> None:
    seen: list[int] = []
    read_when_full: list[int] = []
    opened = threading.Event()

    class Slow:
        def write(self, data: bytes) -> None:
            opened.wait(30)
            raise LocalDiskFull("enough")

    def open_up() -> None:
        until = time.monotonic() + 30
        while sum(seen) < 4 << 20 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.2)
        read_when_full.append(sum(seen))
        opened.set()

    incompressible = hashlib.shake_256(b"seed").digest(1 << 20)

    def reader() -> Iterator[bytes]:
        while True:
            seen.append(len(incompressible))
            yield incompressible

    watcher = threading.Thread(target=open_up)
    watcher.start()
    with pytest.raises(LocalDiskFull):
        pump(reader(), Slow(), codec, walk=None, advance=lambda _: None)
    watcher.join()
    assert 4 << 20 <= read_when_full[0] <= HELD_AT_MOST


@pytest.mark.parametrize("codec", list(Codec))
def test_it_says_what_is_stored_in_whole_members(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jvmdiag.transfer.pump.MEMBER_BYTES", 2 << 20)
    monkeypatch.setattr("jvmdiag.transfer.pump.Members", lambda codec: Members(codec, 2 << 20))
    sink, told = Memory(), list[int]()

    def stored(whole_bytes: int) -> None:
        told.append(whole_bytes)
        if codec is Codec.GZIP:
            assert len(gzip.decompress(sink.content)) >= whole_bytes

    pump(chunks(DUMP, 1 << 20), sink, codec, walk=None, advance=lambda _: None, stored=stored)
    last = [] if codec is Codec.NONE else [len(DUMP)]
    assert told == [*range(2 << 20, len(DUMP), 2 << 20), *last]
