"""Names replaced before the first object passes."""

from __future__ import annotations

import struct

import pytest

from jvmdiag.errors import NotADump
from jvmdiag.hprof.histogram import histogram
from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.prologue import Prologue
from jvmdiag.hprof.reader import read_records
from jvmdiag.hprof.records import Utf8
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules
from jvmdiag.transfer.hprof import Tag
from tests.hprof_bytes import END, Writer, cut_into, heap_dump, record, segment

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])
ORDER, STRING = 0xC1, 0xC2
SYMBOLS = {
    1: "com/acme/Order",
    2: "java/lang/String",
    3: "customerName",
    4: "value",
    5: "chargeCard",
    6: "(Lcom/acme/Order;)V",
    7: "Order.java",
    8: "jdbc:db://secret",
    9: "run",
    10: "Thread.java",
    11: "unsaid",
}


def dump_of(id_size: int, behind: bytes = b"") -> bytes:
    """Order has customerName and value, String value; a stack is in chargeCard, which run called."""
    w = Writer(id_size)
    symbols = b"".join(w.utf8(number, text) for number, text in SYMBOLS.items())
    loaded = record(Tag.LOAD_CLASS, _u4(7) + w.id(ORDER) + _u4(0) + w.id(1))
    loaded += record(Tag.LOAD_CLASS, _u4(8) + w.id(STRING) + _u4(0) + w.id(2))
    frames = record(Tag.FRAME, w.id(1, 5, 6, 7) + _u4(7) + _u4(12))
    frames += record(Tag.FRAME, w.id(2, 9, 6, 10) + _u4(8) + _u4(1))
    classes = _class(w, ORDER, (3, 4)) + _class(w, STRING, (4,))
    objects = w.instance(0x10, ORDER, bytes(8)) + w.primitives(0x11, Kind.BYTE, b"abc")
    return w.header() + symbols + loaded + frames + segment(classes) + segment(objects) + behind + END


def _class(w: Writer, class_id: int, names: tuple[int, ...]) -> bytes:
    fields = b"".join(w.id(name) + bytes([Kind.INT]) for name in names)
    return w.class_dump(class_id)[:-2] + struct.pack(">H", len(names)) + fields


def _u4(number: int) -> bytes:
    return struct.pack(">I", number)


def symbols_of(dump: bytes) -> dict[int, str]:
    return {one.symbol_id: one.text or "" for one in read_records([dump]) if isinstance(one, Utf8)}


def renamed(dump: bytes, size: int = 1 << 20) -> bytes:
    prologue = Prologue()
    return b"".join([*map(prologue.feed, cut_into(dump, size)), prologue.finish()])


@ID_SIZES
@pytest.mark.parametrize("size", [1, 10, 100, 1 << 20])
def test_names_are_replaced_by_what_they_are_names_of(id_size: int, size: int) -> None:
    out = renamed(dump_of(id_size), size)
    assert len(out) == len(dump_of(id_size))
    names = symbols_of(out)
    kept = {number: SYMBOLS[number] for number in (2, 4, 9, 10)}
    assert {number: names[number] for number in kept} == kept
    order = names[1]
    assert order != SYMBOLS[1]
    assert names[6] == f"(L{order};)V"
    assert names[7] == f"{order.rpartition('/')[2]}.java"
    assert not {names[n] for n in (3, 5)} & {SYMBOLS[3], SYMBOLS[5]}
    assert (names[8], names[11]) == ("x" * 16, "x" * 6)
    assert out.partition(b"\x1c")[2] == dump_of(id_size).partition(b"\x1c")[2]


@ID_SIZES
def test_the_histogram_differs_in_names_alone(id_size: int) -> None:
    plain, out = histogram([dump_of(id_size)]), histogram([renamed(dump_of(id_size))])
    assert [(row.instances, row.shallow_bytes) for row in plain] == [
        (row.instances, row.shallow_bytes) for row in out
    ]
    assert [row.name for row in out if row.name.startswith("[")] == ["[B"]


def test_nothing_is_given_back_before_the_first_object_and_all_at_it() -> None:
    prologue, dump = Prologue(), dump_of(8)
    given = [len(prologue.feed(chunk)) for chunk in cut_into(dump, 1)]
    first = next(n for n, size in enumerate(given) if size)
    assert given[first] == first + 1
    assert set(given[first + 1 :]) == {1}


def test_a_name_behind_the_first_object_is_refused() -> None:
    for size in (1, 1 << 20):
        with pytest.raises(NotADump, match="a name follows the first object"):
            renamed(dump_of(8, behind=Writer().utf8(12, "late")), size)


@pytest.mark.parametrize("end", [0, 5, 31, 40, 200, 400])
def test_a_dump_that_is_cut_is_given_back_as_far_as_it_is_there(end: int) -> None:
    dump = dump_of(8)[:end]
    assert len(renamed(dump)) == end


def test_values_and_names_go_together() -> None:
    redactor = Redactor(Rules.parse("all", fields=True, names=True))
    dump = heap_dump()
    out = b"".join([*map(redactor.feed, cut_into(dump, 77)), redactor.finish()])
    assert len(out) == len(dump)
    for text in (b"Secret", b"Point", b"Line", b"BLonglong"):
        assert text in dump
        assert text not in out
