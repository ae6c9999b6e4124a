"""Encrypted files: what is stored is never plain, and is whole again with the right key alone."""

from __future__ import annotations

import gc
import gzip
import hashlib
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from jvmdiag.errors import BadRequest, MissingExtra, TransferCut, VerificationFailed
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest, manifest_path, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.seal import MAGIC, Seal, is_sealed, keys_of, opened, seal_for
from jvmdiag.transfer.verify import verify_file
from tests import hprof_bytes as make

DUMP = make.large_dump(3 << 20)
KEY, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
SEAL = Seal((str(KEY.to_public()),))
SSH_PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN alice@rust"


class Sink:
    """Takes what is stored."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes, /) -> None:
        self.content += data


def chunks(content: bytes = DUMP) -> Iterator[bytes]:
    yield from (content[at : at + 100_000] for at in range(0, len(content), 100_000))


def stored(
    seal: Seal | None = SEAL, codec: Codec = Codec.GZIP, content: bytes = DUMP
) -> tuple[bytes, Pumped]:
    sink = Sink()
    pumped = pump(chunks(content), sink, codec, walk=StructureWalk(), advance=lambda _: None, seal=seal)
    return bytes(sink.content), pumped


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("content", [DUMP, b"", b"x"], ids=["dump", "empty", "one-byte"])
def test_what_is_stored_is_an_age_file_of_what_would_be_stored_else(codec: Codec, content: bytes) -> None:
    sealed, pumped = stored(codec=codec, content=content)
    plain, plainly = stored(None, codec, content)
    assert is_sealed(sealed)
    assert pyrage.decrypt(sealed, [KEY]) == plain
    assert (pumped.raw_bytes, pumped.raw_sha256) == (plainly.raw_bytes, plainly.raw_sha256)
    assert pumped.stored_bytes == len(sealed)
    assert pumped.stored_sha256 == hashlib.sha256(sealed).hexdigest()


def test_each_of_several_recipients_opens_it_and_nobody_else() -> None:
    sealed, _ = stored(Seal((*SEAL.recipients, str(OTHER.to_public()), SSH_PUBLIC)))
    assert (
        gzip.decompress(pyrage.decrypt(sealed, [KEY]))
        == gzip.decompress(pyrage.decrypt(sealed, [OTHER]))
        == DUMP
    )
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


class Full(Exception):
    pass


def test_a_sink_that_fails_leaves_no_thread_behind() -> None:
    class Failing(Sink):
        def write(self, data: bytes, /) -> None:
            raise Full

    before = {*threading.enumerate()}
    with pytest.raises(Full):
        pump(chunks(DUMP * 4), Failing(), Codec.NONE, walk=None, advance=lambda _: None, seal=SEAL)
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "_encrypt":
            thread.join(10)
    # Of those before some may have ended.
    assert {*threading.enumerate()} <= before


def test_what_is_under_way_is_bounded() -> None:
    """The sink sees most of it before the source has ended."""
    sink = Sink()

    def watched() -> Iterator[bytes]:
        block = bytes(1 << 20)
        for _ in range(64):
            yield block
        assert len(sink.content) > 40 << 20

    pump(watched(), sink, Codec.NONE, walk=None, advance=lambda _: None, seal=SEAL)


def test_recipients_are_words_or_lines_of_a_file(tmp_path: Path) -> None:
    (file := tmp_path / "team").write_text(f"# the team\n\n{SEAL.recipients[0]}\n  {SSH_PUBLIC}\n")
    assert seal_for((str(file), SEAL.recipients[0])) == Seal((SEAL.recipients[0], SSH_PUBLIC))


@pytest.mark.parametrize("word", ["age1nonsense", "ssh-ed25519 AAAA", "no-such-file", "", "."])
def test_a_word_that_is_no_recipient_is_an_error(word: str) -> None:
    with pytest.raises(BadRequest):
        seal_for((word,))


def test_a_private_key_given_for_a_recipient_is_refused_and_not_shown(tmp_path: Path) -> None:
    (file := tmp_path / "key").write_text(f"{KEY}\n")
    (empty := tmp_path / "empty").write_text("# nobody\n")
    for wrong in (file, empty):
        with pytest.raises(BadRequest) as error:
            seal_for((str(wrong),))
        assert str(KEY) not in f"{error.value} {error.value.advice}"


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(MissingExtra) as error:
        seal_for(SEAL.recipients)
    assert error.value.advice == ("pip install 'jvmdiag[encrypt]'",)


def key_file(folder: Path, key: object = KEY) -> Path:
    (file := folder / "key.txt").write_text(f"# created: today\n# public key: age1…\n{key}\n")
    return file


def test_keys_come_from_files_that_hold_some(tmp_path: Path) -> None:
    assert len(keys_of((key_file(tmp_path),))) == 1
    (tmp_path / "none").write_text("# nothing\n")
    (tmp_path / "pem").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    (tmp_path / "torn").write_text("AGE-SECRET-KEY-1NONSENSE\n")
    for wrong in ("none", "pem", "torn", "missing"):
        with pytest.raises(BadRequest):
            keys_of((tmp_path / wrong,))


def read(content: bytes, *keys: object) -> bytes:
    with opened(io.BytesIO(content), keys or (KEY,), "x.age") as plain:
        return plain.read()


def test_it_is_read_as_a_stream() -> None:
    assert gzip.decompress(read(stored()[0])) == DUMP


def test_the_wrong_key_is_an_error_that_says_so() -> None:
    with pytest.raises(BadRequest, match="no key of --identity opens"):
        read(stored()[0], OTHER)


@pytest.mark.parametrize("left_out", [1, 16, 70_000])
def test_a_cut_file_gives_what_is_authentic_and_then_an_error(left_out: int) -> None:
    sealed, _ = stored(codec=Codec.NONE)
    with opened(io.BytesIO(sealed[:-left_out]), (KEY,), "x.age") as plain:
        seen = bytearray()
        with pytest.raises((VerificationFailed, TransferCut)):
            while block := plain.read(1 << 16):
                seen += block
    assert DUMP.startswith(seen)


@pytest.mark.parametrize("at", [5, 100, 250, 1 << 20])
def test_a_flipped_bit_is_noticed(at: int) -> None:
    sealed = bytearray(stored(codec=Codec.NONE)[0])
    sealed[at] ^= 1
    with pytest.raises((VerificationFailed, TransferCut, BadRequest)):
        read(bytes(sealed))


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    before = {*threading.enumerate()}
    with opened(io.BytesIO(stored(codec=Codec.NONE)[0]), (KEY,), "x.age") as plain:
        assert plain.read(100) == DUMP[:100]
    # Of those before some may have ended.
    assert {*threading.enumerate()} <= before


# What `jvmdiag verify` makes of such a file


def on_disk(folder: Path, *, cut: int = 0, codec: Codec = Codec.GZIP, manifest: bool = True) -> Path:
    sealed, pumped = stored(codec=codec)
    path = folder / f"web.hprof{codec.suffix}.age"
    path.write_bytes(sealed[: len(sealed) - cut])
    if manifest:
        said = Manifest(
            kind="heap dump", file=path.name, target="docker://web", method="direct", started_at="", ended_at="",
            codec=codec.value, encrypted_to=SEAL.recipients, raw_bytes=pumped.raw_bytes,
            stored_bytes=pumped.stored_bytes, raw_sha256=pumped.raw_sha256, stored_sha256=pumped.stored_sha256,
        )  # fmt: skip
        write_manifest(manifest_path(path), said)
    return path


def test_without_a_key_the_manifest_speaks_for_the_stored_bytes(tmp_path: Path) -> None:
    verdict = verify_file(on_disk(tmp_path))
    assert [(w.name, w.agrees) for w in verdict.witnesses] == [("manifest, stored", True)]
    assert (verdict.ok, verdict.kind, verdict.raw_bytes) == (True, "heap dump", 0)


def test_without_a_key_and_a_manifest_nobody_can_speak_for_it(tmp_path: Path) -> None:
    verdict = verify_file(on_disk(tmp_path, manifest=False))
    assert not verdict.ok
    assert "--identity" in verdict.witnesses[0].detail


@pytest.mark.parametrize("codec", list(Codec))
def test_with_the_key_everything_is_compared(tmp_path: Path, codec: Codec) -> None:
    seen: list[int] = []
    path = on_disk(tmp_path, codec=codec)
    verdict = verify_file(path, seen.append, keys_of((key_file(tmp_path),)))
    packed = [] if codec is Codec.NONE else [codec.value]
    assert [w.name for w in verdict.witnesses] == [
        "age",
        *packed,
        "structure",
        "manifest, stored",
        "manifest, raw",
    ]
    assert (verdict.ok, verdict.codec, verdict.raw_bytes) == (True, codec, len(DUMP))
    assert sum(seen) == path.stat().st_size


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize("with_key", [True, False])
def test_a_cut_file_is_not_whole(tmp_path: Path, with_key: bool, manifest: bool) -> None:
    keys = keys_of((key_file(tmp_path),)) if with_key else ()
    verdict = verify_file(on_disk(tmp_path, cut=1, manifest=manifest), keys=keys)
    assert not verdict.ok


def test_the_wrong_key_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        verify_file(on_disk(tmp_path), keys=keys_of((key_file(tmp_path, OTHER),)))


def test_keys_do_not_disturb_a_file_that_is_not_encrypted(tmp_path: Path) -> None:
    (path := tmp_path / "web.hprof").write_bytes(DUMP)
    assert verify_file(path, keys=keys_of((key_file(tmp_path),))).ok


def test_a_file_that_only_begins_like_one_is_not_whole(tmp_path: Path) -> None:
    (path := tmp_path / "web.age").write_bytes(MAGIC + b"and then nothing\n")
    assert not verify_file(path, keys=keys_of((key_file(tmp_path),))).ok
