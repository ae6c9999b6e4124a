"""An artefact on its way to its final name."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from jvmdiag.collect.job import Job, Journal, now
from jvmdiag.collect.keep import Origin, keep_text, require_agreement, write_account
from jvmdiag.errors import OutputExists, VerificationFailed
from jvmdiag.model import Artifact, CommandRecord, LeftBehind, Witness
from jvmdiag.target import DockerTarget
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.verify import verify_file
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container

TEXT = b"Full thread dump OpenJDK\n" + b'"main" #1\n' * 100 + b"JNI global refs: 15, weak refs: 0\n"


def job(output: Path, codec: Codec = Codec.GZIP) -> Job:
    return Job(DockerTarget("web"), output=output, codec=codec)


def test_witnesses_that_agree_let_it_pass() -> None:
    require_agreement([])
    require_agreement([Witness("byte count", True, "7"), Witness("structure", True, "whole")])


def test_one_witness_that_disagrees_is_enough_and_is_named() -> None:
    with pytest.raises(VerificationFailed, match="byte count: 7 there, 6 here") as caught:
        require_agreement(
            [Witness("structure", True, "whole"), Witness("byte count", False, "7 there, 6 here")]
        )
    assert "structure" not in caught.value.why


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.NONE, Codec.ZSTD])
def test_a_text_is_kept_under_its_name_with_the_codecs_suffix_for_its_owner_only(
    tmp_path: Path, codec: Codec
) -> None:
    kept = keep_text(job(tmp_path, codec), "web-threads.txt", TEXT)
    path = tmp_path / f"web-threads.txt{codec.suffix}"
    assert kept.path == str(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (kept.raw_bytes, kept.stored_bytes) == (len(TEXT), path.stat().st_size)
    assert kept.raw_sha256 == hashlib.sha256(TEXT).hexdigest()
    assert kept.stored_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert verify_file(path).ok


def test_what_is_kept_is_the_text(tmp_path: Path) -> None:
    assert gzip.decompress(Path(keep_text(job(tmp_path), "x.txt", TEXT).path).read_bytes()) == TEXT


def test_a_file_of_that_name_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.txt.gz").write_bytes(b"yesterday's")
    with pytest.raises(OutputExists):
        keep_text(job(tmp_path), "x.txt", TEXT)
    assert (tmp_path / "x.txt.gz").read_bytes() == b"yesterday's"


def account(tmp_path: Path) -> tuple[Artifact, str]:
    kept = keep_text(job(tmp_path), "x.txt", TEXT)
    journal = Journal()
    journal(CommandRecord("docker://web", ("sh", "-s"), None, 0, 0.1))
    origin = Origin(
        "thread dump",
        "direct",
        "by perl",
        now(),
        durations_s=(("dump", 0.25),),
        left_behind=(LeftBehind("file", "/tmp/x", "rm /tmp/x"),),
        notes=("a note",),
    )
    scene = in_a_container(the_jvm_of("options-and-limit-inside"))
    write_account(kept, origin, job(tmp_path), scene, journal)
    return kept, (tmp_path / "x.txt.gz.manifest.json").read_text(encoding="utf-8")


def test_the_account_says_how_it_came_to_be_and_what_was_left(tmp_path: Path) -> None:
    kept, text = account(tmp_path)
    said = json.loads(text)
    assert said["raw_sha256"] == kept.raw_sha256
    assert (said["method"], said["method_detail"], said["durations_s"]) == (
        "direct",
        "by perl",
        {"dump": 0.25},
    )
    assert said["left_behind"] == [{"what": "file", "where": "/tmp/x", "remove": "rm /tmp/x"}]
    assert [command["argv"] for command in said["commands"]] == [["sh", "-s"]]
    assert (said["target"], said["jvm"]["version"]) == ("docker://web", "17.0.9")


def test_the_account_holds_no_value_that_may_be_a_secret(tmp_path: Path) -> None:
    _, text = account(tmp_path)
    assert "-Dtoken=***" in text
    assert "hunter2" not in text
    assert "it has blanks" not in text


def test_the_account_is_for_its_owner_only_and_the_file_is_verified_by_it(tmp_path: Path) -> None:
    kept, _ = account(tmp_path)
    assert (tmp_path / "x.txt.gz.manifest.json").stat().st_mode & 0o777 == 0o600
    verdict = verify_file(kept.path)
    assert verdict.ok
    Path(kept.path).write_bytes(gzip.compress(TEXT + b"!"))
    assert not verify_file(kept.path).ok
