"""FastPipe behaves as paramiko's BufferedPipe: the same suite runs on both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import paramiko
import pytest
from paramiko.buffered_pipe import BufferedPipe, PipeTimeout

from jvmdiag.hosts import fastpipe
from jvmdiag.hosts.fastpipe import FastPipe


@pytest.fixture(params=["stock", "fast"])
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return BufferedPipe if request.param == "stock" else lambda: FastPipe(PipeTimeout)


def test_the_verbs_are_those_of_the_installed_paramiko() -> None:
    def verbs(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert verbs(FastPipe) == verbs(BufferedPipe)


def test_a_channel_of_the_installed_paramiko_takes_one() -> None:
    channel = paramiko.Channel(1)
    assert fastpipe.install(channel)
    assert isinstance(channel.in_buffer, FastPipe)


def test_a_channel_that_holds_something_or_is_watched_keeps_its_own() -> None:
    full, watched, other = paramiko.Channel(1), paramiko.Channel(2), paramiko.Channel(3)
    full.in_buffer.feed(b"x")
    watched.in_buffer.set_event(threading.Event())
    assert fastpipe.install(other)
    assert not fastpipe.install(full)
    assert not fastpipe.install(watched)
    assert not fastpipe.install(other)
    assert not fastpipe.install(object())


def test_bytes_come_out_in_order_whatever_the_pieces(make: Callable[[], Any]) -> None:
    pipe = make()
    for piece in (b"abc", b"", b"defgh", b"i"):
        pipe.feed(piece)
    assert len(pipe) == 9
    assert [pipe.read(2), pipe.read(4), pipe.read(100)] == [b"ab", b"cdef", b"ghi"]
    assert len(pipe) == 0


def test_a_read_waits_for_the_next_bytes(make: Callable[[], Any]) -> None:
    pipe = make()
    threading.Timer(0.02, pipe.feed, (b"late",)).start()
    assert pipe.read(10, 5.0) == b"late"


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_a_read_that_waits_too_long_raises_the_timeout(make: Callable[[], Any], timeout: float) -> None:
    with pytest.raises(PipeTimeout):
        make().read(10, timeout)


def test_closing_wakes_the_reader_and_leaves_what_is_held(make: Callable[[], Any]) -> None:
    pipe = make()
    threading.Timer(0.02, pipe.close).start()
    assert pipe.read(10) == b""
    pipe.feed(b"rest")
    assert [pipe.read(10), pipe.read(10), pipe.read(10, 0.0)] == [b"rest", b"", b""]


def test_read_ready_says_whether_a_read_would_return_bytes(make: Callable[[], Any]) -> None:
    pipe = make()
    assert not pipe.read_ready()
    pipe.feed(b"x")
    assert pipe.read_ready()


def test_empty_gives_everything(make: Callable[[], Any]) -> None:
    pipe = make()
    pipe.feed(b"ab")
    pipe.feed(b"c")
    assert (pipe.empty(), len(pipe), pipe.empty()) == (b"abc", 0, b"")


def test_the_event_is_set_while_there_is_something_to_read(make: Callable[[], Any]) -> None:
    pipe, event = make(), threading.Event()
    pipe.set_event(event)
    states = [event.is_set()]
    pipe.feed(b"abc")
    states.append(event.is_set())
    pipe.read(2)
    states.append(event.is_set())
    pipe.read(2)
    states.append(event.is_set())
    pipe.close()
    states.append(event.is_set())
    assert states == [False, True, True, False, True]


def test_an_event_that_comes_late_is_set_at_once(make: Callable[[], Any]) -> None:
    full, closed = make(), make()
    full.feed(b"x")
    closed.close()
    for pipe in (full, closed):
        event = threading.Event()
        pipe.set_event(event)
        assert event.is_set()


def test_one_thread_feeds_while_another_reads() -> None:
    pipe = FastPipe(PipeTimeout)
    pieces = [bytes([n % 256]) * (n % 700 + 1) for n in range(3000)]

    def feed() -> None:
        for piece in pieces:
            pipe.feed(piece)
        pipe.close()

    threading.Thread(target=feed).start()
    got = []
    while chunk := pipe.read(1000, 5.0):
        got.append(chunk)
    assert b"".join(got) == b"".join(pieces)
    assert max(len(chunk) for chunk in got) <= 1000
