"""Heap dumps of real JVMs, redacted: the planted secrets are gone, and every class counts the same."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from jvmdiag.hprof import histogram_of_file, read_dump
from jvmdiag.hprof.records import ClassDump, InstanceDump, Segment
from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.jvmdiag import jvmdiag
from tests.real.test_heapdump import JVMS, dump

# A String of UTF-16, a byte[] of UTF-8, a char[]; a String of Latin-1; a name of a thread, made at run time.
WIDE, PROPERTY, THREAD = "Pl4nted\u0416Wide", "Pl4ntedProperty", "waiting-1"


def forms(text: str) -> list[bytes]:
    """How a heap may hold it: as UTF-8, which for ASCII is Latin-1 too, and as UTF-16 in both byte orders."""
    return [text.encode("utf-8"), text.encode("utf-16-le"), text.encode("utf-16-be")]


def found(path: Path, text: str) -> list[bytes]:
    raw = gzip.decompress(path.read_bytes())
    return [form for form in forms(text) if form in raw]


@pytest.mark.parametrize("image", JVMS)
@pytest.mark.parametrize("options", [("--redact", "strings"), ("--redact", "all", "--fields")], ids=" ".join)
def test_secrets_are_gone_and_every_class_counts_the_same(
    run_container: RunContainer, image: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    java = (f"-Ddb.password={PROPERTY}", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8")
    container = run_container(
        image, command=load("--secret", WIDE, "--threads", "1", java=java), environment={"LC_ALL": "C.UTF-8"}
    )
    plain = Path(dump(container, home=tmp_path)["artifact"]["path"])
    assert found(plain, WIDE) == forms(WIDE)
    assert found(plain, PROPERTY)
    assert found(plain, THREAD)
    run = jvmdiag("redact", str(plain), "-o", str(tmp_path / "out"), "--json", *options, home=tmp_path)
    assert run.exit_code == 0, run.err
    redacted = Path(run.document["artifact"]["path"])
    for text in (WIDE, PROPERTY, THREAD, "Pl4nted"):
        assert found(redacted, text) == [], text
    assert histogram_of_file(redacted) == histogram_of_file(plain)
    assert run.document["artifact"]["raw_bytes"] == len(gzip.decompress(plain.read_bytes()))
    verified = jvmdiag("verify", str(redacted), home=tmp_path)
    assert verified.exit_code == 0, verified.err


@pytest.mark.parametrize("image", JVMS)
def test_a_jvm_writes_every_class_before_the_first_instance(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    path = Path(dump(run_container(image), home=tmp_path)["artifact"]["path"])
    described: set[int] = set()
    instances = classes_after = 0
    for one in read_dump(path, content_limit_bytes=0):
        if isinstance(one, ClassDump):
            described.add(one.class_id)
            classes_after += bool(instances)
        elif isinstance(one, InstanceDump):
            instances += 1
            assert one.class_id in described
        elif isinstance(one, Segment):
            assert one.size_bytes >= 0
    assert instances > 1000
    assert classes_after == 0
