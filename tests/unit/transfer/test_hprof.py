"""The structure walk: what is complete, what is not, and that it says where."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from jvmdiag.transfer.hprof import FILE_HEADER, RECORD_HEADER, Structure, StructureWalk, Tag
from tests import hprof_bytes as make


def walked(data: bytes, *cuts: int) -> Structure:
    walk = StructureWalk()
    borders = [0, *sorted(cuts), len(data)]
    for begin, end in pairwise(borders):
        walk.feed(data[begin:end])
    return walk.finish()


def test_a_whole_dump_is_complete_and_described() -> None:
    dump = make.small_dump()
    found = walked(dump)
    assert found.complete, found.detail
    assert (found.version, found.id_size) == ("JAVA PROFILE 1.0.2", 8)
    assert found.timestamp_ms == make.TIMESTAMP_MS
    assert (found.records, found.segments, found.heap_bytes) == (11, 3, 157)
    assert found.size_bytes == len(dump)
    assert found.starts_as_hprof


def test_however_it_is_split_the_answer_is_the_same() -> None:
    dump = make.small_dump()
    whole = walked(dump)
    assert walked(dump, *range(len(dump))) == whole
    chance = random.Random(1)
    for _ in range(300):
        cuts = [chance.randrange(len(dump) + 1) for _ in range(chance.randrange(12))]
        assert walked(dump, *cuts) == whole


def test_a_dump_of_many_chunks_is_complete() -> None:
    dump = make.large_dump(5 << 20)
    assert walked(dump, *range(0, len(dump), 11_003)).complete


def test_a_memoryview_will_do() -> None:
    walk = StructureWalk()
    walk.feed(memoryview(make.small_dump()))
    assert walk.finish().complete


def test_no_beginning_of_a_dump_is_complete() -> None:
    dump = make.small_dump()
    for size in range(len(dump)):
        found = walked(dump[:size])
        assert not found.complete, size
        assert found.size_bytes == size
        assert found.detail == "the file is empty" or f"offset {size:,}" in found.detail


def test_one_byte_more_is_not_complete() -> None:
    dump = make.small_dump()
    found = walked(dump + b"\0")
    assert not found.complete
    assert walked(dump + make.END).detail == f"there is more at offset {len(dump):,}, behind HEAP_DUMP_END"
    more = walked(dump + make.utf8(9, "more") + make.END)
    assert not more.complete
    assert more.detail == f"there is more at offset {len(dump):,}, behind HEAP_DUMP_END"


def test_a_flipped_bit_in_any_length_is_noticed() -> None:
    dump = make.small_dump()
    for offset in make.header_offsets(dump):
        for bit in range(32):
            broken = bytearray(dump)
            broken[offset + 5 + bit // 8] ^= 1 << bit % 8
            assert not walked(bytes(broken)).complete, (offset, bit)


def test_random_damage_never_raises_and_ends() -> None:
    dump = make.small_dump()
    offsets = make.header_offsets(dump)
    chance = random.Random(2)
    for _ in range(3000):
        broken = bytearray(dump)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.choice(offsets) + chance.randrange(RECORD_HEADER.size)] = chance.randrange(256)
        found = walked(bytes(broken), chance.randrange(len(dump)))
        assert found.detail
        assert found.records <= len(dump) // RECORD_HEADER.size


def test_random_bytes_behind_a_good_header_never_raise() -> None:
    chance = random.Random(3)
    for _ in range(500):
        found = walked(make.header() + chance.randbytes(chance.randrange(200)))
        assert not found.complete


def test_a_body_of_four_gigabytes_in_a_short_file_is_a_cut() -> None:
    claim = RECORD_HEADER.pack(Tag.HEAP_DUMP_SEGMENT, 0, 0xFFFFFFFF)
    found = walked(make.header() + claim + b"x" * 10)
    assert not found.complete
    assert f"{0xFFFFFFFF - 10:,} bytes before its last record (HEAP_DUMP_SEGMENT) is whole" in found.detail


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"JAVA PROF", "within the 31 bytes of its header"),
        (b"PK\x03\x04" + bytes(100), "does not begin with JAVA PROFILE 1.0.x"),
        (make.header("JAVA PROFILE 2.0.2"), "does not begin with JAVA PROFILE 1.0.x"),
        (make.header("JAVA PROFILE 1.0.x"), "does not begin with JAVA PROFILE 1.0.x"),
        (make.header(id_size=2), "ids are 2 bytes wide"),
        (make.header(id_size=0x08000000), "ids are 134217728 bytes wide"),
        (make.header(), "offset 31, behind a whole record and without HEAP_DUMP_END"),
        (make.header() + make.END, "with no heap before it"),
        (make.header() + make.record(0x08), "no record begins with 0x08, which stands at offset 31"),
        (make.header() + make.record(0x2C, b"x"), "HEAP_DUMP_END at offset 31 has a body of 1 bytes"),
        (make.header() + make.segment(b"x"), "without HEAP_DUMP_END"),
        (make.header() + make.record(0x0C, b"x") + make.segment(b"x"), "without HEAP_DUMP_END"),
        (make.header() + make.record(0x0C, b"x") * 2, "without HEAP_DUMP_END"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    found = walked(data)
    assert not found.complete
    assert words in found.detail


@pytest.mark.parametrize("tag", list(Tag))
def test_every_record_of_the_format_is_known(tag: Tag) -> None:
    body = b"" if tag is Tag.HEAP_DUMP_END else b"\xff" * 40
    end = b"" if tag is Tag.HEAP_DUMP_END else make.END
    assert walked(make.header() + make.segment(b"\xff") + make.record(tag, body) + end).complete


def test_one_heap_dump_record_without_an_end_is_the_old_form() -> None:
    for version in ("JAVA PROFILE 1.0.1", "JAVA PROFILE 1.0.2"):
        found = walked(
            make.header(version, id_size=4) + make.utf8(1, "a") + make.record(Tag.HEAP_DUMP, b"\xff" * 9)
        )
        assert found.complete
        assert "old form" in found.detail
        assert (found.version, found.id_size, found.segments, found.heap_bytes) == (version, 4, 1, 9)


def test_other_files_do_not_start_as_hprof() -> None:
    assert not walked(b"JAVA PROFIL").starts_as_hprof
    assert not walked(b"Full thread dump").starts_as_hprof
    assert walked(make.header()[: FILE_HEADER.size - 1], 3, 5).starts_as_hprof
