"""Zeroing of fields: by the layout of the class and of those above it."""

from __future__ import annotations

import pytest

from jvmdiag.errors import NotADump
from jvmdiag.hprof.careful import CarefulZeroing
from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.rules import KEPT_BYTES, Rules
from jvmdiag.hprof.scan import Scan
from jvmdiag.hprof.stream import HeapStream
from tests.hprof_bytes import END, Writer, cut_into, heap_dump, segment
from tests.unit.hprof.dumps import damaged, says
from tests.unit.hprof.scans import ALL, ZeroingContract, passed

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])
W = Writer()


@ID_SIZES
@pytest.mark.parametrize("size", [1, 2, 25, 60, 1 << 20])
def test_every_primitive_field_goes_and_every_reference_stays(id_size: int, size: int) -> None:
    dump, w = heap_dump(id_size), Writer(id_size)
    expected = dump
    for secret in (b"BLonglong", b"Intt", b"Stat", b"Co"):
        assert secret in expected
        expected = expected.replace(secret, bytes(len(secret)))
    expected = expected.replace(bytes([Kind.BOOLEAN]) + b"?", bytes([Kind.BOOLEAN]) + b"\0")
    assert passed(CarefulZeroing(frozenset()), cut_into(dump, size)) == expected
    assert expected.count(w.id(0xAB)) == 2
    gone = passed(CarefulZeroing(ALL), cut_into(dump, size))
    assert gone == expected.replace(b"Secret__", bytes(8))


class TestWithoutFields(ZeroingContract):
    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        return CarefulZeroing(kinds, fields=False)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (W.instance(1, 0xC1, b""), "class 0xc1 before class 0xc1 is described begins, at offset 40"),
        (W.class_dump(0xC1, super_id=0xC2) + W.instance(1, 0xC1, b""), "before class 0xc2 is described"),
        (W.class_dump(0xC1, super_id=0xC1) + W.instance(1, 0xC1, b""), "which is above itself"),
        (
            W.class_dump(0xC1, fields=(Kind.INT,)) + W.instance(1, 0xC1, b"abc"),
            "3 bytes, whose fields take 4",
        ),
        (W.class_dump(0xC1, fields=(Kind.LONG,)) + W.instance(1, 0xC1, bytes(8))[:-1], "beyond the end"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_instances_that_cannot_be_known_are_refused(body: bytes, complaint: str, size: int) -> None:
    dump = W.header() + segment(body) + segment(W.primitives(1, Kind.BYTE, bytes(99))) + END
    with pytest.raises(NotADump, match=complaint):
        passed(CarefulZeroing(ALL), cut_into(dump, size))


@ID_SIZES
@pytest.mark.parametrize("size", [1, 9, 100, 1 << 20])
def test_texts_that_are_to_be_kept_stay_and_longer_ones_do_not(id_size: int, size: int) -> None:
    w, long = Writer(id_size), b"K" * (KEPT_BYTES + 1)
    arrays = [
        (Kind.BYTE, b"KEEP", True),
        (Kind.BYTE, b"KEEPER ", False),
        (Kind.BYTE, "KEEP".encode("utf-16-le"), True),
        (Kind.CHAR, "KEEP".encode("utf-16-be"), True),
        (Kind.BYTE, b"", True),
        (Kind.INT, b"KEEP", False),
        (Kind.BYTE, long, False),
    ]
    body = b"".join(w.primitives(n, kind, content) for n, (kind, content, _) in enumerate(arrays))
    stays = b"".join(
        w.primitives(n, kind, content if kept else bytes(len(content)))
        for n, (kind, content, kept) in enumerate(arrays)
    )
    rules = Rules.parse("keep:K[A-Z]+")
    scan = CarefulZeroing(rules.kinds, fields=False, keeps=rules.keeps_array)
    out = passed(scan, cut_into(w.header() + segment(body) + END, size))
    assert out == w.header() + segment(stays) + END


def test_a_text_that_is_too_long_to_be_kept_is_not_held() -> None:
    rules = Rules.parse("keep:.*")
    stream = HeapStream(CarefulZeroing(rules.kinds, fields=False, keeps=rules.keeps_array))
    fed = given = 0
    for chunk in cut_into(W.header() + segment(W.primitives(1, Kind.BYTE, b"a" * 50_000)) + END, 1000):
        fed += len(chunk)
        given += len(stream.feed(chunk))
        assert fed - given < 100


@pytest.mark.parametrize("size", [1, 1000])
def test_a_text_beyond_the_end_of_its_segment_is_refused(size: int) -> None:
    rules = Rules.parse("keep:.*")
    dump = W.header() + segment(W.primitives(1, Kind.BYTE, b"abcdef")[:-1]) + END
    with pytest.raises(NotADump, match="beyond the end of its segment begins, at offset 40"):
        passed(CarefulZeroing(ALL, fields=False, keeps=rules.keeps_array), cut_into(dump, size))


def test_damage_never_hangs_or_crashes() -> None:
    faults = 0
    for dump in damaged(500):
        faults += bool(says(lambda dump=dump: passed(CarefulZeroing(ALL), cut_into(dump, 333))))  # type: ignore[misc]
    assert faults > 250
