"""Chunks through a scan: what is held back, which records are handed out, and what is said of damage."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Iterator

import pytest

from jvmdiag.errors import DumpIncomplete, NotADump
from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind
from jvmdiag.hprof.reader import read_records
from jvmdiag.hprof.scan import PythonTally, PythonZeroing
from jvmdiag.hprof.stream import HeapStream
from jvmdiag.transfer.hprof import RECORD_HEADER, Tag
from tests.hprof_bytes import END, LINE, POINT, POINTS, Writer, cut_into, header, heap_dump, record, segment
from tests.unit.hprof.dumps import damaged, says
from tests.unit.hprof.scans import passed

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])


@ID_SIZES
def test_records_before_the_heap_are_handed_out_whole(id_size: int) -> None:
    dump, w = heap_dump(id_size), Writer(id_size)
    names = w.named(POINT, 1, "a/Point") + w.named(LINE, 2, "a/Line") + w.named(POINTS, 3, "[La/Point;")
    for size in (1, 7, 5000):
        got: list[bytes] = []
        stream = HeapStream(PythonTally(), lambda records, _id_size: got.append(bytes(records)))  # noqa: B023
        for chunk in cut_into(dump, size):
            stream.feed(chunk)
        assert b"".join(got) == names + record(Tag.TRACE, struct.pack(">III", 1, 0, 0))


def test_what_is_changed_in_a_record_that_is_handed_out_is_changed_in_the_file() -> None:
    def shout(records: memoryview, _id_size: int) -> None:
        records[:] = bytes(records).upper()

    stream = HeapStream(PythonTally(), shout)
    out = b"".join([stream.feed(chunk) for chunk in cut_into(heap_dump(), 50)])
    assert out == heap_dump().replace(b"a/Point", b"A/POINT").replace(b"a/Line", b"A/LINE").replace(
        b"[La/POINT;", b"[LA/POINT;"
    )


@ID_SIZES
@pytest.mark.parametrize("most", [1, 7, 200, 1 << 20])
def test_a_file_passes_as_its_chunks_do(id_size: int, most: int) -> None:
    class Dribbling(io.BytesIO):
        def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
            return super().readinto(buffer[:most])

    dump = heap_dump(id_size)
    stream = HeapStream(PythonZeroing(frozenset({Kind.CHAR})))
    out = b"".join(map(bytes, stream.over_file(Dribbling(dump))))
    stream.finish()
    assert out == passed(PythonZeroing(frozenset({Kind.CHAR})), [dump])


def test_no_more_is_held_back_than_a_head() -> None:
    stream = HeapStream(PythonTally())
    fed = given = 0
    classes = 0
    for chunk in cut_into(heap_dump(), 1):
        fed += 1
        given += len(stream.feed(chunk))
        classes = max(classes, fed - given)
    assert classes < 150  # a class is held until it is there
    assert fed == given


@ID_SIZES
def test_a_cut_anywhere_is_said(id_size: int) -> None:
    dump = heap_dump(id_size)
    for size in range(len(dump)):
        with pytest.raises((DumpIncomplete, NotADump)):
            passed(PythonTally(), [dump[:size]])


def test_damage_never_hangs_or_crashes_and_the_reader_sees_it_too() -> None:
    faults = 0
    for dump in damaged(800):
        chunks = cut_into(dump, 333)
        streamed = says(lambda chunks=chunks: passed(PythonTally(), chunks))  # type: ignore[misc]
        read = says(lambda chunks=chunks: sum(1 for _ in read_records(chunks)))  # type: ignore[misc]
        # The stream looks neither into fields' types nor into the records that nobody wants.
        assert read or not streamed, (read, streamed)
        faults += bool(streamed)
    assert faults > 400


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\xc3" + bytes(30), "Android"),
        (b"\x55", "0x55, which stands, at offset 40"),
        (b"\x23" + bytes(16) + b"\x03", "a primitive array of type 3, which does not exist, at offset 40"),
        (b"\x05" + bytes(7), "beyond the end of its segment begins, at offset 40"),
        (b"\x20" + bytes(64) + b"\xff\xff", "beyond the end of its segment begins, at offset 40"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_no_jvm_writes_is_refused(body: bytes, complaint: str, size: int) -> None:
    dump = header() + segment(body) + segment(b"\x05" + bytes(100)) + END
    with pytest.raises(NotADump, match=complaint):
        passed(PythonTally(), cut_into(dump, size))


def test_another_file_is_refused_at_its_beginning() -> None:
    with pytest.raises(NotADump, match="JAVA PROFILE"):
        HeapStream(PythonTally()).feed(b"PK\x03\x04" + bytes(100))
    with pytest.raises(NotADump, match="0x77"):
        HeapStream(PythonTally()).feed(header() + record(0x77))


def test_memory_does_not_grow_with_an_array_that_says_4_gb() -> None:
    head = b"\x23" + bytes(12) + b"\xff\xff\xff\x00" + bytes([Kind.BYTE])

    def chunks() -> Iterator[bytes]:
        yield header() + RECORD_HEADER.pack(Tag.HEAP_DUMP_SEGMENT, 0, 0xFFFFFFFF) + head
        block = b"\xff" * (1 << 20)
        for _ in range(64):
            yield block

    stream = HeapStream(PythonZeroing(frozenset(PRIMITIVE_WIDTHS)))
    tracemalloc.start()
    try:
        for chunk in chunks():
            assert b"\xff" * 4 not in stream.feed(chunk)[31 + 9 :]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    with pytest.raises(DumpIncomplete, match="bytes before its last record"):
        stream.finish()
