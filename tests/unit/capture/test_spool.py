"""The memory between a stream and whoever takes from it: bounded, and nobody waits at it for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jvmdiag.capture.spool import Spool, spool_bytes
from jvmdiag.errors import TransferCut

MIB = 1 << 20


@pytest.mark.parametrize(
    ("free_kib", "bytes_"), [(400 << 10, 100 * MIB), (9 << 30, 256 * MIB), (5, 16 * MIB)]
)
def test_it_is_a_quarter_of_the_free_memory_within_bounds(tmp_path: Path, free_kib: int, bytes_: int) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 1 kB\nMemAvailable:   {free_kib} kB\n")
    assert spool_bytes(meminfo) == bytes_


def test_where_the_machine_does_not_say_it_is_the_most(tmp_path: Path) -> None:
    assert spool_bytes(tmp_path / "none") == 256 * MIB


def test_chunks_come_in_their_order_and_then_the_end() -> None:
    spool = Spool(10)
    for chunk in (b"a", b"bc"):
        spool.put(chunk)
    spool.end()
    assert [spool.take(1) for _ in range(4)] == [b"a", b"bc", b"", b""]


def test_the_one_who_puts_waits_while_it_is_full() -> None:
    spool, put = Spool(2), threading.Event()
    spool.put(b"abc")

    def more() -> None:
        spool.put(b"d")
        put.set()

    threading.Thread(target=more, daemon=True).start()
    assert not put.wait(0.1)
    assert spool.take(1) == b"abc"
    assert put.wait(5)


def test_closing_lets_the_one_who_puts_go_and_drops_what_comes() -> None:
    spool, put = Spool(1), threading.Event()
    spool.put(b"ab")

    def more() -> None:
        spool.put(b"c")
        spool.put(b"d")
        put.set()

    threading.Thread(target=more, daemon=True).start()
    spool.close()
    assert put.wait(5)
    assert spool.take(1) == b""


def test_the_first_end_counts_and_its_error_comes_before_what_is_held() -> None:
    spool = Spool(10)
    spool.put(b"a")
    spool.end(TransferCut("cut"))
    spool.end(ValueError("later"))
    with pytest.raises(TransferCut):
        spool.take(1)


def test_silence_is_told() -> None:
    with pytest.raises(TimeoutError):
        Spool(1).take(0.01)
