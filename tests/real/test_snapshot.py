"""Snapshots of real JVMs: loaded, stopped, closed to attach, seen by who may see little, and gone midway."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from jvmdiag.attach.rung import Reach
from jvmdiag.collect.job import Journal
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.report.snapshot_html import page
from jvmdiag.snapshot.found import look_around
from jvmdiag.target import parse_target
from tests.real import load_generator
from tests.real.containers import SshHost, home_of, left_behind, published_port, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.held import stopped
from tests.real.images import load
from tests.real.jvmdiag import Run, Running, jvmdiag
from tests.real.test_encrypt import new_key
from tests.unit.report.test_snapshot import EVIL, a_digest, a_whole

Shared = Callable[[str], Container]
QUICKLY = ("--interval", "0.2")
SECRET = "hunter2-in-a-property"


def take(
    target: str, *options: str, home: Path, exit_code: int = 0, env: Mapping[str, str] | None = None
) -> tuple[Path, dict[str, Any]]:
    """The folder and its manifest, every sum of which was verified, in the folder and in the archive."""
    run = jvmdiag("snapshot", target, "-o", str(home / "out"), "--json", *options, home=home, env=env)
    assert run.exit_code == exit_code, run.err
    return looked_at(run, home)


def looked_at(run: Run, home: Path) -> tuple[Path, dict[str, Any]]:
    folder = Path(run.document["folder"])
    verified = jvmdiag("verify", str(folder), run.document["archive"], "--json", home=home)
    assert verified.exit_code == 0, verified.err
    assert [len(file["witnesses"]) for file in verified.document["files"]] == [
        len(taken(run.document) | names(run.document, "partial"))
    ] * 2
    return folder, json.loads((folder / "manifest.json").read_text())


def taken(manifest: dict[str, Any]) -> set[str]:
    return names(manifest, "taken")


def names(manifest: dict[str, Any], status: str) -> set[str]:
    return {item["name"] for item in manifest["items"] if item["status"] == status}


def item_of(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    [item] = [item for item in manifest["items"] if item["name"] == name]
    return dict(item)


def why(manifest: dict[str, Any], name: str) -> str:
    return str(item_of(manifest, name)["why"])


@contextmanager
def loaded(container: Container) -> Iterator[None]:
    """As many requests as keep its threads visibly busy, for as long as the context lasts."""
    words = (load_generator.__file__, str(published_port(container)), "/", "200", "600")
    process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None, "the load ended before"
    finally:
        process.terminate()
        process.wait()


def test_a_loaded_tomcat_on_a_jre_is_all_there(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container(
        "tomcat-jre", environment={"CATALINA_OPTS": f"-Dapp.password={SECRET}", "DB_PASSWORD": SECRET}
    )
    log = "yes 0123456789 | head -c 3000000 >logs/big.log; touch /tmp/hs_err_pid7.log"
    assert container.exec_run(["sh", "-c", log])[0] == 0
    before = snapshot(container)
    with loaded(container):
        folder, manifest = take(
            str(container.name), "--full", "--interval", "0.5", "--logs-mb", "1", home=tmp_path
        )
    assert left_behind(container, before) == []
    assert names(manifest, "failed") == names(manifest, "interrupted") == set()
    assert names(manifest, "skipped") == {"native memory", "apache logs", "/tmp/hs_err_pid7.log"}
    assert {f"thread dump {n}" for n in (1, 2, 3)} | {"histogram", "vm info", "locks", "limits"} <= taken(
        manifest
    )
    assert manifest["took_s"] > 2
    # Permissions, from the first byte.
    assert all(
        stat.S_IMODE(p.stat().st_mode) == (0o700 if p.is_dir() else 0o600)
        for p in (folder, *folder.rglob("*"))
    )
    # What the files say.
    texts = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8", "replace")
        for path in folder.rglob("*.*")
        if path.is_file()
    }
    assert "http-nio-8080" in texts["thread-cpu.txt"]
    assert "Max open files" in texts["limits.txt"]
    # Behind /proc/PID/root the directory of its logs is a link out of there.
    big = texts["logs/tomcat-big.log"]
    assert big.startswith("0123456789\n") and 1_000_000 - 11 <= len(big) <= 1_000_000
    assert any(name.startswith("logs/tomcat-catalina") for name in texts)
    assert "Server startup" in texts["logs/container.log"]
    assert "/tmp/hs_err_pid7.log" in texts["found.txt"]
    assert [name for name, text in texts.items() if SECRET in text and not name.startswith("logs/")] == []
    assert "app.password=***" in texts["vm-system-properties.txt"]
    assert "http-nio-8080-exec-" in texts["summary.md"] and "http-nio-8080-exec-" in texts["index.html"]


def busy_s(dump: str) -> float:
    """What busy-1 had of a CPU so far."""
    [cpu_ms] = re.findall(r'^"busy-1" .* cpu=([\d.]+)ms ', dump, re.M)
    return float(cpu_ms) / 1000


@pytest.mark.parametrize("view", cases("host", long=("inside",)))
def test_the_busy_thread_is_named_with_its_place_by_whoever_looks(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--busy", "--deadlock"))
    options = ("--light", "--view", view, "-n", "9", "--interval", "0.25")
    folder, manifest = take(str(container.name), *options, home=tmp_path)
    head, _, _, busiest, where = (folder / "thread-cpu.txt").read_text().splitlines()[:5]
    assert "busy-1" in busiest and "RUNNABLE" in busiest
    assert "Load.spin" in where
    # HotSpot's own count stands in its dumps; the kernel's is read before the first and before the last of them.
    begun, last_but_one, ended = (busy_s((folder / f"thread-dump-{n}.txt").read_text()) for n in (1, 8, 9))
    first, listed = (item_of(manifest, name) for name in ("thread dump 1", "files"))
    before_s = first["began_s"] + first["took_s"] - listed["began_s"] - listed["took_s"]
    [over_s] = map(float, re.findall(r"over ([\d.]+) s", head))
    least, most = (last_but_one - begun) / (over_s + 0.05), (ended - begun + before_s) / (over_s - 0.05)
    assert least * 100 - 1 <= float(busiest.split()[0]) <= most * 100 + 1, (least, most)
    assert "DEADLOCK" in (folder / "summary.md").read_text()
    assert {"histogram", "vm info", "native memory"} <= names(manifest, "skipped")
    assert why(manifest, "histogram") == "not with --light"


def test_of_a_stopped_jvm_there_is_what_it_need_not_say_itself(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    pid = int(container.attrs["State"]["Pid"])
    with stopped(pid):
        folder, manifest = take(str(container.name), home=tmp_path, exit_code=65)
    assert names(manifest, "failed") == {"thread dump 1"}
    assert "stopped (state T)" in why(manifest, "thread dump 1")
    assert {
        "metrics before",
        "metrics after",
        "limits",
        "status",
        "cgroup",
        "files",
        "container log",
    } <= taken(manifest)
    assert {"thread dump 2", "thread dump 3", "vm info", "histogram"} <= names(manifest, "skipped")
    assert "see thread dump 1" in why(manifest, "histogram")
    assert manifest["method"] == ""
    assert "stopped" in (folder / "summary.md").read_text()


def test_a_jvm_that_falls_silent_is_asked_once_more_and_no_more(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    pid = int(container.attrs["State"]["Pid"])
    options = ("-o", str(tmp_path / "out"), "--json", "--interval", "1", "--timeout", "2")
    running = Running("snapshot", str(container.name), *options, home=tmp_path)
    until_it_says(running, "thread dump 1")
    os.kill(pid, signal.SIGSTOP)
    try:
        run = running.end()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.exit_code == 65, run.err
    _, manifest = looked_at(run, tmp_path)
    [silent] = names(manifest, "failed")
    assert "did not answer" in why(manifest, silent)
    assert {"thread dump 1", "metrics after"} <= taken(manifest)
    assert "not asked any more" in why(manifest, "histogram")
    # What was taken meanwhile took as long as it takes.
    waited = [item["name"] for item in manifest["items"] if item["took_s"] > 1 and item["status"] != "taken"]
    assert waited == [silent]


def until_it_says(running: Running, words: str) -> None:
    """Returns when a line of its stderr has them."""
    assert running.process.stderr
    for line in running.process.stderr:
        if words in line.decode():
            return
    raise AssertionError(f"it never said {words!r}")


@pytest.mark.long
def test_a_jvm_that_is_closed_to_attach_gives_its_threads(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load(java=("-XX:+DisableAttachMechanism",)))
    _, manifest = take(str(container.name), *QUICKLY, home=tmp_path)
    assert manifest["method"] == "quit"
    assert {"thread dump 1", "thread dump 2", "thread dump 3", "thread cpu"} <= taken(manifest)
    assert names(manifest, "failed") == set()
    assert "-XX:+DisableAttachMechanism" in why(manifest, "histogram")


def test_whoever_may_see_little_is_told_what(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    _, manifest = take(ssh_jre.target("plain"), *QUICKLY, home=home, exit_code=65)
    assert "thread dump 1" in names(manifest, "failed")
    assert "add --sudo" in why(manifest, "thread dump 1")
    assert {"limits", "status", "cgroup", "files"} <= taken(manifest)
    assert manifest["host_key_checked"] is True


def test_over_ssh_with_sudo_it_is_all_there(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    of_root = "echo >/tmp/hs_err_pid6.log; chmod 600 /tmp/hs_err_pid6.log; echo >/tmp/hs_err_pid5.log"
    ssh_jre.container.exec_run(["sh", "-c", of_root], user="0:0")
    before = snapshot(ssh_jre.container)
    options = ("--sudo", "--fetch-found", *QUICKLY)
    try:
        folder, manifest = take(ssh_jre.target("ops"), *options, home=home, exit_code=65)
        assert left_behind(ssh_jre.container, before) == []
    finally:
        ssh_jre.container.exec_run(["sh", "-c", "rm /tmp/hs_err_pid*"], user="0:0")
    # What the JVM's user may read, and no more: it is that user who may have made them.
    assert names(manifest, "failed") == {"/tmp/hs_err_pid6.log"}
    assert "not for this user to read" in why(manifest, "/tmp/hs_err_pid6.log")
    assert "/tmp/hs_err_pid5.log" in taken(manifest)
    assert {"thread dump 3", "histogram", "mounts", "thread cpu"} <= taken(manifest)
    assert any(path.name.startswith("tomcat-catalina") for path in (folder / "logs").iterdir())


def test_of_a_container_that_is_killed_midway_there_is_what_came_before(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    options = ("-o", str(tmp_path / "out"), "--json", "--view", "inside", "--interval", "3")
    running = Running("snapshot", str(container.name), *options, home=tmp_path)
    until_it_says(running, "thread dump 1")
    container.kill()
    run = running.end()
    assert run.exit_code == 65, run.err
    folder, manifest = looked_at(run, tmp_path)
    assert {"metrics before", "thread dump 1"} <= taken(manifest)
    assert "ended while it was being looked at" in why(manifest, "histogram")
    assert "exit code 137" in (folder / "summary.md").read_text()


def test_busybox_lists_a_directory_of_more_names_than_one_command_is_given(shared: Shared) -> None:
    container, count = shared("jre-minimal"), 1050
    fill = f"seq -w {count} | sed 's/.*/a b &.jfr/' | tr '\\n' '\\0' | xargs -0 touch"
    assert container.exec_run(["sh", "-c", f"mkdir /tmp/many && cd /tmp/many && {fill}"])[0] == 0
    try:
        with open_place(parse_target(str(container.name)), Access(), Journal()) as place:
            assert isinstance(place, ContainerPlace)
            found = look_around(Reach(place.inside, "", None), 1, ("dump:/tmp/many",))
    finally:
        container.exec_run(["rm", "-r", "/tmp/many"])
    names = [one.name for one in found.left if one.path.startswith("/tmp/many/")]
    assert names == [f"a b {number:04}.jfr" for number in range(1, count + 1)]


def test_an_interrupted_one_keeps_what_it_has_and_leaves_nothing(shared: Shared, tmp_path: Path) -> None:
    container = shared("jvm17")
    before = snapshot(container)
    running = Running(
        "snapshot", str(container.name), "-o", str(tmp_path / "out"), "--view", "inside", home=tmp_path
    )
    until_it_says(running, "thread dump 1")
    running.signal(signal.SIGINT)
    run = running.end()
    assert run.exit_code == 130, run.err
    assert left_behind(container, before) == []
    [folder] = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["interrupted"] is True
    assert "thread dump 1" in taken(manifest)
    assert {"thread dump 2", "histogram", "metrics after"} <= names(manifest, "interrupted")
    verified = jvmdiag("verify", str(folder), f"{folder}.tar.gz", home=tmp_path)
    assert verified.exit_code == 0, verified.err


def test_a_heap_dump_comes_with_its_own_preflight_and_verification(shared: Shared, tmp_path: Path) -> None:
    container = shared("jvm17")
    before = snapshot(container)
    folder, manifest = take(str(container.name), "--light", "--heap", "--yes", "-n", "1", home=tmp_path)
    [heap] = [item for item in manifest["items"] if item["name"] == "heap dump"]
    assert heap["status"] == "taken" and heap["pause"]["seconds"] > 0
    assert jvmdiag("verify", str(folder / heap["file"]), home=tmp_path).exit_code == 0
    with tarfile.open(f"{folder}.tar.gz") as tar:
        assert f"{folder.name}/{heap['file']}" in tar.getnames()
    assert left_behind(container, before) == []


def test_what_lies_there_is_fetched_on_request_and_a_heap_dump_is_not_taken_unasked(
    shellless: Container, tmp_path: Path
) -> None:
    left = Path(f"/proc/{shellless.attrs['State']['Pid']}/root/tmp/hs_err_pid3.log")
    left.write_text("# SIGSEGV\n")
    options = ("--light", "--fetch-found", "--heap", "-n", "1")
    try:
        folder, manifest = take(str(shellless.name), *options, home=tmp_path)
    finally:
        left.unlink()
    assert "/tmp/hs_err_pid3.log" in taken(manifest)
    assert (folder / "found/hs_err_pid3.log.gz").is_file()
    assert "heap dump" in names(manifest, "skipped")
    assert "nobody is there to confirm it; add --yes" in why(manifest, "heap dump")


def plain_files(folder: Path, secret: str) -> Callable[[], set[str]]:
    """Looks again and again at every file there, until it is called: those that held `secret` at any time."""
    found: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            # Unlike rglob it passes over a directory that goes meanwhile.
            for inside, _, files in os.walk(folder):
                for name in files:
                    with contextlib.suppress(OSError):
                        if secret.encode() in Path(inside, name).read_bytes():
                            found.add(name)

    thread = threading.Thread(target=look)
    thread.start()

    def end() -> set[str]:
        over.set()
        thread.join()
        look_once = {path for path in folder.rglob("*") if path.is_file()}
        return found | {path.name for path in look_once if secret.encode() in path.read_bytes()}

    return end


def test_an_encrypted_one_is_never_plain_here_and_opened_by_age_and_tar(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "60"))
    planted = f"echo {SECRET} >/tmp/hs_err_pid7.log; echo {SECRET} >/proc/1/fd/1"
    assert container.exec_run(["sh", "-c", planted])[0] == 0
    key, out = new_key(tmp_path / "key.txt"), tmp_path / "out"
    before = snapshot(container)
    out.mkdir()
    plain = plain_files(out, SECRET)
    options = ("--encrypt-to", key.recipient, "--fetch-found", "--heap", "--yes", "--json", *QUICKLY)
    run = jvmdiag("snapshot", str(container.name), "-o", str(out), *options, home=tmp_path)
    assert plain() == set()
    assert run.exit_code == 0, run.err
    assert left_behind(container, before) == []
    assert run.document["folder"] is None
    archive = Path(run.document["archive"])
    heap = next(item["beside"] for item in run.document["items"] if item["name"] == "heap dump")
    beside = {f"{archive.name}.manifest.json", heap, f"{heap}.manifest.json"}
    assert {path.name for path in out.iterdir()} == {archive.name, *beside}
    assert archive.name.endswith(".tar.gz.age") and stat.S_IMODE(archive.stat().st_mode) == 0o600
    # What can be pasted, as nobody here can open the one in the archive.
    assert "# Snapshot of docker://" in run.err

    with subprocess.Popen(["age", "-d", "-i", key.file, archive], stdout=subprocess.PIPE) as age:
        subprocess.run(["tar", "xz", "-C", tmp_path], stdin=age.stdout, check=True)
    assert age.returncode == 0
    folder = tmp_path / archive.name.removesuffix(".tar.gz.age")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (folder / "found/hs_err_pid7.log").read_text() == f"{SECRET}\n"
    assert SECRET in (folder / "logs/container.log").read_text()
    assert (folder / "index.html").is_file() and "thread dump 3" in taken(manifest)

    for place in (archive, out / heap):
        assert jvmdiag("verify", str(place), home=tmp_path).exit_code == 0
    verified = jvmdiag("verify", str(archive), "--identity", str(key.file), "--json", home=tmp_path)
    assert verified.exit_code == 0, verified.err
    # Each item, what is beside it, age, and the archive's own manifest.
    assert len(verified.document["files"][0]["witnesses"]) == len(taken(manifest)) + 2
    (out / heap).write_bytes(b"other")
    cut = jvmdiag("verify", str(archive), "--identity", str(key.file), home=tmp_path)
    assert cut.exit_code == 62 and heap in cut.out


def test_of_an_encrypted_one_that_is_killed_the_recipients_open_what_was_taken(
    shared: Shared, tmp_path: Path
) -> None:
    container = shared("jvm17")
    key, out = new_key(tmp_path / "key.txt"), tmp_path / "out"
    words = (str(container.name), "--encrypt-to", key.recipient, "-o", str(out), "--interval", "5")
    running = Running("snapshot", *words, home=tmp_path)
    until_it_says(running, "thread dump 1")
    running.signal(signal.SIGKILL)
    running.process.communicate()
    [folder] = out.iterdir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    # Where a file system knows no files without a name, one is called otherwise until it is whole.
    whole = [path for path in files if not path.name.endswith(".partial")]
    assert whole and all(path.suffix == ".age" for path in whole)
    assert not [path for path in files if b"Full thread dump" in path.read_bytes()]
    text = subprocess.run(
        ["age", "-d", "-i", key.file, folder / "thread-dump-1.txt.age"], check=True, capture_output=True
    ).stdout
    assert b"Full thread dump" in text

    look = jvmdiag("sweep", "--dry-run", "--json", home=tmp_path)
    assert look.exit_code == 74, look.err
    [one] = [one for each in look.document["targets"] for one in each["found"] if one["state"] == "evidence"]
    assert one["where"] == str(folder) and "encrypted" in one["note"]
    assert jvmdiag("sweep", "--yes", home=tmp_path).exit_code == 74
    assert folder.is_dir()
    assert jvmdiag("sweep", "--yes", "--whole", home=tmp_path).exit_code == 0
    assert list(out.iterdir()) == []
    assert jvmdiag("sweep", home=tmp_path).out == "no run left a record\n"


@pytest.mark.skipif(
    not shutil.which("chromium"), reason="chromium is not installed: apt-get install chromium"
)
def test_a_browser_shows_its_page_and_runs_nothing_in_it(tmp_path: Path) -> None:
    place = tmp_path / "index.html"
    place.write_text(page(a_whole(EVIL), a_digest(EVIL)))
    # A browser that asks nobody for anything but this page.
    alone = (
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    )
    options = ("--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'browser'}", *alone, "--dump-dom")
    shown = subprocess.run(
        ["chromium", *options, place.as_uri()], capture_output=True, text=True, timeout=240
    )
    assert "<title>Snapshot of docker://web" in shown.stdout
    assert "Threads by CPU" in shown.stdout
    assert "&lt;script&gt;" in shown.stdout and "<script" not in shown.stdout
