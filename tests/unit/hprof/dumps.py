"""Damaged and hostile dumps, by a fixed seed, and the one question that all of them are asked."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from jvmdiag.errors import DumpIncomplete, NotADump
from tests.hprof_bytes import heap_dump

SEED = 20_260_301


def damaged(count: int) -> Iterator[bytes]:
    """Dumps with flipped bits, overwritten lengths, cut ends, missing and doubled middles."""
    chance = random.Random(SEED)
    whole = [heap_dump(4), heap_dump(8)]
    for _ in range(count):
        yield _damage(bytearray(chance.choice(whole)), chance)


def _damage(dump: bytearray, chance: random.Random) -> bytes:
    at = chance.randrange(len(dump))
    match chance.randrange(5):
        case 0:
            for _ in range(chance.randrange(1, 9)):
                dump[chance.randrange(len(dump))] ^= 1 << chance.randrange(8)
        case 1:
            dump[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])
        case 2:
            del dump[max(at, 1) :]  # of an empty file there is no offset to name
        case 3:
            del dump[at : at + chance.randrange(1, 50)]
        case _:
            dump[at:at] = dump[at : at + chance.randrange(1, 200)]
    return bytes(dump)


def says(reading: Callable[[], object]) -> str:
    """What `reading` says against a dump, with an offset in it; empty where nothing."""
    try:
        reading()
    except (NotADump, DumpIncomplete) as error:
        assert "offset" in str(error), error
        return str(error)
    return ""
