"""The one place where a dump's bytes pass: counted, hashed, walked, compressed and written at once."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from jvmdiag.transfer.codec import BLOCK_BYTES, MEMBER_BYTES, Codec, Members
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.seal import Seal, sealed

# Blocks are of 1 to 2 MiB; two queues hold the same ones, and a third what became of them.
_QUEUED_BLOCKS = 4
T = TypeVar("T")


class Hash(Protocol):
    """A sum of hashlib under way."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Sink(Protocol):
    """What takes the stored bytes: a PartialFile, say."""

    def write(self, data: bytes, /) -> None: ...


@dataclass
class Sums:
    """What has passed so far, before (`raw`) and after (`stored`) compressing."""

    raw_bytes: int = 0
    stored_bytes: int = 0
    raw: Hash = field(default_factory=hashlib.sha256)
    stored: Hash = field(default_factory=hashlib.sha256)

    def pumped(self, *, as_is: bool) -> Pumped:
        """`as_is`: nothing was compressed, and only the raw sum was kept."""
        raw = self.raw.hexdigest()
        return Pumped(self.raw_bytes, self.stored_bytes, raw, raw if as_is else self.stored.hexdigest())


@dataclass(frozen=True)
class Pumped:
    """What passed, before (`raw`) and after (`stored`) compressing. Sums in hex."""

    raw_bytes: int
    stored_bytes: int
    raw_sha256: str
    stored_sha256: str


def pump(
    chunks: Iterable[bytes],
    sink: Sink,
    codec: Codec,
    *,
    walk: StructureWalk | None,
    advance: Callable[[int], None],
    before: Sums | None = None,
    stored: Callable[[int], None] | None = None,
    seal: Seal | None = None,
) -> Pumped:
    """Move `chunks` to `sink` and say what passed; whether it is whole is for the witnesses to say.

    `before` is what `sink` holds already and `walk` has seen, which ends with a member; it counts. `stored` is told,
    in the thread of `sink.write`, how many raw bytes the members hold that `sink` has taken whole.

    `chunks` is read and `advance` is called (with raw bytes) in the caller's thread; `walk.feed` and
    `sink.write` each in another. 16 MiB at most are held, however much passes.
    What any of them raises is raised here, and no thread is left behind; a reader that waits for
    its next chunk is not disturbed before that comes.
    """
    line = _Line(sink, codec, walk, before or Sums(), stored, seal)
    try:
        line.start()
        for block in _blocks(chunks, advance):
            line.put(block)
        line.drain()
    except _Closed:
        pass  # a stage failed, and what it raised follows
    finally:
        line.stop()
    return line.result()


def _blocks(chunks: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """The same bytes in blocks of about 1 MiB: docker exec gives 11 to 32 KiB at a time."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        advance(len(chunk))
        for at in range(0, len(chunk), BLOCK_BYTES):
            # A whole slice of bytes is the same object, not a copy.
            held.append(chunk[at : at + BLOCK_BYTES])
            size += len(held[-1])
            if size >= BLOCK_BYTES:
                yield b"".join(held) if len(held) > 1 else held[0]
                held, size = [], 0
    if held:
        yield b"".join(held)


class _Closed(Exception):
    """The queue was closed: nothing more goes in or comes out."""


class _Queue(Generic[T]):
    """A bounded queue that can be closed from any thread: who waits at either end is woken at once."""

    def __init__(self, limit: int) -> None:
        self._items: deque[T] = deque()
        self._limit = limit
        self._changed = threading.Condition()
        self._ended = self._closed = False

    def put(self, item: T) -> None:
        with self._changed:
            while len(self._items) >= self._limit and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _Closed
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """No more is put; what is queued is still taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what is queued."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                while not (self._items or self._ended or self._closed):
                    self._changed.wait()
                if self._closed:
                    raise _Closed
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item


class _Line:
    """Three stages, each a queue and a thread; the first failure closes every queue.

    check: the raw sum and the walk. compress: feeds store. store: the stored sum and the sink.
    """

    def __init__(
        self,
        sink: Sink,
        codec: Codec,
        walk: StructureWalk | None,
        sums: Sums,
        stored: Callable[[int], None] | None,
        seal: Seal | None,
    ) -> None:
        self._sink = sink
        self._walk = walk
        self._compressor = sealed(Members(codec), seal)
        self._as_is = codec is Codec.NONE and seal is None
        self._sums = sums
        self._begins_at = sums.raw_bytes
        self._told = stored
        self._failure: BaseException | None = None
        self._to_check, self._to_compress = (_Queue[bytes](_QUEUED_BLOCKS) for _ in range(2))
        # With each the raw bytes of the members that end with it or before.
        self._to_store: _Queue[tuple[bytes, int]] = _Queue(_QUEUED_BLOCKS)
        self._queues: tuple[_Queue[Any], ...] = (self._to_check, self._to_compress, self._to_store)
        stages = (self._check, self._compress, self._store)
        self._threads = [
            threading.Thread(target=self._guard, args=(stage,), name=f"pump{stage.__name__}", daemon=True)
            for stage in stages
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, block: bytes) -> None:
        self._sums.raw_bytes += len(block)
        self._to_check.put(block)
        self._to_compress.put(block)

    def drain(self) -> None:
        """Wait until all that was put has passed every stage, each of which feeds only a later one."""
        for queue, thread in zip(self._queues, self._threads, strict=True):
            queue.end()
            thread.join()

    def stop(self) -> None:
        """End the threads, also in midstream."""
        self._close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def result(self) -> Pumped:
        if self._failure is not None:
            raise self._failure
        return self._sums.pumped(as_is=self._as_is)

    def _close(self) -> None:
        for queue in self._queues:
            queue.close()

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except _Closed:
            pass
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            self._failure = self._failure or error
            self._close()

    def _check(self) -> None:
        for block in self._to_check:
            self._sums.raw.update(block)
            if self._walk is not None:
                self._walk.feed(block)

    def _compress(self) -> None:
        passed = self._begins_at
        for block in self._to_compress:
            passed += len(block)
            if data := self._compressor.compress(block):
                self._to_store.put((data, passed // MEMBER_BYTES * MEMBER_BYTES))
        if data := self._compressor.flush():
            self._to_store.put((data, passed))

    def _store(self) -> None:
        told = 0
        for data, whole_bytes in self._to_store:
            self._sink.write(data)
            self._sums.stored_bytes += len(data)
            if not self._as_is:
                self._sums.stored.update(data)
            if self._told and whole_bytes > told:
                told = whole_bytes
                self._told(whole_bytes)
