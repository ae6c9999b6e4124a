"""Files that are encrypted as they come: nothing plain on this disk, and opened by the reference implementation."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.engine import CannotHave
from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.jvmdiag import Running, jvmdiag
from tests.real.test_redact import WIDE


def forms(text: str) -> list[bytes]:
    """How a heap may hold it: as UTF-8, and as UTF-16 in both byte orders."""
    return [text.encode("utf-8"), text.encode("utf-16-le"), text.encode("utf-16-be")]


MAGIC = b"age-encryption.org/v1\n"


@dataclass(frozen=True)
class Key:
    """A key pair of age-keygen: the file of the private one, and the public one."""

    file: Path
    recipient: str


def new_key(file: Path) -> Key:
    if shutil.which("age-keygen") is None:
        raise CannotHave("it takes the Debian package age")
    subprocess.run(["age-keygen", "-o", str(file)], check=True, capture_output=True)
    made = subprocess.run(["age-keygen", "-y", str(file)], check=True, capture_output=True, text=True)
    return Key(file, made.stdout.strip())


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path / "key.txt")


def opened(file: Path, key: Path) -> bytes:
    """By age itself."""
    return subprocess.run(["age", "-d", "-i", str(key), str(file)], check=True, capture_output=True).stdout


def beginnings(running: Running, out: Path) -> set[bytes]:
    """What the unfinished file was seen to begin with, until its run had ended."""
    seen = set()
    while running.process.poll() is None:
        time.sleep(0.005)
        for path in out.glob("[!.]*.partial"):
            try:
                with path.open("rb") as file:
                    seen.add(file.read(len(MAGIC)))
            except FileNotFoundError:
                continue
    return seen


def test_a_heap_dump_is_never_plain_here_and_whole_again_with_the_key(
    run_container: RunContainer, key: Key, tmp_path: Path
) -> None:
    java = ("-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8")
    command = load("--secret", WIDE, "--megabytes", "100", java=java)
    container = run_container("jvm17", command=command, environment={"LC_ALL": "C.UTF-8"})
    second, out = new_key(tmp_path / "second.txt"), tmp_path / "out"
    (team := tmp_path / "team").write_text(f"# those on call\n{second.recipient}\n")
    to = ("--encrypt-to", key.recipient, "--encrypt-to", str(team))
    running = Running("heapdump", str(container.name), "--yes", *to, "-o", str(out), "--json", home=tmp_path)
    seen = beginnings(running, out)
    run = running.end()
    assert run.exit_code == 0, run.err
    assert seen
    assert all(MAGIC.startswith(start) for start in seen), seen

    path = Path(run.document["artifact"]["path"])
    manifest = json.loads(Path(f"{path}.manifest.json").read_text())
    assert path.name.endswith(".hprof.gz.age")
    assert path.stat().st_mode & 0o777 == 0o600
    assert manifest["encrypted_to"] == [key.recipient, second.recipient]
    assert manifest["stored_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for file in out.iterdir():
        assert not [form for form in forms(WIDE) if form in file.read_bytes()], file

    raw = gzip.decompress(opened(path, key.file))
    assert [form for form in forms(WIDE) if form in raw] == forms(WIDE)
    assert (len(raw), hashlib.sha256(raw).hexdigest()) == (manifest["raw_bytes"], manifest["raw_sha256"])
    assert opened(path, second.file) == opened(path, key.file)


def test_it_is_verified_with_the_key_and_as_far_as_it_goes_without(
    run_container: RunContainer, key: Key, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    out = tmp_path / "out"
    to = ("--encrypt-to", key.recipient, "-o", str(out), "--json")
    run = jvmdiag("heapdump", str(container.name), "--yes", "--compress", "zstd", *to, home=tmp_path)
    path = Path(run.document["artifact"]["path"])

    without = jvmdiag("verify", str(path), "--json", home=tmp_path)
    assert without.exit_code == 0, without.err
    assert [w["name"] for w in without.document["files"][0]["witnesses"]] == ["manifest, stored"]
    with_it = jvmdiag("verify", str(path), "--identity", str(key.file), "--json", home=tmp_path)
    assert with_it.exit_code == 0, with_it.err
    names = ["age", "zstd", "structure", "manifest, stored", "manifest, raw"]
    assert [w["name"] for w in with_it.document["files"][0]["witnesses"]] == names
    other = new_key(tmp_path / "other.txt")
    wrong = jvmdiag("verify", str(path), "--identity", str(other.file), home=tmp_path)
    assert (wrong.exit_code, "no key of --identity opens" in wrong.err) == (2, True), wrong.err

    path.write_bytes(path.read_bytes()[:-1])
    for options in ((), ("--identity", str(key.file))):
        assert jvmdiag("verify", str(path), *options, home=tmp_path).exit_code == 62


def test_thread_dumps_and_fetched_files_are_encrypted_too(
    run_container: RunContainer, key: Key, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    container.exec_run(["sh", "-c", "echo a secret | gzip >/tmp/packed.hprof.gz; echo a secret >/tmp/gc.log"])
    out = tmp_path / "out"
    to = ("--encrypt-to", key.recipient, "-o", str(out), "--json")
    threads = jvmdiag("threaddump", str(container.name), *to, home=tmp_path)
    assert threads.exit_code == 0, threads.err
    path = Path(threads.document["dumps"][0]["artifact"]["path"])
    assert b"Full thread dump" in gzip.decompress(opened(path, key.file))
    for name, suffix in (("gc.log", ".gz.age"), ("packed.hprof.gz", ".age")):
        fetched = jvmdiag("fetch", str(container.name), f"/tmp/{name}", *to, home=tmp_path)
        assert fetched.exit_code == 0, fetched.err
        assert gzip.decompress(opened(out / f"{name}{suffix}", key.file)) == b"a secret\n"


def test_a_recipient_that_is_none_is_told_before_anything_is_asked(tmp_path: Path, key: Key) -> None:
    for word in ("age1nonsense", str(key.file), "no-such-file"):
        run = jvmdiag("heapdump", "no-such-container", "--yes", "--encrypt-to", word, home=tmp_path)
        assert run.exit_code == 2, run.err
        assert "SECRET" not in run.err
