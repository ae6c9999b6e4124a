"""Names of classes, out of symbols and loaded classes in any order."""

from __future__ import annotations

import pytest

from jvmdiag.hprof.names import Names
from jvmdiag.transfer.hprof import RECORD_HEADER, Tag
from tests.hprof_bytes import Writer


@pytest.mark.parametrize("id_size", [4, 8])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_class_has_the_name_of_its_symbol(id_size: int, backwards: bool) -> None:
    w, names = Writer(id_size), Names()
    records = [(Tag.UTF8, w.utf8(0xABCDEF01, "a/B$C")), (Tag.LOAD_CLASS, w.load_class(7, 0xABCDEF01))]
    for tag, record in reversed(records) if backwards else records:
        names.take(tag, record[RECORD_HEADER.size :], id_size)
    assert names.of(7) == "a.B$C"
    assert names.of(8) == "class 0x8"


def test_records_that_are_too_short_name_nothing() -> None:
    names = Names()
    names.take(Tag.LOAD_CLASS, b"", 8)
    names.take(Tag.UTF8, b"", 8)
    names.take(Tag.LOAD_CLASS, bytes(12), 8)
    assert names.of(5) == "class 0x5"
