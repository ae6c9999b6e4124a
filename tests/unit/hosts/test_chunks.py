"""Chunks as a file: every byte once, and the end only at the end."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from jvmdiag.hosts.chunks import ChunkReader

CHUNKS = [b"abc", b"", b"defgh", b"i"]


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_every_byte_comes_once_whatever_is_asked_for(size: int) -> None:
    reader = ChunkReader(iter(CHUNKS))
    parts = []
    while part := reader.read(size):
        assert len(part) <= size
        parts.append(part)
    assert b"".join(parts) == b"abcdefghi"
    assert reader.read(size) == b""


def test_an_empty_chunk_in_the_middle_is_not_the_end() -> None:
    reader = ChunkReader(iter([b"", b"", b"a", b"", b"b"]))
    assert reader.readall() == b"ab"


def test_no_chunks_are_an_empty_file() -> None:
    assert ChunkReader(iter([])).read(10) == b""


def test_only_as_much_is_taken_as_was_asked_for() -> None:
    taken: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"aaaa", b"bbbb"):
            taken.append(chunk)
            yield chunk

    reader = ChunkReader(chunks())
    assert (reader.read(4), taken) == (b"aaaa", [b"aaaa"])


def test_closing_lets_go_of_the_generator_behind_it() -> None:
    let_go: list[str] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            let_go.append("closed")

    reader = ChunkReader(chunks())
    reader.read(1)
    reader.close()
    reader.close()
    assert let_go == ["closed"]
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


def test_an_iterator_that_cannot_be_closed_is_fine() -> None:
    ChunkReader(iter([b"a"])).close()


def test_an_error_of_the_chunks_reaches_the_reader() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionError("gone")

    reader = ChunkReader(chunks())
    assert reader.read(1) == b"a"
    with pytest.raises(ConnectionError):
        reader.read(1)


def test_a_tar_is_read_through_it_in_stream_mode() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("x.hprof")
        member.size = 3000
        tar.addfile(member, io.BytesIO(b"z" * 3000))
    data = packed.getvalue()
    reader = ChunkReader(iter([data[at : at + 700] for at in range(0, len(data), 700)]))
    with tarfile.open(fileobj=reader, mode="r|", bufsize=1 << 20) as tar:
        first = tar.next()
        assert first is not None
        file = tar.extractfile(first)
        assert file is not None
        assert file.read() == b"z" * 3000
