"""Names of classes, out of symbols and loaded classes in any order."""

from __future__ import annotations

import pytest

from jvmdiag.hprof.names import Names
from jvmdiag.transfer.hprof import Tag
from tests.hprof_bytes import Writer, record


@pytest.mark.parametrize("id_size", [4, 8])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_class_has_the_name_of_its_symbol(id_size: int, backwards: bool) -> None:
    w, names = Writer(id_size), Names()
    records = [w.utf8(0xABCDEF01, "a/B$C"), w.load_class(7, 0xABCDEF01)]
    for one in reversed(records) if backwards else records:
        names.take(memoryview(one), id_size)
    assert names.of(7) == "a.B$C"
    assert names.of(8) == "class 0x8"


def test_records_that_are_too_short_name_nothing() -> None:
    names = Names()
    short = record(Tag.LOAD_CLASS) + record(Tag.UTF8) + record(Tag.LOAD_CLASS, bytes(12))
    names.take(memoryview(short), 8)
    assert names.of(5) == "class 0x5"
