"""A part of a dump that waits in a file: the same bytes come back, and the file is gone afterwards."""

from __future__ import annotations

import random
import stat
from pathlib import Path

import pytest

from jvmdiag.errors import VerificationFailed
from jvmdiag.transfer.aside import AsideFile
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.sink import PartialFile

CONTENT = random.Random(7).randbytes(100_000) * 30


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("content", [CONTENT, b""], ids=["much", "nothing"])
def test_what_was_put_aside_comes_back(tmp_path: Path, codec: Codec, content: bytes) -> None:
    with PartialFile(tmp_path, "x.p0") as partial:
        aside = AsideFile(partial, codec)
        for at in range(0, len(content), 70_000):
            aside.write(content[at : at + 70_000])
        assert b"".join(aside.read()) == content
        assert stat.S_IMODE(partial.partial.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.ZSTD])
def test_what_changed_meanwhile_is_noticed(tmp_path: Path, codec: Codec) -> None:
    with PartialFile(tmp_path, "x.p0") as partial:
        aside = AsideFile(partial, codec)
        aside.write(random.Random(8).randbytes(3_000_000))
        with partial.partial.open("r+b") as file:
            file.seek(100_000)
            file.write(b"\0" * 80)
        with pytest.raises(VerificationFailed):
            list(aside.read())
