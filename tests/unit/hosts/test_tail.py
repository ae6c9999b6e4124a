"""The end of a long complaint."""

from __future__ import annotations

import threading

from jvmdiag.hosts.tail import LIMIT_BYTES, Tail


def test_a_short_complaint_is_kept_whole() -> None:
    tail = Tail()
    assert tail.value == b""
    tail.add(b"cat: x: ")
    tail.add(memoryview(b"No such file"))
    assert tail.value == b"cat: x: No such file"


def test_of_a_long_one_exactly_the_last_64_kib_are_kept() -> None:
    tail = Tail()
    text = b"".join(b"line %07d\n" % n for n in range(20_000))
    for at in range(0, len(text), 777):
        tail.add(text[at : at + 777])
    assert tail.value == text[-LIMIT_BYTES:]


def test_one_write_that_is_larger_than_the_limit_is_cut_to_its_end() -> None:
    tail = Tail()
    tail.add(b"a" * LIMIT_BYTES + b"the end")
    assert tail.value == b"a" * (LIMIT_BYTES - 7) + b"the end"


def test_it_may_be_read_while_it_is_written() -> None:
    tail = Tail()

    def write() -> None:
        for _ in range(500):
            tail.add(b"xy" * 500)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(tail.value)
    writer.join()
    seen.append(tail.value)
    assert all(len(value) <= LIMIT_BYTES and set(value) <= set(b"xy") for value in seen)
    assert len(seen[-1]) == LIMIT_BYTES
