"""The class histogram of a dump."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from jvmdiag.errors import DumpIncomplete
from jvmdiag.hprof.histogram import ClassCount, histogram, histogram_of_file
from tests.hprof_bytes import END, Writer, cut_into, header, heap_dump, large_dump, segment
from tests.hprof_read import instances_by_class

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])


@ID_SIZES
def test_the_largest_comes_first_and_names_are_those_of_java(id_size: int) -> None:
    rows = histogram([heap_dump(id_size)])
    by_name = {row.name: row for row in rows}
    assert by_name["a.Line"] == ClassCount("a.Line", 1, 13 + 2 * id_size)
    assert by_name["[La.Point;"] == ClassCount("[La.Point;", 2, 2 * id_size)
    assert by_name["[B"] == ClassCount("[B", 2, 24)
    assert list(rows) == sorted(rows, key=lambda row: (-row.shallow_bytes, -row.instances, row.name))


@ID_SIZES
def test_a_second_reader_counts_the_same(id_size: int) -> None:
    dump = heap_dump(id_size)
    rows = histogram(cut_into(dump, 64))
    assert {row.name: row.instances for row in rows} == instances_by_class(dump)


def test_a_class_without_a_name_is_shown_by_its_id() -> None:
    w = Writer()
    dump = header() + w.load_class(7, 99) + segment(w.instance(1, 0xBEEF, b"") + w.instance(2, 7, b"")) + END
    assert {row.name for row in histogram([dump])} == {"class 0xbeef", "class 0x7"}


def test_classes_of_one_name_are_one_row() -> None:
    w = Writer()
    names = w.named(7, 1, "a/B") + w.named(8, 1, "a/B")
    dump = header() + names + segment(w.instance(1, 7, b"xy") + w.instance(2, 8, b"z")) + END
    assert histogram([dump]) == (ClassCount("a.B", 2, 3),)


def test_a_file_may_be_compressed_and_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.hprof.gz"
    dump = large_dump(1 << 20)
    path.write_bytes(gzip.compress(dump))
    [row] = histogram_of_file(path)
    assert row.shallow_bytes == 255 * 256 * row.instances
    path.write_bytes(gzip.compress(dump[:-20]))
    with pytest.raises(DumpIncomplete, match="offset"):
        histogram_of_file(path)
