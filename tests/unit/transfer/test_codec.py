"""Compressing and reading back: every codec, several members, cuts, damage, garbage."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from jvmdiag.errors import IntegrityError, TransferCut, VerificationFailed
from jvmdiag.transfer.codec import BLOCK_BYTES, Codec, compressor, read_raw, sniff

PACKED = (Codec.GZIP, Codec.ZSTD)
RAW = random.Random(1).randbytes(3000) + b"order customer " * 200_000
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


def stored(codec: Codec, raw: bytes, step: int = BLOCK_BYTES) -> bytes:
    packer = compressor(codec)
    parts = [packer.compress(raw[at : at + step]) for at in range(0, len(raw), step)]
    return b"".join(parts) + packer.flush()


def reread(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return b"".join(read_raw(path))


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("raw", [RAW, b"x", b""], ids=["much", "one byte", "nothing"])
def test_what_was_stored_is_read_back(tmp_path: Path, codec: Codec, raw: bytes) -> None:
    assert reread(tmp_path / "file", stored(codec, raw, 70_001)) == raw


def test_other_tools_read_what_was_stored() -> None:
    assert gzip.decompress(stored(Codec.GZIP, RAW)) == RAW
    assert zstandard.ZstdDecompressor().decompressobj().decompress(stored(Codec.ZSTD, RAW)) == RAW


def test_a_zstd_frame_carries_its_checksum() -> None:
    assert zstandard.get_frame_parameters(stored(Codec.ZSTD, RAW)).has_checksum


@pytest.mark.parametrize("codec", list(Codec))
def test_the_content_says_the_codec_and_the_name_does_not(tmp_path: Path, codec: Codec) -> None:
    for name in ("heap.hprof", "heap.hprof.gz", "heap.hprof.zst"):
        path = tmp_path / name
        path.write_bytes(stored(codec, RAW))
        assert sniff(path) is codec
        assert b"".join(read_raw(path)) == RAW


def test_suffixes_are_those_that_tools_expect() -> None:
    assert [codec.suffix for codec in Codec] == [".gz", ".zst", ""]


@pytest.mark.parametrize("codec", PACKED)
def test_every_member_is_read(tmp_path: Path, codec: Codec) -> None:
    pieces = [RAW[:1], b"", RAW[:70_000], b"", RAW[: BLOCK_BYTES * 2], RAW[5:9]]
    members = b"".join(stored(codec, piece) for piece in pieces)
    assert reread(tmp_path / "file", members) == b"".join(pieces)


def test_skippable_frames_are_skipped(tmp_path: Path) -> None:
    frame = stored(Codec.ZSTD, RAW)
    assert reread(tmp_path / "file", SKIPPABLE_FRAME + frame + SKIPPABLE_FRAME + frame) == RAW + RAW


@pytest.mark.parametrize("codec", PACKED)
def test_a_cut_is_an_error_wherever_it_is(tmp_path: Path, codec: Codec) -> None:
    data = stored(codec, RAW[2800:5000])
    for size in range(4, len(data)):
        with pytest.raises(TransferCut, match=f"offset {size:,}"):
            reread(tmp_path / "file", data[:size])


@pytest.mark.parametrize("codec", PACKED)
def test_a_cut_in_the_second_member_names_that_member(tmp_path: Path, codec: Codec) -> None:
    data = stored(codec, RAW)
    for extra in (1, 2, 3, 7, len(data) - 1):
        with pytest.raises(TransferCut, match=f"begins at {len(data):,}"):
            reread(tmp_path / "file", data + data[:extra])


@pytest.mark.parametrize("codec", PACKED)
def test_a_flipped_bit_is_never_taken_for_the_content(tmp_path: Path, codec: Codec) -> None:
    data = stored(codec, RAW[:20_000])
    chance = random.Random(2)
    for at in [
        *range(4, 40),
        *range(len(data) - 40, len(data)),
        *(chance.randrange(len(data)) for _ in range(200)),
    ]:
        broken = bytearray(data)
        broken[at] ^= 1 << chance.randrange(8)
        try:
            assert reread(tmp_path / "file", bytes(broken)) == RAW[:20_000]  # a field such as gzip's time
        except IntegrityError as error:
            assert "offset" in error.why


@pytest.mark.parametrize("codec", PACKED)
def test_a_wrong_checksum_is_damage(tmp_path: Path, codec: Codec) -> None:
    data = bytearray(stored(codec, RAW))
    data[-1 if codec is Codec.ZSTD else -5] ^= 1
    with pytest.raises(VerificationFailed, match="begins at offset 0") as caught:
        reread(tmp_path / "file", bytes(data))
    assert caught.value.advice


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("garbage", [b"\0" * 512, b"half a log line\n", b"JAVA PROFILE 1.0.2\0"])
def test_something_behind_the_last_member_is_an_error(tmp_path: Path, codec: Codec, garbage: bytes) -> None:
    data = stored(codec, RAW)
    with pytest.raises(VerificationFailed, match=f"what stands at offset {len(data):,}"):
        reread(tmp_path / "file", data + garbage)


@pytest.mark.parametrize(
    ("codec", "bound"), [(Codec.GZIP, 1 << 20), (Codec.ZSTD, 8 << 20), (Codec.NONE, 1 << 20)]
)
def test_a_heap_of_zeros_is_read_in_small_blocks(tmp_path: Path, codec: Codec, bound: int) -> None:
    packer = compressor(codec)
    megabyte = bytes(1 << 20)
    path = tmp_path / "zeros"
    with path.open("wb") as file:
        for _ in range(64):
            file.write(packer.compress(megabyte))
        file.write(packer.flush())
    sizes = [len(block) for block in read_raw(path)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= bound


def test_importing_the_codec_does_not_load_the_compressors() -> None:
    code = "import sys, jvmdiag.transfer.codec; print([m for m in ('isal', 'zstandard') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
