"""Sizes of heads and classes, by the format's description."""

from __future__ import annotations

import pytest

from jvmdiag.hprof.layout import Kind, RootKind, class_size, cut, layout_of, wrong, wrong_tag
from tests.hprof_bytes import Writer

ID_SIZES = pytest.mark.parametrize("id_size", [4, 8])


@ID_SIZES
def test_heads_end_where_contents_begin(id_size: int) -> None:
    layout, w = layout_of(id_size), Writer(id_size)
    assert len(w.instance(1, 2, b"")) == len(w.objects(1, 2)) == layout.head
    assert len(w.primitives(1, Kind.LONG)) == layout.primitive_head
    assert {tag for tag, size in enumerate(layout.roots) if size} == set(RootKind)
    assert max(layout.roots) <= layout.head


@ID_SIZES
def test_the_size_of_a_class_is_exact_once_enough_is_there_and_never_too_much(id_size: int) -> None:
    w, layout = Writer(id_size), layout_of(id_size)
    data = w.class_dump(
        1, 0, (Kind.INT, Kind.OBJECT), ((Kind.OBJECT, w.id(7)), (Kind.BYTE, b"x")), ((Kind.LONG, bytes(8)),)
    )
    for have in range(len(data) + 1):
        size = class_size(data, 0, have, layout, 0)
        assert size == len(data) or have < size < len(data)
    assert class_size(b"??" + data, 2, len(data), layout, 0) == len(data)


def test_errors_say_where() -> None:
    assert "offset 1,234" in str(wrong(1234, "this stands"))
    assert "offset 1,234" in str(wrong_tag(1234, 0x55))
    assert "Android" in str(wrong_tag(1234, 0xC3))
    assert "offset 1,234" in str(cut(1234, "an array"))
