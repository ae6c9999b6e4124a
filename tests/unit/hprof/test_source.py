"""Bytes on demand."""

from __future__ import annotations

import pytest

from jvmdiag.errors import DumpIncomplete, NotADump
from jvmdiag.hprof.source import Source, require_header
from tests.hprof_bytes import cut_into, header


@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_bytes_are_taken_looked_at_and_passed_over(size: int) -> None:
    source = Source(cut_into(bytes(range(60)), size))
    assert source.take(5, "it") == bytes(range(5))
    assert source.peek(3, "it") == bytes((5, 6, 7))
    assert source.offset == 5
    source.skip(20, "it")
    assert source.take(2, "it") == bytes((25, 26))
    assert source.peek(1, "it", further=10)[0] == 27
    source.skip(33, "it")
    assert source.offset == 60
    assert not source.more()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_end_is_where_the_last_byte_is(size: int) -> None:
    for ask in (Source.take, Source.peek, Source.skip):
        source = Source(cut_into(bytes(20), size))
        source.take(4, "it")
        with pytest.raises(DumpIncomplete, match="offset 20, within the thing"):
            ask(source, 17, "the thing")


def test_a_header_is_of_hprof_and_has_ids_that_exist() -> None:
    require_header(header())
    with pytest.raises(NotADump, match="16 bytes wide"):
        require_header(header(id_size=16))
    with pytest.raises(NotADump, match="JAVA PROFILE"):
        require_header(b"\x7fELF".ljust(31, b"\0"))
