"""The scans in pure Python."""

from __future__ import annotations

from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.scan import MAX_CLASSES, PythonTally, PythonZeroing, Scan, Tally, zero
from tests.unit.hprof.scans import TallyContract, ZeroingContract


class TestPythonTally(TallyContract):
    def tally(self, most_classes: int = MAX_CLASSES) -> Tally:
        return PythonTally(most_classes)


class TestPythonZeroing(ZeroingContract):
    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        return PythonZeroing(kinds)


def test_zeroing_ends_where_the_data_end() -> None:
    data = bytearray(b"abcdef")
    zero(data, 2, 1 << 40, 5)
    zero(data, 7, 9, 6)
    assert data == b"ab\0\0\0f"
