"""What of an unfinished copy is good: whole members, each with its own checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from jvmdiag.errors import IntegrityError
from jvmdiag.transfer.codec import MEMBER_BYTES, Codec, raw_blocks, read_raw
from jvmdiag.transfer.pump import Sums
from jvmdiag.transfer.verify import Tapped


@dataclass(frozen=True)
class Border:
    """The end of a whole gzip member or zstd frame: its offset in the file, and the raw bytes up to there."""

    stored_bytes: int
    raw_bytes: int


def borders(path: Path, codec: Codec) -> list[Border]:
    """Of all members up to the first that is cut or damaged; as if there were members where nothing is compressed.
    Reads the file once. Raises OSError as `open` does."""
    if codec is Codec.NONE:
        size = path.stat().st_size
        return [Border(at, at) for at in (*range(MEMBER_BYTES, size, MEMBER_BYTES), size)]
    found: list[Border] = []
    raw_bytes = 0

    def ended(at: int) -> None:
        found.append(Border(at, raw_bytes))

    with path.open("rb") as file, suppress(IntegrityError):
        for block in raw_blocks(file, codec, str(path), ended):
            raw_bytes += len(block)
    return found


def sums_of(
    path: Path, codec: Codec, feed: Callable[[bytes], object], advance: Callable[[int], None]
) -> Sums:
    """The sums of a file that ends with a member, for a pump that goes on behind it; `feed` gets its raw bytes, and
    `advance` how many. Raises IntegrityError where it is damaged, OSError as `open` does."""
    sums = Sums()
    with path.open("rb") as file:
        tapped = Tapped(file, lambda _: None, None if codec is Codec.NONE else sums.stored)
        for block in raw_blocks(cast(BinaryIO, tapped), codec, str(path)):
            sums.raw.update(block)
            sums.raw_bytes += len(block)
            feed(block)
            advance(len(block))
        sums.stored_bytes = file.tell()
    return sums


def part_sums(path: Path, parts: list[tuple[int, int]]) -> list[str]:
    """The sha256 of each part (offset, bytes) of the raw bytes; the parts follow on one another from the first byte."""
    sums, left = [hashlib.sha256() for _ in parts], [size for _, size in parts]
    at = 0
    for block in read_raw(path):
        while block and at < len(parts):
            piece, block = block[: left[at]], block[left[at] :]
            sums[at].update(piece)
            left[at] -= len(piece)
            at += not left[at]
    return [one.hexdigest() for one in sums]
