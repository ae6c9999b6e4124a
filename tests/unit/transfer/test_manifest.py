"""The manifest: written whole, read strictly, open to newer versions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from jvmdiag import __version__
from jvmdiag.errors import NoSuchFile, NotADump, NotWritable
from jvmdiag.model import CommandRecord, Heap, Jvm, LeftBehind, MemoryLimit, Owner, SigQuit, Vm, Witness
from jvmdiag.transfer.manifest import (
    SCHEMA,
    JvmFacts,
    Manifest,
    jvm_facts,
    manifest_path,
    read_manifest,
    utc,
    write_manifest,
)

JVM = Jvm(
    pid=4711,
    nspids=(4711, 7),
    start_ticks=1,
    owner=Owner(1001, 1002),
    user="tomcat",
    state="S",
    vm=Vm.HOTSPOT,
    java="/opt/java/bin/java",
    java_home="/opt/java",
    command=("java", "-Dpassword=hunter2"),
    main="org.apache.catalina.startup.Bootstrap",
    cwd="/",
    uptime_s=12.5,
    threads=30,
    rss_bytes=1,
    sigquit=SigQuit.CAUGHT,
    readable=True,
    seen_as_root=True,
    version="17.0.15",
    heap=Heap(1000, 2000, 3000),
    memory=MemoryLimit(5000, 4000),
)
FACTS = jvm_facts(JVM, ("-Dpassword=***",))
MANIFEST = Manifest(
    kind="heap dump",
    file="web.hprof.gz",
    target="docker://web",
    host_key_checked=None,
    jvm=FACTS,
    method="direct",
    method_detail="python3 in the container",
    started_at="2026-03-01T12:00:00.000Z",
    ended_at="2026-03-01T12:00:05.000Z",
    durations_s={"dump": 1.5, "total": 5},
    codec="gzip",
    raw_bytes=1000,
    stored_bytes=310,
    raw_sha256="aa",
    stored_sha256="bb",
    jvm_reported_bytes=1000,
    witnesses=(Witness("structure", True, "whole"), Witness("JVM's count", True, "1,000 bytes")),
    left_behind=(LeftBehind("dump", "docker://web:/tmp/x", "docker exec web rm /tmp/x"),),
    notes=("a note — with a dash",),
    commands=(CommandRecord("docker://web", ("cat", "/tmp/a b"), "1001:1002", None, 0.25, "streaming"),),
)


def document() -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "file",
        "file": "f",
        "target": "local://",
        "method": "m",
        "started_at": "",
        "ended_at": "",
        "codec": "none",
        "raw_bytes": 1,
        "stored_bytes": 1,
        "raw_sha256": "",
        "stored_sha256": "",
    }


def test_it_stands_beside_its_file() -> None:
    assert manifest_path("out/web.hprof.gz") == Path("out/web.hprof.gz.manifest.json")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m", MANIFEST)
    assert read_manifest(tmp_path / "m") == MANIFEST


def test_it_is_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m", MANIFEST)
    assert (tmp_path / "m").stat().st_mode & 0o7777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_a_later_manifest_replaces_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("old")
    write_manifest(tmp_path / "m", MANIFEST)
    assert read_manifest(tmp_path / "m") == MANIFEST


def test_the_document_reads_from_what_is_asked_first(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m", MANIFEST)
    text = (tmp_path / "m").read_text("utf-8")
    written = json.loads(text)
    assert list(written)[:5] == ["schema", "kind", "file", "target", "host_key_checked"]
    assert written["schema"] == "jvmdiag.manifest/1"
    assert written["tool"]["name"] == f"jvmdiag {__version__}"
    assert written["ratio"] == 3.23
    assert text.startswith('{\n  "schema"')
    assert "a note — with a dash" in text


def test_facts_of_a_jvm_hold_the_masked_options_only() -> None:
    expected = JvmFacts(
        pid=4711,
        nspid=7,
        user="tomcat",
        owner="1001:1002",
        vm="HotSpot",
        version="17.0.15",
        vm_name=None,
        java="/opt/java/bin/java",
        main="org.apache.catalina.startup.Bootstrap",
        options=("-Dpassword=***",),
        uptime_s=12.5,
        heap_used_bytes=1000,
        heap_max_bytes=3000,
        memory_limit_bytes=5000,
    )
    assert expected == FACTS


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    strange = Manifest(**{**vars(MANIFEST), "file": "caf\udce9.hprof"})
    write_manifest(tmp_path / "m", strange)
    assert read_manifest(tmp_path / "m").file == "caf\udce9.hprof"


def test_an_empty_file_has_a_ratio_too() -> None:
    assert Manifest(**{**vars(MANIFEST), "raw_bytes": 0, "stored_bytes": 0}).ratio == 1.0


def test_fields_of_newer_versions_are_ignored(tmp_path: Path) -> None:
    newer = document() | {
        "weather": "fine",
        "witnesses": [{"name": "n", "agrees": True, "detail": "d", "weight": 2}],
    }
    (tmp_path / "m").write_text(json.dumps(newer))
    assert read_manifest(tmp_path / "m").witnesses == (Witness("n", True, "d"),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("\0\1\2", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ("[]", '"schema": "jvmdiag.manifest/1"'),
        ('{"schema": "jvmdiag.manifest/2"}', '"schema": "jvmdiag.manifest/1"'),
        (json.dumps({"schema": SCHEMA}), "it has no kind"),
        (json.dumps(document() | {"raw_bytes": "12"}), 'raw_bytes is "12", which is no int'),
        (json.dumps(document() | {"raw_bytes": True}), "raw_bytes is true"),
        (json.dumps(document() | {"host_key_checked": "no"}), 'host_key_checked is "no", which is no bool'),
        (json.dumps(document() | {"durations_s": {"dump": "long"}}), "durations_s.dump"),
        (json.dumps(document() | {"witnesses": [{"name": "n", "agrees": 1}]}), r"witnesses\[0\].agrees is 1"),
        (json.dumps(document() | {"jvm": {"pid": 1}}), "it has no jvm.nspid"),
    ],
)
def test_garbage_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "m").write_text(text)
    with pytest.raises(NotADump, match=words):
        read_manifest(tmp_path / "m")


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"\xff\xfe\xfa\x00\x80")
    with pytest.raises(NotADump):
        read_manifest(tmp_path / "m")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match="no such file"):
        read_manifest(tmp_path / "m")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotWritable):
        write_manifest(tmp_path / "absent" / "m", MANIFEST)


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 3, 1, 14, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    assert utc(moment) == "2026-03-01T12:00:00.250Z"
