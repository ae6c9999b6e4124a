"""Class histograms, real ones of each JVM, and ones that do not add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.capture.histogram import ClassCount, histogram_line, parse_histogram
from jvmdiag.errors import DumpIncomplete

HISTOGRAMS = Path(__file__).parents[2] / "data" / "histogram"
SMALL = """ num     #instances         #bytes  class name (module)
-------------------------------------------------------
   1:            55        3147760  [J (java.base@25.0.2)
   2:         88000        2112000  Load$Node
Total         88055        5259760
"""


def text_of(version: int) -> str:
    return (HISTOGRAMS / f"jdk{version}.txt").read_text(encoding="utf-8")


def test_a_full_collection_comes_first_only_where_it_is_asked_for() -> None:
    assert histogram_line(live=True) == "GC.class_histogram"
    assert histogram_line(live=False) == "GC.class_histogram -all"


@pytest.mark.parametrize(
    ("version", "classes", "instances", "size_bytes"),
    [
        (11, 356, 190_937, 10_431_024),
        (17, 348, 188_081, 10_273_312),
        (21, 394, 188_656, 10_485_760),
        (25, 452, 187_276, 10_061_736),
    ],
)
def test_a_real_histogram_is_read_whole_and_adds_up(
    version: int, classes: int, instances: int, size_bytes: int
) -> None:
    histogram = parse_histogram(text_of(version))
    assert (len(histogram.classes), histogram.instances, histogram.size_bytes) == (
        classes,
        instances,
        size_bytes,
    )
    assert sum(one.size_bytes for one in histogram.classes) == size_bytes
    assert ClassCount("Load$Node", 88_000, 2_112_000, None) in histogram.classes


def test_a_row_has_its_module_where_the_jvm_names_one() -> None:
    histogram = parse_histogram(SMALL)
    assert histogram.classes == (
        ClassCount("[J", 55, 3_147_760, "java.base@25.0.2"),
        ClassCount("Load$Node", 88_000, 2_112_000, None),
    )
    assert (histogram.instances, histogram.size_bytes) == (88_055, 5_259_760)


def test_lines_of_a_terminal_are_read_too() -> None:
    assert parse_histogram(SMALL.replace("\n", "\r\n")) == parse_histogram(SMALL)


@pytest.mark.parametrize("version", [11, 17, 21, 25])
def test_a_histogram_that_is_cut_at_any_line_is_no_histogram(version: int) -> None:
    lines = text_of(version).splitlines(keepends=True)
    for count in range(0, len(lines), 25):
        with pytest.raises(DumpIncomplete, match="no end"):
            parse_histogram("".join(lines[:count]))


def test_a_row_that_is_missing_is_noticed_by_the_totals() -> None:
    lines = SMALL.splitlines(keepends=True)
    with pytest.raises(DumpIncomplete, match="does not add up"):
        parse_histogram("".join(lines[:2] + lines[3:]))


@pytest.mark.parametrize("text", ["", "java.lang.SecurityException: no\n", "0\n"])
def test_what_is_no_histogram_is_none(text: str) -> None:
    with pytest.raises(DumpIncomplete):
        parse_histogram(text)
