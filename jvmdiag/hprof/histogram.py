"""How many objects of each class a heap dump holds, and how large they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from jvmdiag.hprof.choose import size_to_come, tally_for
from jvmdiag.hprof.layout import Kind
from jvmdiag.hprof.names import Names
from jvmdiag.hprof.scan import Counts, Tally, add
from jvmdiag.hprof.stream import HeapStream, Readable
from jvmdiag.transfer.codec import Codec, codec_of, raw_blocks

# As a class histogram of HotSpot names them.
_PRIMITIVES = {
    Kind.BOOLEAN: "[Z",
    Kind.CHAR: "[C",
    Kind.FLOAT: "[F",
    Kind.DOUBLE: "[D",
    Kind.BYTE: "[B",
    Kind.SHORT: "[S",
    Kind.INT: "[I",
    Kind.LONG: "[J",
}


@dataclass(frozen=True, slots=True)
class ClassCount:
    """`shallow_bytes` is by HPROF's widths: the fields or elements alone, a reference as wide as an id of the dump.

    The JVM itself adds a header of 12 or 16 bytes and padding to each object, and with compressed oops (a heap
    below 32 GB) a reference takes it 4 bytes.
    """

    name: str
    instances: int
    shallow_bytes: int


def histogram_of_file(path: str | Path) -> tuple[ClassCount, ...]:
    """As `histogram`, of a file that is plain, gzip or zstd. Raises as `read_raw` does, too."""
    tally = tally_for(size_to_come(path))
    with Path(path).open("rb", buffering=0) as file:
        codec = codec_of(file.read(4))
        file.seek(0)
        if codec is not Codec.NONE:
            return histogram(raw_blocks(cast(BinaryIO, file), codec, str(path)), tally)
        return class_counts(cast(Readable, file), tally)


def class_counts(file: Readable, tally: Tally) -> tuple[ClassCount, ...]:
    """As `histogram`, of a plain file: faster, for nothing of it is copied."""
    names = Names()
    stream = HeapStream(tally, names.take)
    for _ in stream.over_file(file):
        pass
    stream.finish()
    return _rows(tally.counts(), names)


def histogram(chunks: Iterable[bytes], tally: Tally | None = None) -> tuple[ClassCount, ...]:
    """The classes of the dump whose raw bytes `chunks` has, largest first; of equal ones by name.

    Classes of one name, of several loaders, are one. `tally` counts; by default that in pure Python.
    Raises NotADump or DumpIncomplete where it is not whole.
    """
    counting, names = tally or tally_for(0), Names()
    stream = HeapStream(counting, names.take)
    for chunk in chunks:
        stream.go_over(chunk)
    stream.finish()
    return _rows(counting.counts(), names)


def _rows(counts: Counts, names: Names) -> tuple[ClassCount, ...]:
    by_name: dict[str, tuple[int, int]] = {}
    for class_id, counted in counts.classes.items():
        add(by_name, names.of(class_id), *counted)
    for kind, counted in counts.primitives.items():
        add(by_name, _PRIMITIVES[kind], *counted)
    rows = (ClassCount(name, *counted) for name, counted in by_name.items())
    return tuple(sorted(rows, key=lambda row: (-row.shallow_bytes, -row.instances, row.name)))
