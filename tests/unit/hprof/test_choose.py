"""Which implementation is chosen."""

from __future__ import annotations

import gzip
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from jvmdiag.hprof.careful import CarefulZeroing
from jvmdiag.hprof.choose import size_to_come, tally_for, zeroing_for
from jvmdiag.hprof.rules import Rules
from jvmdiag.hprof.scan import PythonTally, PythonZeroing

HERE = find_spec("numba") is not None


def test_small_dumps_are_for_pure_python() -> None:
    assert isinstance(tally_for(199_999_999), PythonTally)
    assert isinstance(zeroing_for(Rules(), 0), PythonZeroing)
    assert isinstance(zeroing_for(Rules(fields=True), 0), CarefulZeroing)


@pytest.mark.skipif(not HERE, reason="the extra `fast` is not installed")
def test_large_ones_are_for_compiled_code_where_it_is_there() -> None:
    assert type(tally_for(200_000_000)).__name__ == "KernelTally"
    assert type(zeroing_for(Rules(), 1 << 40)).__name__ == "KernelZeroing"
    assert type(zeroing_for(Rules(fields=True), 1 << 40)).__name__ == "KernelZeroing"


def test_texts_are_looked_at_in_pure_python() -> None:
    assert isinstance(zeroing_for(Rules.parse("keep:.*"), 1 << 40), CarefulZeroing)


def test_without_the_extra_large_ones_are_for_pure_python_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert isinstance(tally_for(1 << 40), PythonTally)


def test_a_compressed_file_holds_more_than_its_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    (tmp_path / "b").write_bytes(packed := gzip.compress(bytes(1000)))
    assert size_to_come(tmp_path / "a") == 1000
    assert size_to_come(tmp_path / "b") == 3 * len(packed)
