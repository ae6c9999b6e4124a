"""A heap dump without disk, from real JVMs: no byte is written there, and no JVM is left standing whoever is killed."""

from __future__ import annotations

import gzip
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from jvmdiag.capture.pipe import STALL_S
from tests.hprof_read import instances_by_class
from tests.real.containers import left_behind, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.images import load
from tests.real.jvmdiag import Running, argv, environment, final_names, jvmdiag
from tests.real.piping import SLACK_S, all_pids, let_it_wait, queued, readers, the_reader, until
from tests.real.terminal import read_until

# Not so little that a dump of 190 MB kills only where what the JVM has of its files counts for it, and not for another.
LIMIT = {"mem_limit": "390m", "memswap_limit": "390m"}
FULL = load("--megabytes", "180", java=("-Xmx260m", "-XX:+UseSerialGC"))
BIG = load("--megabytes", "300", java=("-Xmx900m",))
SMALL: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": "rw,size=8m,mode=1777", "/dev/shm": "rw,size=4m,mode=1777"},
}


def root_of(container: Container) -> Path:
    container.reload()
    return Path(f"/proc/{container.attrs['State']['Pid']}/root")


def fill(container: Container) -> None:
    """To the last byte: whatever can be written in there."""
    container.exec_run(
        ["sh", "-c", "for d in /tmp /dev/shm; do cat /dev/zero >$d/filled; done"], user="1001:1001"
    )


def used(container: Container) -> dict[str, tuple[int, int]]:
    """Blocks and inodes in use, of each file system that it can write to."""
    stats = {place: os.statvfs(root_of(container) / place) for place in ("tmp", "dev/shm")}
    return {place: (s.f_blocks - s.f_bfree, s.f_files - s.f_ffree) for place, s in stats.items()}


def taken(container: Container, home: Path, *options: str) -> dict[str, Any]:
    """What --json says of a dump without disk, which worked."""
    out = ("-o", str(home / "out"), "--json")
    run = jvmdiag("heapdump", str(container.name), "--no-disk", "--yes", *out, *options, home=home)
    assert run.exit_code == 0, run.err
    return dict(run.document)


def answers(container: Container, home: Path) -> None:
    """The JVM takes a question, and it takes it soon."""
    started = time.monotonic()
    run = jvmdiag("jcmd", "--timeout", "20", str(container.name), "VM.version", home=home)
    assert run.exit_code == 0, run.err
    assert time.monotonic() - started < SLACK_S


@pytest.mark.parametrize(
    ("image", "view"),
    cases(
        ("jvm11", "host"),
        ("jvm21", "inside"),
        ("jvm25", "inside"),
        long=(
            ("jvm17", "inside"),
            ("jvm25", "host"),
            ("jvm11", "inside"),
            ("jvm17", "host"),
            ("jvm21", "host"),
        ),
    ),
)
def test_where_no_byte_can_be_written_a_dump_is_taken_all_the_same(
    run_container: RunContainer, image: str, view: str, tmp_path: Path
) -> None:
    container = run_container(image, command=load(), **SMALL)
    answers(container, tmp_path)
    fill(container)
    refused = jvmdiag("heapdump", str(container.name), "--yes", "-o", str(tmp_path / "no"), home=tmp_path)
    assert refused.exit_code == 50, refused.err
    assert "--no-disk" in refused.err
    before, used_before = snapshot(container), used(container)
    artifact = taken(container, tmp_path, "--view", view)["artifact"]
    assert used(container) == used_before
    assert all(witness["agrees"] for witness in artifact["witnesses"])
    second = "objects" if image == "jvm25" else "byte count"
    assert [witness["name"] for witness in artifact["witnesses"]] == ["exit status", second, "structure"]
    counted = jvmdiag("histogram", str(container.name), "--json", home=tmp_path).document["classes"]
    parsed = instances_by_class(gzip.decompress(Path(artifact["path"]).read_bytes()))
    for name in ("Load$Node", "java.util.HashMap$Node", "[J"):
        [instances] = [row["instances"] for row in counted if row["name"] == name]
        assert parsed[name] == pytest.approx(instances, rel=0.02), name
    assert jvmdiag("verify", artifact["path"], home=tmp_path).exit_code == 0
    assert left_behind(container, before) == []


@pytest.mark.parametrize("image", cases("jvm25", long=("jvm11", "jvm17", "jvm21")))
def test_it_lives_where_its_twin_is_killed_by_a_plain_dump(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "command": FULL,
        "read_only": True,
        "tmpfs": {"/tmp": "rw,mode=1777"},
        **LIMIT,
    }
    twin = run_container(image, **settings)
    naive = ("--yes", "--dump-dir", "/tmp", "--force", "memory", "-o", str(tmp_path / "naive"))
    killed = jvmdiag("heapdump", str(twin.name), *naive, home=tmp_path)
    assert killed.exit_code == 32, killed.err
    twin.reload()
    assert twin.attrs["State"]["OOMKilled"]

    container = run_container(image, **settings)
    before = snapshot(container)
    artifact = taken(container, tmp_path)["artifact"]
    assert artifact["raw_bytes"] > 150_000_000
    container.reload()
    assert container.status == "running" and not container.attrs["State"]["OOMKilled"]
    assert left_behind(container, before) == []


def begin(container: Container, home: Path, *options: str) -> Running:
    return Running(
        "heapdump", str(container.name), "--no-disk", "--yes", "-o", str(home / "out"), *options, home=home
    )


@pytest.mark.parametrize(
    ("image", "view"),
    cases(
        ("jvm17", "inside"),
        ("jvm25", "host"),
        long=(
            ("jvm11", "host"),
            ("jvm11", "inside"),
            ("jvm17", "host"),
            ("jvm21", "host"),
            ("jvm21", "inside"),
            ("jvm25", "inside"),
        ),
    ),
)
def test_the_jvm_goes_on_when_its_reader_is_killed(
    run_container: RunContainer, image: str, view: str, tmp_path: Path
) -> None:
    container = run_container(image, command=BIG)
    before = snapshot(container)
    running = begin(container, tmp_path, "--view", view)
    os.kill(the_reader(running), signal.SIGKILL)
    run = running.end()
    answers(container, tmp_path)
    assert run.exit_code == 61, run.err
    assert final_names(tmp_path / "out") == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize(
    ("image", "view"),
    cases(
        ("jvm17", "inside"),
        long=(
            ("jvm17", "host"),
            ("jvm25", "host"),
            ("jvm25", "inside"),
        ),
    ),
)
def test_a_reader_that_is_stopped_holds_the_jvm_up_within_the_bound(
    run_container: RunContainer, image: str, view: str, tmp_path: Path
) -> None:
    container = run_container(image, command=BIG)
    before = snapshot(container)
    running = begin(container, tmp_path, "--view", view)
    os.kill(the_reader(running), signal.SIGSTOP)
    started = time.monotonic()
    run = running.end()
    assert time.monotonic() - started < STALL_S + SLACK_S
    answers(container, tmp_path)
    assert run.exit_code == 61, run.err
    assert f"nothing was taken from the JVM for {STALL_S} s" in run.err
    assert final_names(tmp_path / "out") == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize(
    ("image", "view"),
    cases(
        ("jvm17", "inside"),
        ("jvm25", "host"),
        long=(
            ("jvm11", "host"),
            ("jvm11", "inside"),
            ("jvm17", "host"),
            ("jvm25", "inside"),
        ),
    ),
)
def test_a_jvmdiag_that_is_killed_midway_leaves_a_jvm_that_goes_on(
    run_container: RunContainer, image: str, view: str, tmp_path: Path
) -> None:
    container = run_container(image, command=BIG)
    before = snapshot(container)
    running = begin(container, tmp_path, "--view", view)
    the_reader(running)
    running.signal(signal.SIGKILL)
    running.end()
    answers(container, tmp_path)
    assert left_behind(container, before) == []


@pytest.mark.long
@pytest.mark.parametrize("view", ["inside", "host"])
def test_a_jvmdiag_that_is_stopped_is_a_stall_too(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "600", java=("-Xmx1500m",)))
    before = snapshot(container)
    running = begin(container, tmp_path, "--view", view, "--compress", "none")
    the_reader(running)
    running.signal(signal.SIGSTOP)
    until("the reader is ended", lambda: not readers(all_pids()), patience_s=STALL_S + SLACK_S)
    # jvmdiag still stands: another one asks.
    answers(container, tmp_path)
    running.signal(signal.SIGCONT)
    run = running.end()
    assert run.exit_code == 61, run.err
    assert left_behind(container, before) == []


@pytest.mark.parametrize(
    ("how", "view"),
    cases(
        (signal.SIGKILL, "inside"),
        (signal.SIGINT, "host"),
        long=((signal.SIGKILL, "host"), (signal.SIGINT, "inside")),
    ),
)
def test_a_jvmdiag_that_ends_before_the_jvm_begins_leaves_no_fifo_and_no_file(
    run_container: RunContainer, view: str, how: signal.Signals, tmp_path: Path
) -> None:
    """The JVM's attach listener is busy with another client: the dump is asked for, and waits in its queue."""
    container = run_container("jvm17")
    name = str(container.name)
    answers(container, tmp_path)
    container.exec_run(["mkfifo", "/tmp/fifo"], user="1001:1001")
    before = snapshot(container)
    leader, follower = pty.openpty()
    command = argv("heapdump", name, "--no-disk", "--view", view, "-o", str(tmp_path / "out"))
    process = subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(tmp_path),
        start_new_session=True,
    )
    os.close(follower)
    read_until(leader, "Take it?")
    let_it_wait(container, "/tmp/fifo")
    os.write(leader, b"y\n")
    until("the reader is there, and the dump is asked for", lambda: readers(all_pids()) and queued(container))
    process.send_signal(how)
    assert process.wait(60) in (-signal.SIGKILL, 130)
    os.close(leader)
    until("the reader is gone", lambda: not readers(all_pids()))
    container.exec_run(["sh", "-c", "head -c 1 /tmp/fifo"])
    answers(container, tmp_path)
    assert left_behind(container, before) == []
    until("nothing is left in memory", lambda: not list((root_of(container) / "dev/shm").iterdir()))


@pytest.mark.long
@pytest.mark.parametrize("image", ["jvm17", "jvm25"])
@pytest.mark.parametrize("view", ["host", "inside"])
def test_the_far_shell_is_killed(run_container: RunContainer, image: str, view: str, tmp_path: Path) -> None:
    container = run_container(image, command=BIG)
    before = snapshot(container)
    running = begin(container, tmp_path, "--view", view)
    reader = the_reader(running)
    shell = int(Path(f"/proc/{reader}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(shell, signal.SIGKILL)
    run = running.end()
    answers(container, tmp_path)
    assert run.exit_code in (0, 61), run.err
    # A shell that is killed leaves its children to PID 1, which reaps nobody here.
    assert left_behind(container, before, but=lambda left: left.startswith("process")) == []
    assert readers(all_pids()) == {}


def test_what_cannot_be_is_refused(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    before = snapshot(container)
    name, out = str(container.name), str(tmp_path / "out")
    for options, code in (
        (("--keep",), 2),
        (("--max-pause", "1ms"), 71),
        (("--dump-dir", "/etc"), 51),
        (("--method", "quit"), 40),
    ):
        run = jvmdiag("heapdump", name, "--no-disk", "--yes", "-o", out, *options, home=tmp_path)
        assert run.exit_code == code, run.err
    assert final_names(tmp_path / "out") == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize("method", cases("direct", long=("tools",)))
def test_it_works_by_every_method_and_in_a_directory_of_ones_choice(
    run_container: RunContainer, method: str, tmp_path: Path
) -> None:
    container = run_container("temurin17", command=["java", *load()])
    container.exec_run(["mkdir", "-m", "1777", "/var/tmp/a b"], user="0:0")
    before = snapshot(container)
    options = ("--method", method, "--view", "inside", "--dump-dir", "/var/tmp/a b", "--live")
    assert taken(container, tmp_path, *options)["method"] == method
    assert left_behind(container, before) == []


def test_a_dry_run_shows_it_and_does_nothing(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm25")
    before = snapshot(container)
    run = jvmdiag("heapdump", str(container.name), "--no-disk", "--dry-run", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert re.search(r"mkfifo \S*/dev/shm/\S+/heap.hprof \S*/dev/shm/\S+/heap.hprof.p0", run.out)
    assert "GC.heap_dump -overwrite -parallel=1 -all" in run.out
    assert left_behind(container, before) == []
