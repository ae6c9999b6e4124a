"""The compiled scans, measured by those in pure Python."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

pytest.importorskip("numba", reason="the extra `fast` is not installed")

from jvmdiag.hprof.careful import CarefulZeroing
from jvmdiag.hprof.fields import FieldPlaces, Ranges
from jvmdiag.hprof.kernel import KernelTally, KernelZeroing
from jvmdiag.hprof.layout import Kind, layout_of
from jvmdiag.hprof.loops import compiled, count_over, zero_over
from jvmdiag.hprof.scan import MAX_CLASSES, PythonTally, PythonZeroing, Scan, Tally
from tests.hprof_bytes import END, LINE, POINT, Writer, cut_into, heap_dump, segment
from tests.unit.hprof.dumps import SEED
from tests.unit.hprof.scans import ALL, TallyContract, ZeroingContract, agree, passed


class TestKernelTally(TallyContract):
    def tally(self, most_classes: int = MAX_CLASSES) -> Tally:
        return KernelTally(most_classes)


class TestKernelZeroing(ZeroingContract):
    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        return KernelZeroing(kinds)


class TestKernelZeroingByClass(ZeroingContract):
    """Here no class has a primitive field."""

    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        kernel = KernelZeroing(kinds, fields=True)
        kernel._places = _NoFields()
        return kernel


class _NoFields(FieldPlaces):
    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        pass

    def of(self, class_id: int) -> tuple[int, Ranges, str]:
        return {POINT: 9, LINE: 13 + 2 * self._layout.id_size}[class_id], (), ""


def test_nothing_is_compiled_while_bytes_wait() -> None:
    for kernel in (KernelTally(), KernelZeroing(ALL), KernelZeroing(ALL, fields=True)):
        loops = [cast(Any, compiled(loop)) for loop in (count_over, zero_over)]
        before = [len(loop.signatures) for loop in loops]
        passed(kernel, [heap_dump()])
        assert [len(loop.signatures) for loop in loops] == before
    assert before == [1, 1]


def test_of_damaged_dumps_both_say_the_same() -> None:
    agree(KernelTally, PythonTally)
    agree(lambda: KernelZeroing(ALL), lambda: PythonZeroing(ALL))
    agree(lambda: KernelZeroing(ALL, fields=True), lambda: CarefulZeroing(ALL))


def test_fields_of_many_classes_are_zeroed_as_in_python() -> None:
    w, chance = Writer(), random.Random(SEED)
    ids = chance.sample(range(1, 1 << 60), 9_000)
    fields = {one: tuple(chance.choices(list(Kind), k=chance.randrange(6))) for one in ids}
    above = dict(zip(ids, [0, *ids], strict=False))
    classes = b"".join(
        w.class_dump(one, above[one] if n % 7 else 0, fields[one]) for n, one in enumerate(ids)
    )
    sizes: dict[int, int] = {0: 0}
    for n, one in enumerate(ids):
        own = sum(layout_of(8).widths[kind] for kind in fields[one])
        sizes[one] = own + (sizes[above[one]] if n % 7 else 0)
    objects = b"".join(w.instance(9, one, bytes([255]) * sizes[one]) for one in chance.choices(ids, k=30_000))
    dump = w.header() + segment(classes) + segment(objects) + END
    expected = passed(CarefulZeroing(ALL), [dump])
    assert passed(KernelZeroing(ALL, fields=True), cut_into(dump, 50_000)) == expected
    assert expected != dump
