"""A heap dump without disk, from real JVMs: no byte is written there, and no JVM is left standing whoever is killed."""

from __future__ import annotations

import contextlib
import gzip
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from jvmdiag.capture.pipe import STALL_S
from tests.hprof_read import instances_by_class
from tests.real.containers import left_behind, snapshot
from tests.real.fixtures import RunContainer
from tests.real.images import Images, load
from tests.real.jvmdiag import Running, argv, environment, final_names, jvmdiag
from tests.real.local_jvm import start, unpack
from tests.real.sshd import Sshd, descendants
from tests.real.terminal import read_until

JVMS = ("jvm11", "jvm17", "jvm21", "jvm25")
LIMIT = {"mem_limit": "420m", "memswap_limit": "420m"}
FULL = load("--megabytes", "180", java=("-Xmx260m", "-XX:+UseSerialGC"))
BIG = load("--megabytes", "300", java=("-Xmx900m",))
# What the far side and this one need beyond the bound until a JVM that stood still answers.
SLACK_S = 15.0
SMALL: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": "rw,size=8m,mode=1777", "/dev/shm": "rw,size=4m,mode=1777"},
}


def root_of(container: Container) -> Path:
    container.reload()
    return Path(f"/proc/{container.attrs['State']['Pid']}/root")


def until(what: str, done: Callable[[], object], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.01)


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


@pytest.mark.parametrize("image", JVMS)
@pytest.mark.parametrize("view", ["host", "inside"])
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


@pytest.mark.parametrize("image", JVMS)
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


def readers(pids: list[int]) -> dict[int, Path]:
    """Of these processes those that read a FIFO for a dump, and the directory that it stands in, as they know it."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().decode()
            if (mark := re.search(r"JVMDIAG_PIPE=([^\0]+)", environ)) and Path(
                f"/proc/{pid}/comm"
            ).read_text() == "dd\n":
                found[pid] = Path(mark[1])
    return found


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def the_reader(under_way: Running) -> int:
    """The one through which the bytes come, once they do: of a JVM with two FIFOs the one that reads more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert under_way.process.poll() is None, under_way.end().err
        for pid in readers(all_pids()):
            with contextlib.suppress(OSError):
                if wrote_bytes(pid) > 20_000_000:
                    return pid
        time.sleep(0.005)
    raise AssertionError("nothing comes through a FIFO")


def wrote_bytes(pid: int) -> int:
    return int(re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[1])  # type: ignore[index]


def begin(container: Container, home: Path, *options: str) -> Running:
    return Running(
        "heapdump", str(container.name), "--no-disk", "--yes", "-o", str(home / "out"), *options, home=home
    )


@pytest.mark.parametrize("image", JVMS)
@pytest.mark.parametrize("view", ["host", "inside"])
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


@pytest.mark.parametrize("image", ["jvm17", "jvm25"])
@pytest.mark.parametrize("view", ["host", "inside"])
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


@pytest.mark.parametrize("image", ["jvm11", "jvm17", "jvm25"])
@pytest.mark.parametrize("view", ["host", "inside"])
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
    assert left_behind(container, before, patience_s=15) == []


@pytest.mark.parametrize("view", ["host", "inside"])
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


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("view", ["host", "inside"])
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
    block = ("jcmd", "--timeout", "1", name, "GC.heap_dump", "-overwrite", "/tmp/fifo")
    assert jvmdiag(*block, home=tmp_path).exit_code == 33
    os.write(leader, b"y\n")
    until("the reader is there", lambda: readers(all_pids()))
    time.sleep(0.5)
    process.send_signal(how)
    assert process.wait(30) in (-signal.SIGKILL, 130)
    os.close(leader)
    until("the reader is gone", lambda: not readers(all_pids()))
    container.exec_run(["sh", "-c", "head -c 1 /tmp/fifo"])
    answers(container, tmp_path)
    assert left_behind(container, before, patience_s=15) == []
    assert list((root_of(container) / "dev/shm").iterdir()) == []


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
    left = [one for one in left_behind(container, before) if not one.startswith("process")]
    assert left == []
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


@pytest.mark.parametrize("method", ["direct", "tools"])
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


@pytest.fixture(scope="module")
def unpacked(
    docker_client: docker.DockerClient, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return unpack(docker_client, images, tmp_path_factory.mktemp("opt"))


@pytest.fixture
def local_jvm(tmp_path: Path, unpacked: Path) -> Iterator[subprocess.Popen[bytes]]:
    with start(unpacked, tmp_path / "log", "--megabytes", "300", java=("-Xmx900m",)) as process:
        yield process


def ssh(sshd: Sshd, folder: Path) -> tuple[str, ...]:
    options = sshd.options()
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "known_hosts").write_text(Path(options.known_hosts[0]).read_text())
    return (str(sshd.target()), "-i", str(options.identity_files[0]))


def over_ssh(sshd: Sshd, jvm: subprocess.Popen[bytes], folder: Path) -> tuple[str, ...]:
    return (*ssh(sshd, folder), "--jvm", str(jvm.pid), "--no-disk", "--yes", "-o", str(folder / "out"))


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def the_jvm_answers(jvm: subprocess.Popen[bytes], home: Path) -> None:
    run = jvmdiag("jcmd", "--timeout", "20", "--jvm", str(jvm.pid), "local://", "VM.version", home=home)
    assert run.exit_code == 0, run.err


def scratch() -> set[Path]:
    return {path for top in ("/tmp", "/dev/shm") for path in Path(top).glob(".jvmdiag-*.hprof*")}


def test_it_comes_over_ssh(tmp_path: Path, local_jvm: subprocess.Popen[bytes]) -> None:
    before = scratch()
    with Sshd(made(tmp_path / "sshd")) as sshd:
        run = jvmdiag("heapdump", *over_ssh(sshd, local_jvm, tmp_path), "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert all(witness["agrees"] for witness in run.document["artifact"]["witnesses"])
    assert scratch() == before


def test_a_connection_that_is_cut_lets_the_jvm_go_on(
    tmp_path: Path, local_jvm: subprocess.Popen[bytes]
) -> None:
    before = scratch()
    with Sshd(made(tmp_path / "sshd")) as sshd:
        running = Running("heapdump", *over_ssh(sshd, local_jvm, tmp_path), home=tmp_path)
        the_reader(running)
        sshd.restart()
        run = running.end()
        the_jvm_answers(local_jvm, tmp_path)
    assert run.exit_code in (26, 61), run.err
    assert final_names(tmp_path / "out") == []
    assert scratch() == before


def test_a_connection_that_stalls_lets_the_jvm_go_on_and_is_told(
    tmp_path: Path, local_jvm: subprocess.Popen[bytes]
) -> None:
    before = scratch()
    with Sshd(made(tmp_path / "sshd")) as sshd:
        running = Running("heapdump", *over_ssh(sshd, local_jvm, tmp_path), home=tmp_path)
        reader = the_reader(running)
        sessions = [
            pid
            for pid in descendants(int((sshd.folder / "sshd.pid").read_text()))
            if Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
        ]
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        until("the reader is ended", lambda: reader not in readers(all_pids()), STALL_S + SLACK_S)
        the_jvm_answers(local_jvm, tmp_path)
        assert scratch() == before
        run = running.end()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert run.exit_code == 26, run.err
    assert final_names(tmp_path / "out") == []
