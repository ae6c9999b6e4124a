"""Which implementation goes over a dump: compiled where it is there and the dump is large, else pure Python."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from jvmdiag.hprof.careful import CarefulZeroing
from jvmdiag.hprof.rules import Rules
from jvmdiag.hprof.scan import PythonTally, PythonZeroing, Scan, Tally
from jvmdiag.transfer.codec import Codec, sniff

# Numba takes 0.6 s to start, in which pure Python goes over as much.
_WORTH_IT_BYTES = 200_000_000
# Heap dumps take 3 to 4 times less when compressed.
_RATIO = 3


def size_to_come(path: str | Path) -> int:
    """About how many raw bytes a file holds. Raises OSError as `open` does."""
    size = Path(path).stat().st_size
    return size if sniff(path) is Codec.NONE else size * _RATIO


def tally_for(size_bytes: int) -> Tally:
    """What counts the objects of a dump of about that size fastest."""
    if not _compiled(size_bytes):
        return PythonTally()
    from jvmdiag.hprof.kernel import KernelTally

    return KernelTally()


def zeroing_for(rules: Rules, size_bytes: int) -> Scan:
    """What zeroes by these rules fastest. Texts that are to be looked at are looked at in Python."""
    if rules.keep:
        return CarefulZeroing(rules.kinds, fields=rules.fields, keeps=rules.keeps_array)
    if _compiled(size_bytes):
        from jvmdiag.hprof.kernel import KernelZeroing

        return KernelZeroing(rules.kinds, fields=rules.fields)
    return CarefulZeroing(rules.kinds) if rules.fields else PythonZeroing(rules.kinds)


def _compiled(size_bytes: int) -> bool:
    return size_bytes >= _WORTH_IT_BYTES and find_spec("numba") is not None
