"""What of a copy that was cut can be built on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from jvmdiag.transfer import recover
from jvmdiag.transfer.codec import Codec, Members, read_raw
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.recover import borders, part_sums, sums_of
from jvmdiag.transfer.sink import PartialFile
from tests import hprof_bytes as make


def member_ends(file: Path, codec: Codec) -> list[int]:
    return [border.stored_bytes for border in borders(file, codec)]


DUMP = make.large_dump(3 << 20)
MEMBER = 1 << 20
PACKED = [Codec.GZIP, Codec.ZSTD]


def stored(codec: Codec, raw: bytes = DUMP) -> bytes:
    members = Members(codec, MEMBER)
    return members.compress(raw) + members.flush()


@pytest.mark.parametrize("codec", list(Codec))
def test_members_are_one_file_for_every_reader(tmp_path: Path, codec: Codec) -> None:
    file = tmp_path / "dump"
    file.write_bytes(stored(codec))
    assert b"".join(read_raw(file)) == DUMP


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("size", [0, 1, MEMBER - 1, MEMBER, MEMBER + 1, 3 * MEMBER])
def test_there_is_a_member_for_every_so_many_bytes_and_one_at_least(
    tmp_path: Path, codec: Codec, size: int
) -> None:
    file = tmp_path / "dump"
    file.write_bytes(stored(codec, DUMP[:size]))
    ends = member_ends(file, codec)
    assert len(ends) == max(1, -(-size // MEMBER))
    assert ends[-1] == file.stat().st_size
    stored_bytes = len(DUMP[:size])
    raw_ends = [*range(MEMBER, stored_bytes, MEMBER), stored_bytes]
    assert [border.raw_bytes for border in borders(file, codec)] == raw_ends


@pytest.mark.parametrize("codec", PACKED)
def test_a_cut_is_good_up_to_the_end_of_its_last_whole_member(tmp_path: Path, codec: Codec) -> None:
    file, whole = tmp_path / "dump", stored(codec)
    file.write_bytes(whole)
    ends = member_ends(file, codec)
    for cut, good in (
        (len(whole) - 1, ends[:-1]),
        (ends[0], ends[:1]),
        (ends[0] + 3, ends[:1]),
        (ends[0] - 1, []),
        (0, []),
    ):
        file.write_bytes(whole[:cut])
        assert member_ends(file, codec) == good


@pytest.mark.parametrize("codec", PACKED)
def test_what_stands_behind_a_damaged_member_is_not_good(tmp_path: Path, codec: Codec) -> None:
    file, whole = tmp_path / "dump", bytearray(stored(codec))
    file.write_bytes(whole)
    ends = member_ends(file, codec)
    whole[ends[0] + 40] ^= 0x10
    file.write_bytes(whole)
    assert member_ends(file, codec) == ends[:1]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_pump_goes_on_behind_what_was_here_as_if_it_had_never_ended(
    tmp_path: Path, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recover, "MEMBER_BYTES", MEMBER)
    whole = stored(codec)
    (tmp_path / "dump.partial").write_bytes(whole[: len(whole) * 2 // 3])
    with PartialFile(tmp_path, "dump", again=True) as sink:
        sink.cut(member_ends(sink.partial, codec)[-1])
        seen: list[bytes] = []
        sums = sums_of(sink.partial, codec, seen.append, lambda _: None)
        at = sums.raw_bytes
        assert (b"".join(seen), at > 0) == (DUMP[:at], True)
        done = pump([DUMP[at:]], sink, codec, walk=None, advance=lambda _: None, before=sums)
        final = sink.commit()
    content = final.read_bytes()
    assert b"".join(read_raw(final)) == DUMP
    assert done == Pumped(
        len(DUMP), len(content), hashlib.sha256(DUMP).hexdigest(), hashlib.sha256(content).hexdigest()
    )


def test_the_sums_of_parts_are_those_of_the_raw_bytes(tmp_path: Path) -> None:
    file = tmp_path / "dump"
    file.write_bytes(stored(Codec.GZIP))
    parts = [(0, 5), (5, MEMBER), (5 + MEMBER, len(DUMP) - 5 - MEMBER)]
    assert part_sums(file, parts) == [hashlib.sha256(DUMP[at : at + n]).hexdigest() for at, n in parts]
