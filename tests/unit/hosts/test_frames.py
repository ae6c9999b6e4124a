"""The engine's frames, cut anywhere."""

from __future__ import annotations

import struct

import pytest

from jvmdiag.hosts.frames import STDERR, STDOUT, Demultiplexer


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(payload)) + payload


OUT = b"out-1 \0\xff" + bytes(300) + b"out-2" + b"end"
ERR = b"a complaintand another"
STREAM = (
    frame(STDOUT, b"out-1 \0\xff" + bytes(300))
    + frame(STDERR, b"a complaint")
    + frame(STDOUT, b"")
    + frame(STDOUT, b"out-2")
    + frame(STDERR, b"and another")
    + frame(STDOUT, b"end")
)


def fed(pieces: list[bytes]) -> tuple[bytes, bytes, Demultiplexer]:
    complaints = bytearray()
    demultiplexer = Demultiplexer(complaints.extend)
    out = b"".join([demultiplexer.feed(piece) for piece in pieces])
    return out, bytes(complaints), demultiplexer


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 64, len(STREAM)])
def test_both_streams_come_out_whole_however_the_bytes_were_cut(size: int) -> None:
    out, err, demultiplexer = fed([STREAM[at : at + size] for at in range(0, len(STREAM), size)])
    assert (out, err) == (OUT, ERR)
    assert demultiplexer.between_frames


def test_a_cut_at_any_place_but_a_border_is_noticed() -> None:
    borders = {0}
    for kind, payload in (
        (1, bytes(308)),
        (2, bytes(11)),
        (1, b""),
        (1, bytes(5)),
        (2, bytes(11)),
        (1, bytes(3)),
    ):
        borders.add(max(borders) + len(frame(kind, payload)))
    whole = {at for at in range(len(STREAM) + 1) if fed([STREAM[:at]])[2].between_frames}
    assert whole == borders


def test_nothing_is_nothing() -> None:
    out, err, demultiplexer = fed([b"", b""])
    assert (out, err, demultiplexer.between_frames) == (b"", b"", True)


def test_a_frame_larger_than_a_read_is_handed_on_before_it_is_whole() -> None:
    demultiplexer = Demultiplexer(lambda _: None)
    assert demultiplexer.feed(frame(STDOUT, bytes(100))[:50]) == bytes(42)
    assert not demultiplexer.between_frames
    assert demultiplexer.feed(bytes(58)) == bytes(58)


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 500 Internal", b"\x04\0\0\0\0\0\0\x01x"])
def test_what_is_no_such_stream_is_an_error_and_not_output(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not a frame of the engine"):
        Demultiplexer(lambda _: None).feed(garbage)
