"""Record by record: what is given, with which offset, and what is an error."""

from __future__ import annotations

import gzip
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from jvmdiag.errors import DumpIncomplete, NotADump, TransferCut
from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind, RootKind
from jvmdiag.hprof.reader import read_dump, read_records
from jvmdiag.hprof.records import (
    ClassDump,
    Constant,
    Field,
    FileHeader,
    Frame,
    GcRoot,
    HeapSummary,
    InstanceDump,
    LoadClass,
    ObjectArray,
    Opaque,
    PrimitiveArray,
    Record,
    Segment,
    StartThread,
    StaticField,
    Trace,
    Utf8,
)
from jvmdiag.transfer.hprof import RECORD_HEADER, Tag
from tests.hprof_bytes import (
    END,
    LINE,
    POINT,
    POINTS,
    TIMESTAMP_MS,
    Writer,
    cut_into,
    header,
    heap_dump,
    record,
    segment,
)
from tests.hprof_read import instances_by_class
from tests.unit.hprof.dumps import damaged, says

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])


def records_of(dump: bytes, limit: int = 1 << 20) -> list[Record]:
    return list(read_records([dump], content_limit_bytes=limit))


@ID_SIZES
def test_every_kind_of_record_is_given_in_its_order(id_size: int) -> None:
    dump = heap_dump(id_size)
    kinds = Counter(type(one).__name__ for one in records_of(dump))
    assert kinds == {
        "FileHeader": 1,
        "Utf8": 3,
        "LoadClass": 3,
        "Trace": 1,
        "Segment": 4,
        "GcRoot": len(RootKind) + 1,
        "ClassDump": 2,
        "InstanceDump": 3,
        "ObjectArray": 2,
        "PrimitiveArray": 1 + len(PRIMITIVE_WIDTHS),
        "Opaque": 1,
    }
    assert records_of(dump)[0] == FileHeader(0, "JAVA PROFILE 1.0.2", id_size, TIMESTAMP_MS)


@ID_SIZES
def test_each_offset_is_where_the_tag_stands(id_size: int) -> None:
    dump = heap_dump(id_size)
    tags = {Utf8: 0x01, LoadClass: 0x02, Trace: 0x05, Segment: 0x1C, ClassDump: 0x20, InstanceDump: 0x21}
    tags |= {ObjectArray: 0x22, PrimitiveArray: 0x23, Opaque: 0x2C}
    for one in records_of(dump)[1:]:
        expected = one.kind if isinstance(one, GcRoot) else tags[type(one)]
        assert dump[one.offset] == expected, one


@ID_SIZES
def test_contents_are_those_of_the_file(id_size: int) -> None:
    by_id = {
        one.object_id: one
        for one in records_of(heap_dump(id_size))
        if isinstance(one, (InstanceDump, ObjectArray, PrimitiveArray))
    }
    point, points, longs = by_id[0x10], by_id[0x21], by_id[0x30 + Kind.LONG]
    assert isinstance(point, InstanceDump)
    assert (point.class_id, point.size_bytes, point.content) == (POINT, 9, b"BLonglong")
    assert isinstance(points, ObjectArray)
    assert (points.class_id, points.length, points.element_ids) == (POINTS, 2, (0x10, 0x4142))
    assert isinstance(longs, PrimitiveArray)
    assert (longs.kind, longs.length, longs.content) == (Kind.LONG, 3, b"Secret__" * 3)


@ID_SIZES
def test_a_class_has_its_fields_statics_and_constants(id_size: int) -> None:
    dump = heap_dump(id_size)
    point, line = (one for one in records_of(dump) if isinstance(one, ClassDump))
    assert [field.kind for field in point.fields] == [Kind.BYTE, Kind.LONG]
    assert [(one.kind, one.value) for one in point.statics][::2] == [
        (Kind.INT, b"Stat"),
        (Kind.BOOLEAN, b"?"),
    ]
    assert point.constants[0].value == b"Co"
    values: list[StaticField | Constant] = [*point.statics, *point.constants]
    for value in values:
        assert dump[value.value_offset : value.value_offset + len(value.value)] == value.value
    assert (line.class_id, line.super_id) == (LINE, POINT)
    assert line.fields[1] == Field(0x5B, Kind.INT)


@ID_SIZES
def test_roots_say_what_their_kind_knows(id_size: int) -> None:
    roots = {one.kind: one for one in records_of(heap_dump(id_size))[:-4] if isinstance(one, GcRoot)}
    assert roots.keys() == set(RootKind)
    assert roots[RootKind.JAVA_FRAME].thread_serial == 0x01020304
    assert roots[RootKind.JAVA_FRAME].frame == 0x05060708
    assert roots[RootKind.THREAD_OBJECT].trace_serial == 0x05060708
    assert roots[RootKind.JNI_GLOBAL].jni_ref_id is not None
    assert roots[RootKind.STICKY_CLASS].thread_serial is None


def test_the_other_records_are_read() -> None:
    w = Writer()
    frame = record(Tag.FRAME, w.id(1, 2, 3, 4) + b"\0\0\0\x05\xff\xff\xff\xfd")
    trace = record(Tag.TRACE, b"\0\0\0\x07\0\0\0\x08\0\0\0\x02" + w.id(9, 10))
    start = record(Tag.START_THREAD, b"\0\0\0\x01" + w.id(2) + b"\0\0\0\x03" + w.id(4, 5, 6))
    ends = record(Tag.END_THREAD, b"\0\0\0\x01") + record(Tag.UNLOAD_CLASS, b"\0\0\0\x01")
    summary = record(Tag.HEAP_SUMMARY, bytes(7) + b"\x01" + bytes(7) + b"\x02" + bytes(7) + b"\x03")
    other = record(Tag.CPU_SAMPLES, b"abc")
    dump = header() + frame + trace + start + ends + summary + other + segment(b"") + END
    found = {type(one): one for one in records_of(dump)[:-2]}
    assert found[Frame] == Frame(31, 1, 2, 3, 4, 5, -3)
    assert found[Trace] == Trace(31 + len(frame), 7, 8, (9, 10))
    assert found[StartThread] == StartThread(31 + len(frame + trace), 1, 2, 3, 4, 5, 6)
    assert found[HeapSummary] == HeapSummary(31 + len(frame + trace + start + ends), 0, 1, 2, 3)
    assert found[Opaque] == Opaque(31 + len(frame + trace + start + ends + summary), Tag.CPU_SAMPLES, 3)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 24, 25, 100, 1000])
@ID_SIZES
def test_chunks_may_be_cut_anywhere(id_size: int, size: int) -> None:
    dump = heap_dump(id_size)
    assert list(read_records(cut_into(dump, size))) == records_of(dump)


def test_names_are_texts_also_where_java_encodes_them_its_own_way() -> None:
    content = b"a\xc0\x80b\xed\xa0\xbd\xed\xb8\x80"
    assert Utf8(0, 1, len(content), content).text == "a\0b\U0001f600"
    assert Utf8(0, 1, 1, b"\xff").text == "\ufffd"
    assert Utf8(0, 1, 1 << 30, None).text is None


def test_what_is_longer_than_the_limit_is_passed_over() -> None:
    dump = heap_dump()
    short, whole = records_of(dump, limit=8), records_of(dump)
    assert [one.offset for one in short] == [one.offset for one in whole]
    assert {one.content for one in short if isinstance(one, PrimitiveArray)} == {b"", None}
    assert all(one.element_ids in (None, ()) for one in short if isinstance(one, ObjectArray))


def giant(content_bytes: int) -> Iterator[bytes]:
    """A dump in chunks of 1 MiB, with one array that is nearly all of it, and a file that has more."""
    head = b"\x23" + bytes(12) + content_bytes.to_bytes(4, "big") + b"\x08"
    size = len(head) + content_bytes
    yield header() + RECORD_HEADER.pack(Tag.HEAP_DUMP_SEGMENT, 0, size) + head
    block = bytes(1 << 20)
    for _ in range(content_bytes >> 20):
        yield block
    yield END


def test_memory_does_not_grow_with_an_array() -> None:
    tracemalloc.start()
    try:
        [array] = [one for one in read_records(giant(512 << 20)) if isinstance(one, PrimitiveArray)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (array.length, array.content) == (512 << 20, None)
    assert peak < 8 << 20


def test_offsets_go_beyond_four_gigabytes() -> None:
    def chunks() -> Iterator[bytes]:
        yield header()
        block = bytes(1 << 26)
        for _ in range(5):
            yield RECORD_HEADER.pack(Tag.CPU_SAMPLES, 0, 1 << 30)
            yield from (block for _ in range(16))
        yield segment(Writer().primitives(1, Kind.BYTE, b"x")) + END

    *_, array, _end = read_records(chunks())
    assert array.offset == 31 + 5 * (9 + (1 << 30)) + 9


@pytest.mark.parametrize("codec", ["plain", "gzip of several members", "zstd"])
def test_files_are_read_however_they_are_compressed(codec: str, tmp_path: Path) -> None:
    dump, path = heap_dump(), tmp_path / "x.hprof"
    packed = {
        "plain": dump,
        "gzip of several members": gzip.compress(dump[:700]) + gzip.compress(dump[700:]),
        "zstd": zstandard.compress(dump),
    }
    path.write_bytes(packed[codec])
    assert list(read_dump(path)) == records_of(dump)
    if codec != "plain":
        path.write_bytes(packed[codec][:-3])
        with pytest.raises(TransferCut):
            list(read_dump(path))


def test_the_old_form_of_one_heap_dump_record_is_whole() -> None:
    dump = header() + record(Tag.HEAP_DUMP, Writer().primitives(1, Kind.INT, b"abcd"))
    assert isinstance(records_of(dump)[-1], PrimitiveArray)


@ID_SIZES
def test_a_cut_anywhere_is_said_with_its_offset(id_size: int) -> None:
    dump = heap_dump(id_size)
    for size in range(len(dump)):
        with pytest.raises((DumpIncomplete, NotADump), match=r"offset|empty|as HPROF does"):
            records_of(dump[:size])


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"\x89" + bytes(8), "Android"),
        (b"\xfe" + bytes(12), "Android"),
        (b"\x55", "0x55, which stands, at offset 40"),
        (
            Writer().primitives(1, Kind.INT, b"abcd")[:-4] + b"ab",
            "beyond the end of its segment, at offset 40",
        ),
        (b"\x23" + bytes(16) + b"\x03", "a primitive array of type 3, which does not exist, at offset 40"),
        (Writer().class_dump(1, fields=(Kind.INT,))[:-1] + b"\x03", "type 3, which does not exist"),
        (b"\x20" + bytes(64) + b"\xff\xff", "beyond the end of its segment, at offset 40"),
        (b"\x05" + bytes(7), "beyond the end of its segment, at offset 40"),
    ],
)
def test_what_no_jvm_writes_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(NotADump, match=complaint):
        records_of(header() + segment(body) + segment(b"\x05" + bytes(100)) + END)


@pytest.mark.parametrize(
    "body", [record(Tag.TRACE, bytes(8) + b"\xff" * 4), record(Tag.LOAD_CLASS, b"x"), record(Tag.UTF8, b"")]
)
def test_a_record_that_says_more_than_it_has_is_refused(body: bytes) -> None:
    with pytest.raises(NotADump, match="offset 31"):
        records_of(header() + body + segment(b"") + END)


def test_damage_never_hangs_or_crashes_and_is_said_with_its_offset() -> None:
    faults = 0
    for dump in damaged(1000):
        faults += bool(says(lambda dump=dump: sum(1 for _ in read_records(cut_into(dump, 400)))))  # type: ignore[misc]
    assert faults > 500


@ID_SIZES
def test_the_second_reader_of_the_tests_counts_the_same(id_size: int) -> None:
    dump = heap_dump(id_size)
    instances = sum(isinstance(one, (InstanceDump, ObjectArray, PrimitiveArray)) for one in records_of(dump))
    assert instances == sum(instances_by_class(dump).values())
