"""Redaction: same size, same objects, no secrets."""

from __future__ import annotations

import pytest

from jvmdiag.errors import DumpIncomplete, NotADump
from jvmdiag.hprof.histogram import histogram
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Redaction, Rules
from jvmdiag.transfer.hprof import StructureWalk
from tests.hprof_bytes import cut_into, heap_dump
from tests.unit.hprof.dumps import damaged

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])


def redacted(dump: bytes, redaction: Redaction, size: int = 1 << 20, *, fields: bool = False) -> bytes:
    redactor = Redactor(Rules(redaction, fields=fields))
    return b"".join([*map(redactor.feed, cut_into(dump, size)), redactor.finish()])


@ID_SIZES
@pytest.mark.parametrize("redaction", Redaction)
@pytest.mark.parametrize("fields", [False, True])
@pytest.mark.parametrize("size", [1, 64, 1 << 20])
def test_the_dump_is_of_the_same_size_and_counts_the_same(
    id_size: int, redaction: Redaction, fields: bool, size: int
) -> None:
    dump = heap_dump(id_size)
    out = redacted(dump, redaction, size, fields=fields)
    assert len(out) == len(dump)
    assert histogram([out]) == histogram([dump])
    walk = StructureWalk()
    walk.feed(out)
    assert walk.finish().complete


def test_strings_are_byte_and_char_arrays() -> None:
    dump = heap_dump()
    assert dump.count(b"Secret__") == 24
    assert redacted(dump, Redaction.STRINGS).count(b"Secret__") == 18
    assert b"Secret" not in redacted(dump, Redaction.ALL)


def test_fields_go_where_that_is_asked_for_and_names_stay() -> None:
    dump = heap_dump()
    kept, gone = redacted(dump, Redaction.ALL), redacted(dump, Redaction.ALL, fields=True)
    for value in (b"BLonglong", b"Intt", b"Stat", b"Co"):
        assert value in kept
        assert value not in gone
    assert b"a/Point" in gone


@pytest.mark.parametrize(
    "rules", [Rules.parse("all", fields=True, names=True), Rules.parse("keep:[a-z_]+", fields=True)]
)
def test_damage_never_hangs_or_crashes_and_nothing_grows(rules: Rules) -> None:
    faults = 0
    for dump in damaged(400):
        redactor, out = Redactor(rules), b""
        try:
            for chunk in cut_into(dump, 333):
                out += redactor.feed(chunk)
            out += redactor.finish()
            assert len(out) == len(dump)
        except (NotADump, DumpIncomplete):
            assert len(out) <= len(dump)
            faults += 1
    assert faults > 200


def test_once_more_changes_nothing() -> None:
    once = redacted(heap_dump(), Redaction.ALL, fields=True)
    assert redacted(once, Redaction.ALL, fields=True) == once


def test_a_dump_that_is_cut_is_said_at_the_end() -> None:
    redactor = Redactor(Rules(Redaction.ALL))
    out = redactor.feed(heap_dump()[:-10])
    assert b"Secret" not in out
    with pytest.raises(DumpIncomplete, match="offset"):
        redactor.finish()
