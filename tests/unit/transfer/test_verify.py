"""Is this file whole: ours, and those of other tools."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from jvmdiag.errors import NoSuchFile, NotADump
from jvmdiag.transfer.codec import Codec, compressor
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest, manifest_path, write_manifest
from jvmdiag.transfer.pump import pump
from jvmdiag.transfer.sink import PartialFile
from jvmdiag.transfer.verify import Verdict, verify_file
from tests import hprof_bytes as make
from tests.unit.transfer.test_threads import WHOLE as THREADS

NOBODY = 65534
DUMP = make.large_dump(2 << 20)


def packed(codec: Codec, raw: bytes) -> bytes:
    packer = compressor(codec)
    return packer.compress(raw) + packer.flush()


def verified(path: Path, data: bytes) -> Verdict:
    path.write_bytes(data)
    return verify_file(path)


def captured(directory: Path, codec: Codec, kind: str = "heap dump", raw: bytes = DUMP) -> Path:
    """A file as a capture leaves it: with its manifest beside it."""
    name = f"web.hprof{codec.suffix}"
    with PartialFile(directory, name) as file:
        got = pump(iter([raw]), file, codec, walk=StructureWalk(), advance=lambda _: None)
        path = file.commit()
    manifest = Manifest(
        kind=kind,
        file=name,
        target="docker://web",
        method="direct",
        started_at="",
        ended_at="",
        codec=codec.value,
        raw_bytes=got.raw_bytes,
        stored_bytes=got.stored_bytes,
        raw_sha256=got.raw_sha256,
        stored_sha256=got.stored_sha256,
    )
    write_manifest(manifest_path(path), manifest)
    return path


def names(verdict: Verdict, *, agrees: bool) -> list[str]:
    return [witness.name for witness in verdict.witnesses if witness.agrees is agrees]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_captured_dump_has_every_witness(tmp_path: Path, codec: Codec) -> None:
    path = captured(tmp_path, codec)
    verdict = verify_file(path)
    assert verdict.ok
    assert (verdict.path, verdict.kind, verdict.codec) == (str(path), "heap dump", codec)
    assert (verdict.raw_bytes, verdict.stored_bytes) == (len(DUMP), path.stat().st_size)
    packing = [] if codec is Codec.NONE else [codec.value]
    assert names(verdict, agrees=True) == [*packing, "structure", "manifest, stored", "manifest, raw"]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_dump_of_another_tool_is_asked_itself(tmp_path: Path, codec: Codec) -> None:
    verdict = verified(tmp_path / "any name", packed(codec, DUMP))
    assert verdict.ok
    assert verdict.kind == "heap dump"


def test_a_file_of_many_gzip_members_is_whole(tmp_path: Path) -> None:
    members = [packed(Codec.GZIP, DUMP[at : at + 300_000]) for at in range(0, len(DUMP), 300_000)]
    assert verified(tmp_path / "x.hprof.gz", b"".join(members)).ok


def test_a_gzip_file_cut_at_a_member_border_is_caught_by_the_structure(tmp_path: Path) -> None:
    members = [packed(Codec.GZIP, DUMP[at : at + 300_000]) for at in range(0, len(DUMP), 300_000)]
    verdict = verified(tmp_path / "x.hprof.gz", b"".join(members[:-1]))
    assert not verdict.ok
    assert (names(verdict, agrees=True), names(verdict, agrees=False)) == (["gzip"], ["structure"])


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.ZSTD])
def test_a_cut_compressed_dump_is_a_verdict_with_both_witnesses(tmp_path: Path, codec: Codec) -> None:
    data = packed(codec, DUMP)
    verdict = verified(tmp_path / "x", data[: len(data) * 2 // 3])
    assert not verdict.ok
    assert codec.value in names(verdict, agrees=False)


@pytest.mark.parametrize("codec", list(Codec))
def test_no_single_flipped_bit_of_a_captured_dump_passes(tmp_path: Path, codec: Codec) -> None:
    path = captured(tmp_path, codec, raw=make.large_dump(1 << 16))
    good = path.read_bytes()
    chance = random.Random(3)
    for _ in range(40):
        broken = bytearray(good)
        broken[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        verdict = verify_file(path)
        assert "manifest, stored" in names(verdict, agrees=False)


def test_the_whole_file_is_summed_also_behind_the_damage(tmp_path: Path) -> None:
    path = captured(tmp_path, Codec.GZIP)
    data = bytearray(path.read_bytes())
    data[12] ^= 0xFF
    path.write_bytes(data)
    passed: list[int] = []
    verdict = verify_file(path, passed.append)
    assert sum(passed) == len(data)
    assert names(verdict, agrees=False) == ["gzip", "manifest, stored"]


def test_another_size_than_the_manifests_is_said(tmp_path: Path) -> None:
    path = captured(tmp_path, Codec.NONE)
    path.write_bytes(DUMP[:-9])
    said = {witness.name: witness.detail for witness in verify_file(path).witnesses}
    assert said["manifest, stored"] == f"{len(DUMP) - 9:,} bytes, and the manifest says {len(DUMP):,}"


def test_a_manifest_that_is_garbage_is_a_witness_against(tmp_path: Path) -> None:
    path = captured(tmp_path, Codec.NONE)
    manifest_path(path).write_text("{}")
    assert names(verify_file(path), agrees=False) == ["manifest"]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_thread_dump_is_whole_with_its_closing_part(tmp_path: Path, codec: Codec) -> None:
    whole = verified(tmp_path / "threads.txt", packed(codec, THREADS.encode()))
    assert (whole.ok, whole.kind) == (True, "thread dump")
    cut = verified(tmp_path / "threads.txt", packed(codec, THREADS[: THREADS.index("JNI")].encode()))
    assert (cut.ok, cut.kind) == (False, "thread dump")


def test_other_files_stand_on_their_codec_and_manifest(tmp_path: Path) -> None:
    log = b"a line of a log\n" * 1000
    assert verified(tmp_path / "log.gz", packed(Codec.GZIP, log)).ok
    nothing = verified(tmp_path / "log", log)
    assert (nothing.ok, nothing.kind) == (False, "file")
    assert "no manifest" in nothing.witnesses[0].detail
    histogram = verify_file(captured(tmp_path, Codec.NONE, kind="histogram", raw=log))
    assert (histogram.ok, histogram.kind) == (True, "histogram")


def test_a_file_that_is_named_as_a_dump_and_is_none_is_said(tmp_path: Path) -> None:
    verdict = verified(tmp_path / "web.hprof.gz", packed(Codec.GZIP, b"<html>502 Bad Gateway</html>"))
    assert not verdict.ok
    assert verdict.witnesses[-1].detail == "its name says heap dump, and its content is none"


def test_what_its_manifest_calls_a_dump_must_be_one(tmp_path: Path) -> None:
    verdict = verify_file(
        captured(tmp_path, Codec.NONE, kind="thread dump", raw=b"Unable to open socket file\n")
    )
    assert names(verdict, agrees=False) == ["content"]


def test_an_empty_file_is_a_verdict(tmp_path: Path) -> None:
    for data in (b"", packed(Codec.GZIP, b"")):
        verdict = verified(tmp_path / "web.hprof", data)
        assert not verdict.ok
        assert verdict.witnesses[-1].detail == "the file is empty"


def test_what_can_not_be_read_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match="no such file"):
        verify_file(tmp_path / "absent")
    with pytest.raises(NotADump, match="is a directory"):
        verify_file(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(NotADump, match="no regular file"):
        verify_file(tmp_path / "fifo")


def without_rights(do: Callable[[], None]) -> None:
    if os.geteuid() != 0:
        do()
        return
    os.seteuid(NOBODY)  # root may read everything
    try:
        do()
    finally:
        os.seteuid(0)


def test_a_file_without_the_right_to_read_is_an_error_that_names_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "web.hprof"
    path.write_bytes(DUMP)
    path.chmod(0)

    def read() -> None:
        with pytest.raises(NoSuchFile, match="permission denied") as caught:
            verify_file(path)
        assert "owner" in caught.value.advice[0]

    without_rights(read)


def test_random_damage_is_a_verdict_and_never_anything_else(tmp_path: Path) -> None:
    chance = random.Random(4)
    small = make.small_dump()
    for codec in Codec:
        good = packed(codec, small)
        for _ in range(300):
            broken = bytearray(good)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            del broken[chance.randrange(1, len(broken) + 200) :]
            verdict = verified(tmp_path / "x", bytes(broken))
            assert verdict.witnesses
