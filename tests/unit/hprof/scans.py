"""What every Scan must do, in whatever it is written: subclassed once for each implementation."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import PRIMITIVE_WIDTHS, Kind, RootKind
from jvmdiag.hprof.scan import Counts, Scan, Tally
from jvmdiag.hprof.stream import HeapStream
from tests.hprof_bytes import END, LINE, POINT, POINTS, Writer, cut_into, heap_dump, segment
from tests.unit.hprof.dumps import SEED, damaged, says

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])
ALL = frozenset(PRIMITIVE_WIDTHS)


def passed(scan: Scan, chunks: Iterable[bytes]) -> bytes:
    stream = HeapStream(scan)
    out = b"".join([stream.feed(chunk) for chunk in chunks])
    stream.finish()
    return out


class TallyContract:
    """A subclass says how one is made."""

    def tally(self, most_classes: int = 1 << 22) -> Tally:
        raise NotImplementedError

    def counts(self, dump: bytes, chunk_bytes: int = 1 << 20) -> Counts:
        tally = self.tally()
        assert passed(tally, cut_into(dump, chunk_bytes)) == dump
        return tally.counts()

    @ID_SIZES
    def test_objects_are_counted_with_their_bytes(self, id_size: int) -> None:
        counts = self.counts(heap_dump(id_size))
        assert counts.classes == {
            POINT: (2, 18),
            LINE: (1, 13 + 2 * id_size),
            POINTS: (2, 2 * id_size),
        }
        expected = dict.fromkeys(Kind, (1, 24))
        del expected[Kind.OBJECT]
        assert counts.primitives == expected | {Kind.BYTE: (2, 24)}

    @ID_SIZES
    @pytest.mark.parametrize("size", [1, 2, 23, 24, 25, 26, 99])
    def test_chunks_may_be_cut_anywhere(self, id_size: int, size: int) -> None:
        assert self.counts(heap_dump(id_size), size) == self.counts(heap_dump(id_size))

    def test_a_class_without_an_id_and_ids_of_all_ones_are_counted_too(self) -> None:
        w = Writer()
        body = w.instance(1, 0, b"ab") + w.instance(2, (1 << 64) - 1, b"c") + w.objects(3, 0, 7)
        counts = self.counts(w.header() + segment(body) + END)
        assert counts.classes == {0: (2, 10), (1 << 64) - 1: (1, 1)}

    def test_many_classes_are_counted_each_by_itself(self) -> None:
        w = Writer()
        ids = random.Random(SEED).sample(range(1, 1 << 40), 50_000)
        body = b"".join(w.instance(1, class_id, b"abc") for class_id in ids)
        counts = self.counts(w.header() + segment(body * 2) + END)
        assert counts.classes == dict.fromkeys(ids, (2, 6))

    def test_no_memory_is_spent_on_more_classes_than_any_jvm_has(self) -> None:
        w = Writer()
        body = b"".join(w.instance(1, class_id, b"") for class_id in range(40_000))
        tally = self.tally(most_classes=10_000)
        with pytest.raises(NotADump, match=r"more than 10,000 classes"):
            passed(tally, [w.header() + segment(body) + END])
            tally.counts()


class ZeroingContract:
    """A subclass says how one is made."""

    def zeroing(self, kinds: frozenset[Kind]) -> Scan:
        raise NotImplementedError

    @ID_SIZES
    @pytest.mark.parametrize("size", [1, 2, 13, 25, 26, 100, 1 << 20])
    @pytest.mark.parametrize("kinds", [ALL, frozenset({Kind.BYTE, Kind.CHAR}), frozenset[Kind]()], ids=len)
    def test_arrays_of_these_kinds_become_zeros_and_nothing_else_changes(
        self, id_size: int, size: int, kinds: frozenset[Kind]
    ) -> None:
        dump, w = heap_dump(id_size), Writer(id_size)
        expected = dump
        for kind in kinds:
            array = w.primitives(0x30 + kind, kind, b"Secret__" * 3)
            assert array in expected
            expected = expected.replace(array, w.primitives(0x30 + kind, kind, bytes(24)))
        assert passed(self.zeroing(kinds), cut_into(dump, size)) == expected

    @ID_SIZES
    def test_what_follows_an_array_that_a_chunk_cuts_is_kept(self, id_size: int) -> None:
        w = Writer(id_size)
        follow = [
            w.objects(2, POINTS, 0x41414141, 0x42424242),
            w.instance(3, POINT, b"kept_kept"),
            w.root(RootKind.JAVA_FRAME, 0x43434343),
            w.primitives(4, Kind.INT, b"kept"),
        ]
        for content in (b"", b"secret"):
            for behind in follow:
                body = w.primitives(1, Kind.BYTE, content) + behind
                dump = w.header() + segment(body) + END
                for size in range(1, len(dump)):
                    out = passed(self.zeroing(frozenset({Kind.BYTE})), cut_into(dump, size))
                    assert out == dump.replace(b"secret", bytes(6)), size


def agree(first: Callable[[], Scan], second: Callable[[], Scan]) -> None:
    """Both do and say the same of damaged dumps."""
    for dump in damaged(300):
        assert _outcome(first(), dump) == _outcome(second(), dump)


def _outcome(scan: Scan, dump: bytes) -> tuple[str, list[bytes]]:
    out: list[bytes] = []
    return says(lambda: out.append(passed(scan, cut_into(dump, 300)))), out
