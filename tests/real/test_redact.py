"""Dumps of real JVMs, redacted: what was planted is gone, each kind by the rules that say so; the rest is as it was."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from jvmdiag.hprof import histogram_of_file, read_dump
from jvmdiag.hprof.records import ClassDump, InstanceDump, Segment
from tests.real.fixtures import RunContainer, cases
from tests.real.images import load
from tests.real.jvmdiag import Running, jvmdiag, text_of, wait_for_partial
from tests.real.test_heapdump import dump

# It is of UTF-16 for a JVM. Of a -D value and of the environment all is Latin-1.
WIDE, PROPERTY, VARIABLE = "Pl4nted\u0416Wide", "Pl4ntedProperty", "Pl4ntedVariable"
LITTLE, BIG = "utf-16-le", "utf-16-be"
# What is planted, and the bytes by which a dump shows it.
TEXTS = {
    "String, UTF-16": f"{WIDE}/string".encode(LITTLE),
    "String, Latin-1": b"Pl4ntedWide/latin1",
    "byte[]": f"{WIDE}/bytes".encode(),
    "char[]": f"{WIDE}/chars".encode(BIG),
    "interned String": f"{WIDE}/interned".encode(LITTLE),
    "name of a thread": f"{WIDE}/thread".encode(LITTLE),
    "value of -D": PROPERTY.encode(),
    "environment": VARIABLE.encode(),
}
NUMBERS = {"int[]": f"{WIDE}/codepoints".encode("utf-32-be")}
FIELDS = {"field": b"Pl4nted\x16", "static field": b"Pl4nted\x17"}
CONSTANTS = {"constant of a class file": b"C0nstant/of-a-class-file", "name of a class": b"Load$Node"}
EVERYTHING = TEXTS | NUMBERS | FIELDS | CONSTANTS


def raw_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def found(raw: bytes) -> list[str]:
    """Which of what was planted is in it."""
    return [kind for kind, content in EVERYTHING.items() if content in raw]


def loaded(run_container: RunContainer, image: str, *more: str) -> Container:
    java = (f"-Ddb.password={PROPERTY}", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8")
    environment = {"LC_ALL": "C.UTF-8", "DB_TOKEN": VARIABLE, "JAVA_TOOL_OPTIONS": f"-Dtool={VARIABLE}"}
    return run_container(
        image, command=load("--secret", WIDE, "--threads", "1", *more, java=java), environment=environment
    )


def redact(file: Path, *options: str, home: Path) -> dict[str, Any]:
    """What --json says; the file is verified."""
    run = jvmdiag("redact", str(file), "--json", *options, home=home)
    assert run.exit_code == 0, run.err
    verified = jvmdiag("verify", run.document["artifact"]["path"], home=home)
    assert verified.exit_code == 0, verified.err
    return dict(run.document)


def redacted_raw(plain: Path, *options: str, home: Path) -> bytes:
    """A redacted dump, after it was compared with the plain one: of the same size, and every class counts the same."""
    path = Path(redact(plain, "-o", str(home / "-".join(options)), *options, home=home)["artifact"]["path"])
    names = "--redact-names" in options
    rows, before = histogram_of_file(path), histogram_of_file(plain)
    assert [row.name for row in rows if not names] == [row.name for row in before if not names]
    assert [(row.instances, row.shallow_bytes) for row in rows] == [
        (row.instances, row.shallow_bytes) for row in before
    ]
    raw = raw_of(path)
    assert len(raw) == len(raw_of(plain))
    return raw


@pytest.mark.parametrize("image", cases("jvm25", long=("jvm11", "jvm17", "jvm21")))
def test_each_secret_goes_by_the_rules_that_say_so(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    plain = Path(dump(loaded(run_container, image), home=tmp_path)["artifact"]["path"])
    assert found(raw_of(plain)) == list(EVERYTHING)
    left: Sequence[tuple[tuple[str, ...], dict[str, bytes]]] = [
        (("--redact", "strings"), NUMBERS | FIELDS | CONSTANTS),
        (("--redact", "all"), FIELDS | CONSTANTS),
        (("--redact", "all", "--fields"), CONSTANTS),
        (("--redact", "all", "--fields", "--redact-names"), {}),
    ]
    for options, expected in left:
        assert found(redacted_raw(plain, *options, home=tmp_path)) == list(expected), options
    kept = redacted_raw(plain, "--redact", "keep:.*/(chars|string)", "--fields", home=tmp_path)
    assert found(kept) == ["String, UTF-16", "char[]", *CONSTANTS]


@pytest.mark.parametrize("image", cases("jvm17", long=("jvm25",)))
def test_a_dump_is_redacted_before_a_byte_of_it_is_written_here(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    """Also what a killed jvmdiag leaves holds nothing, and is gone on with by the same rules."""
    container = loaded(run_container, image, "--megabytes", "200")
    out = tmp_path / "out"
    rules = ("--redact", "all", "--redact-fields", "--redact-names")
    taken = dump(container, *rules, home=tmp_path)
    assert taken["redacted"].startswith("all primitive arrays, and all primitive fields, zeroed")
    assert found(raw_of(Path(taken["artifact"]["path"]))) == []
    words = ("heapdump", str(container.name), "--yes", "--compress", "none", *rules, "-o", str(out))
    running = Running(*words, home=tmp_path)
    partial = wait_for_partial(out, 1)
    running.signal(signal.SIGKILL)
    running.end()
    assert found(partial.read_bytes()) == []
    resumed = jvmdiag("resume", str(out), "--json", home=tmp_path)
    assert resumed.exit_code == 0, resumed.err
    path = Path(resumed.document["dumps"][0]["artifact"]["path"])
    assert found(path.read_bytes()) == []
    assert sum(row.instances for row in histogram_of_file(path)) > 1000


@pytest.mark.parametrize("image", cases("jvm25", long=("jvm11", "jvm17", "jvm21")))
def test_names_of_the_jdk_stay_where_names_are_replaced(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    plain = Path(dump(run_container(image), home=tmp_path)["artifact"]["path"])
    path = Path(redact(plain, "-o", str(tmp_path), "--redact-names", home=tmp_path)["artifact"]["path"])
    pairs = list(zip(histogram_of_file(plain), histogram_of_file(path), strict=True))
    by_name = {before.name: after.name for before, after in pairs if before.shallow_bytes}
    for name in ("java.lang.String", "java.util.HashMap$Node", "[B", "[Ljava.lang.Object;", "[J"):
        assert by_name[name] == name
    assert by_name["Load$Node"] != "Load$Node"
    assert len({after.name for _, after in pairs}) == len(pairs)


@pytest.mark.parametrize("image", cases("jvm11", "jvm25", long=("jvm17", "jvm21")))
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


@pytest.mark.parametrize("image", cases("jvm25", long=("jvm11", "jvm17", "jvm21")))
def test_texts_are_redacted_too(run_container: RunContainer, image: str, tmp_path: Path) -> None:
    container = loaded(run_container, image)
    name, out = str(container.name), ("-o", str(tmp_path / "out"))
    for command in ("VM.system_properties", "VM.command_line", "VM.info", "Thread.print", "VM.flags"):
        plain = jvmdiag("jcmd", name, command, home=tmp_path)
        assert ("Pl4nted" in plain.out) == (command != "VM.flags"), command
        masked = jvmdiag("jcmd", "--redact", name, command, home=tmp_path)
        assert masked.exit_code == 0, masked.err
        assert "Pl4nted" not in masked.out, command
        assert len(masked.out.splitlines()) > len(plain.out.splitlines()) * 0.9
    refused = jvmdiag("jcmd", "--redact", name, "VM.stringtable", home=tmp_path)
    assert (refused.exit_code, "can't be redacted" in refused.err) == (2, True)

    plain_dump = jvmdiag("threaddump", name, "--json", *out, home=tmp_path).document["dumps"][0]["artifact"]
    assert "Pl4nted" in text_of(plain_dump)
    masked_dumps = jvmdiag(
        "threaddump", name, "--redact", "-n", "2", "--interval", "0", "--json", *out, home=tmp_path
    )
    [first, second] = [one["artifact"] for one in masked_dumps.document["dumps"]]
    offline = redact(Path(plain_dump["path"]), *out, home=tmp_path)["artifact"]
    for artifact in (first, second, offline):
        text = text_of(artifact)
        assert "Pl4nted" not in text
        assert '"main" #' in text
        assert '"group-' in text
        assert "at Load." in text
        manifest = json.loads(Path(f"{artifact['path']}.manifest.json").read_text())
        assert any(note.startswith("redacted: ") for note in manifest["notes"])
        assert "Pl4nted" not in json.dumps(manifest)
