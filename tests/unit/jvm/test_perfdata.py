"""Performance data, real and damaged: read as far as it is whole, and never an exception."""

from __future__ import annotations

import struct

import pytest

from jvmdiag.jvm.perfdata import heap_of, parse_perfdata
from jvmdiag.model import Heap
from tests.unit.jvm.probe_case import output_of

MIB = 1 << 20


def perfdata_of(case: str) -> bytes:
    """The file in a recorded probe."""
    return output_of(case)[output_of(case).index(b"\xca\xfe\xc0\xc0") :]


def made(counters: dict[str, int | str], order: str = "<", major: int = 2) -> bytes:
    """A file of the format, entry by entry as HotSpot's perfMemory.hpp lays them out."""
    entries = b"".join(entry(name, value, order) for name, value in counters.items())
    prologue = struct.pack(
        order + "BBBBiiqii", order == "<", major, 0, 1, len(entries), 0, 0, 32, len(counters)
    )
    return b"\xca\xfe\xc0\xc0" + prologue + entries


def entry(name: str, value: int | str, order: str) -> bytes:
    text = name.encode() + b"\0"
    text += bytes(-len(text) % 8)
    number = isinstance(value, int)
    data = struct.pack(order + "q", value) if number else str(value).encode() + b"\0"
    kind, vector = (ord("J"), 0) if number else (ord("B"), len(data))
    head = struct.pack(
        order + "iiiBBBBi", 20 + len(text) + len(data), 20, vector, kind, 0, 1, 1, 20 + len(text)
    )
    return head + text + data


@pytest.mark.parametrize(
    ("case", "version", "frequency"),
    [
        ("jdk11-listening-inside", "11.0.13", 1_000_000_000),
        ("jdk17-listening-host", "17.0.9", 1_000_000_000),
        ("jdk21-listening-inside", "21.0.8", 1_000_000_000),
        ("jdk25-listening-inside", "25.0.2", 1_000_000_000),
        ("options-and-limit-inside", "17.0.9", 1_000_000_000),
    ],
)
def test_real_files_of_each_jvm_are_read_to_their_end(case: str, version: str, frequency: int) -> None:
    data = perfdata_of(case)
    counters = parse_perfdata(data)
    assert len(counters) == struct.unpack_from("<i", data, 28)[0]
    assert counters["java.property.java.version"] == version
    assert counters["sun.os.hrt.frequency"] == frequency


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    counters: dict[str, int | str] = {"a.long": -5, "a.text": "abc", "another": 1 << 40}
    assert parse_perfdata(made(counters, order)) == counters


@pytest.mark.parametrize(
    "data",
    [b"", b"\xca\xfe\xc0\xc0", bytes(64), b"\xca\xfe\xba\xbe" + bytes(60), made({"a": 1}, major=1)],
    ids=["empty", "cut", "zeros", "a-class-file", "another-version"],
)
def test_what_is_no_such_file_is_empty(data: bytes) -> None:
    assert parse_perfdata(data) == {}


def test_a_file_cut_anywhere_gives_what_was_before_the_cut() -> None:
    counters: dict[str, int | str] = {f"counter.{n}": n for n in range(20)}
    whole = made(counters)
    sizes = [len(parse_perfdata(whole[:cut])) for cut in range(len(whole) + 1)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1], len(set(sizes))) == (0, 20, 21)


@pytest.mark.parametrize("length", [0, -8, 19, 1 << 30])
def test_an_entry_of_an_impossible_length_ends_the_walk(length: int) -> None:
    data = bytearray(made({"a": 1, "b": 2}))
    second = 32 + struct.unpack_from("<i", data, 32)[0]
    struct.pack_into("<i", data, second, length)
    assert parse_perfdata(bytes(data)) == {"a": 1}


def test_noise_behind_the_prologue_is_never_an_exception() -> None:
    data = perfdata_of("jdk17-listening-host")[:4096]
    for at in range(32, 600):
        parse_perfdata(data[:at] + b"\xff\x7f\xff\x80" + data[at + 4 :])


def test_the_generations_of_most_collectors_add_up() -> None:
    assert heap_of(parse_perfdata(perfdata_of("options-and-limit-inside"))) == Heap(
        18_485_160, 59_768_832, 34_603_008 + 70_254_592
    )


@pytest.mark.parametrize("case", ["jdk21-listening-inside", "jdk25-listening-inside"])
def test_with_g1_the_maximum_is_that_of_the_whole_heap_and_not_twice_it(case: str) -> None:
    heap = heap_of(parse_perfdata(perfdata_of(case)))
    assert heap is not None
    assert (heap.max_bytes, heap.committed_bytes) == (128 * MIB, 128 * MIB)


def test_with_generational_z_the_maximum_is_that_of_the_whole_heap_and_not_twice_it() -> None:
    heap = heap_of(parse_perfdata(perfdata_of("docker-init-inside")))
    assert heap is not None
    assert (heap.max_bytes, heap.committed_bytes) == (64 * MIB, 64 * MIB)


def test_a_jvm_that_publishes_no_heap_has_none() -> None:
    assert heap_of({"sun.rt.safepoints": 3}) is None
    assert heap_of({}) is None


def test_a_heap_without_a_maximum_says_so() -> None:
    counters = {"sun.gc.generation.0.capacity": 10, "sun.gc.generation.0.space.0.used": 4}
    assert heap_of(counters) == Heap(4, 10, None)
