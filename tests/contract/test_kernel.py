"""The compiled scans, measured by those in pure Python."""

from __future__ import annotations

import pytest

pytest.importorskip("numba", reason="the extra `fast` is not installed")

from jvmdiag.hprof.kernel import KernelTally, KernelZeroing
from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.scan import MAX_CLASSES, PythonTally, PythonZeroing, Scan, Tally
from tests.unit.hprof.scans import ALL, TallyContract, ZeroingContract, agree


class TestKernelTally(TallyContract):
    def tally(self, most_classes: int = MAX_CLASSES) -> Tally:
        return KernelTally(most_classes)


class TestKernelZeroing(ZeroingContract):
    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        return KernelZeroing(kinds)


def test_of_damaged_dumps_both_say_the_same() -> None:
    agree(KernelTally, PythonTally)
    agree(lambda: KernelZeroing(ALL), lambda: PythonZeroing(ALL))
