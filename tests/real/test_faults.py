"""What goes wrong on the way, against the real parts: never a final name, never exit 0, nothing lost unsaid."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests.real.containers import (
    Snapshot,
    changes_of,
    is_zombie,
    left_behind,
    other_containers,
    snapshot,
)
from tests.real.fixtures import RunContainer, cases
from tests.real.images import Images, load
from tests.real.jvmdiag import Running, argv, environment, final_names, jvmdiag, wait_for_partial
from tests.real.local_jvm import start, unpack
from tests.real.piping import let_it_wait, queued, until
from tests.real.sshd import Sshd, descendants
from tests.real.terminal import read_until

BIG = ("--megabytes", "300")
ROOM = ("-Xmx900m",)


def run_big(run_container: RunContainer, image: str = "jvm17", **settings: object) -> Container:
    return run_container(image, command=load(*BIG, java=ROOM), **settings)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of this machine with 24 MB."""
    point = tmp_path / "small"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(point)], check=True)
    yield point
    subprocess.run(["umount", str(point)], check=True)


def resume_what_was_left(run_err: str, home: Path, *how: str) -> None:
    """Follow the advice of the message, to the letter, and hold it to its word."""
    advice = re.search(r"jvmdiag resume (.+)", run_err)
    assert advice, run_err
    resumed = jvmdiag("resume", *shlex.split(advice[1]), *how, "--json", home=home)
    assert resumed.exit_code == 0, resumed.err
    assert jvmdiag("verify", resumed.document["dumps"][0]["artifact"]["path"], home=home).exit_code == 0


def test_the_targets_disk_fills_while_the_jvm_dumps(run_container: RunContainer, tmp_path: Path) -> None:
    # The heap grows between the estimate and the dump: the file system is too small for what comes.
    container = run_big(run_container, tmpfs={"/small": "rw,size=100m,mode=1777"})
    before = snapshot(container)
    # Room is refused beforehand …
    options = ("--yes", "--dump-dir", "/small", "-o", str(tmp_path / "out"))
    refused = jvmdiag("heapdump", str(container.name), *options, home=tmp_path)
    assert refused.exit_code == 50, refused.err
    assert "/small" in refused.err
    # … and a disk that fills all the same is told from success, although the JVM's own exit code is 0.
    run = jvmdiag("heapdump", str(container.name), "--force", "disk", *options, home=tmp_path)
    assert run.exit_code == 52, run.err
    assert "No space left" in run.err
    assert final_names(tmp_path / "out") == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize("view", cases("host", long=("inside",)))
def test_the_jvm_is_killed_midway(run_container: RunContainer, view: str, tmp_path: Path) -> None:
    container = run_container("jre-not-pid1", command=["sh", "/opt/start-load.sh", *BIG], ready=None)
    until_ready(container, tmp_path)
    before, out = snapshot(container), tmp_path / "out"
    [pid] = [pid for pid, name in container.top(ps_args="-eo pid,comm")["Processes"] if name == "java"]
    running = Running("heapdump", str(container.name), "--yes", "--view", view, "-o", str(out), home=tmp_path)
    stop_in_its_dump(int(pid))
    wait_for_partial(out, 1)
    os.kill(int(pid), signal.SIGKILL)
    run = running.end()
    assert run.exit_code in (32, 60), run.err
    assert final_names(out) == []
    # Its PID 1 ends with it, before or after the file there was removed.
    assert left_unsaid(container, before, run.err) == []


@pytest.mark.parametrize("view", cases("inside", long=("host",)))
def test_the_jvm_is_killed_midway_and_its_container_goes_on(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    """What it wrote is no longer reached through its own /proc/PID/root."""
    java = shlex.join(["java", *load(*BIG, java=ROOM)])
    container = run_container("jvm17", entrypoint=["sh", "-c", f"{java}; sleep 600"])
    before, out = snapshot(container), tmp_path / "out"
    [pid] = [pid for pid, name in container.top(ps_args="-eo pid,comm")["Processes"] if name == "java"]
    running = Running("heapdump", str(container.name), "--yes", "--view", view, "-o", str(out), home=tmp_path)
    stop_in_its_dump(int(pid))
    wait_for_partial(out, 1)
    os.kill(int(pid), signal.SIGKILL)
    run = running.end()
    assert run.exit_code in (32, 60), run.err
    assert final_names(out) == []
    assert left_behind(container, before, but=lambda left: left.endswith(" sleep")) == []


def stop_in_its_dump(pid: int) -> None:
    """Stops that JVM in the midst of a dump: of all that it writes, in 0.8 s, nothing may have come here by then."""
    tmp = Path(f"/proc/{pid}/root/tmp")
    until("it dumps", lambda: any(dump.stat().st_size > 50e6 for dump in tmp.glob(".jvmdiag-*.hprof")))
    os.kill(pid, signal.SIGSTOP)
    names = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(fd.readlink().suffix)
    assert ".hprof" in names, "it has ended its dump before it was stopped"


def left_unsaid(container: Container, before: Snapshot, said: str) -> list[str]:
    """What is left in a container that ended, or of sidecars beside it, and was not named in `said`."""
    container.wait(timeout=120)
    ended = Snapshot(frozenset(), frozenset(), changes_of(container), other_containers(container))
    return [left for left in ended.added_to(before) if left.rpartition(" ")[2] not in said]


def until_ready(container: Container, home: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if b"ready" in container.logs():
            return
        time.sleep(0.1)
    raise AssertionError(container.logs()[-500:])


def test_the_container_is_killed_midway(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_big(run_container)
    before, out = snapshot(container), tmp_path / "out"
    running = Running(
        "heapdump", str(container.name), "--yes", "--view", "inside", "-o", str(out), home=tmp_path
    )
    stop_in_its_dump(int(container.attrs["State"]["Pid"]))
    wait_for_partial(out, 1)
    container.kill("SIGKILL")
    run = running.end()
    assert run.exit_code == 32, run.err
    assert "exit code 137" in run.err
    assert final_names(out) == []
    assert left_unsaid(container, before, run.err) == []


def stop_followers(container: Container) -> int:
    """Kill every reader of the dump on the target, as a cut exec would; how many there were."""
    killed = 0
    for pid, command in container.top(ps_args="-eo pid,args")["Processes"]:
        if command.startswith(("cat", "tail -c")):
            # It may have come to its end since, and be gone or not yet waited for.
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if ") Z " not in Path(f"/proc/{pid}/stat").read_text():
                    os.kill(int(pid), signal.SIGKILL)
                    killed += 1
    return killed


def test_a_stream_that_is_cut_is_continued_at_the_same_byte(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_big(run_container)
    before, out = snapshot(container), tmp_path / "out"
    running = Running(
        "heapdump", str(container.name), "--yes", "--view", "inside", "-o", str(out), "--json", home=tmp_path
    )
    wait_for_partial(out, 1_000_000)
    # It takes no more than fits on the way until its reader is found: between two of them there is none for 0.1 s.
    running.signal(signal.SIGSTOP)
    until("its reader is killed", lambda: stop_followers(container))
    running.signal(signal.SIGCONT)
    run = running.end()
    assert run.exit_code == 0, run.err
    assert run.document["resumed"] == 1
    assert all(witness["agrees"] for witness in run.document["artifact"]["witnesses"])
    assert left_behind(container, before) == []


@pytest.mark.long
def test_a_stream_that_is_cut_again_and_again(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_big(run_container)
    before, out = snapshot(container), tmp_path / "out"
    running = Running(
        "heapdump", str(container.name), "--yes", "--view", "inside", "-o", str(out), "--json", home=tmp_path
    )
    wait_for_partial(out, 1)
    killed = 0
    while killed < 4 and running.process.poll() is None:
        killed += bool(stop_followers(container))
    run = running.end()
    assert run.exit_code == 0, run.err
    assert run.document["resumed"] > 1
    assert "sha256" in [w["name"] for w in run.document["artifact"]["witnesses"] if w["agrees"]]
    assert left_behind(container, before) == []


@pytest.mark.parametrize("keep", [None, "--no-keep"])
def test_the_local_disk_fills(
    run_container: RunContainer, small_disk: Path, keep: str | None, tmp_path: Path
) -> None:
    container = run_big(run_container)
    before = snapshot(container)
    target = f"docker://{container.name}"
    refused = jvmdiag("heapdump", target, "--yes", "-o", str(small_disk), home=tmp_path)
    assert refused.exit_code == 53, refused.err
    assert "refused before anything was done to the JVM" in refused.err
    options = (keep,) if keep else ()
    # Others fill it while the dump comes.
    run = jvmdiag(
        "heapdump",
        target,
        "--yes",
        "--force",
        "here",
        "--compress",
        "none",
        *options,
        "-o",
        str(small_disk),
        home=tmp_path,
    )
    assert run.exit_code == 53, run.err
    if keep is None:
        subprocess.run(["mount", "-o", "remount,size=900m", str(small_disk)], check=True)
        resume_what_was_left(run.err, tmp_path)
    else:
        assert final_names(small_disk) == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize(
    ("number", "code", "view"),
    cases(
        (signal.SIGINT, 130, "host"),
        (signal.SIGTERM, 143, "inside"),
        long=((signal.SIGINT, 130, "inside"), (signal.SIGTERM, 143, "host")),
    ),
)
def test_a_signal_cleans_the_target(
    run_container: RunContainer, number: signal.Signals, code: int, view: str, tmp_path: Path
) -> None:
    container = run_big(run_container)
    before, out = snapshot(container), tmp_path / "out"
    running = Running("heapdump", str(container.name), "--yes", "--view", view, "-o", str(out), home=tmp_path)
    wait_for_partial(out, 1)
    running.signal(number)
    run = running.end()
    assert run.exit_code == code, run.err
    assert final_names(out) == []
    assert left_behind(container, before) == []


@pytest.mark.parametrize("view", cases("inside", long=("host",)))
def test_ctrl_c_before_the_jvm_begins_keeps_it_from_beginning(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    """The JVM's attach listener is busy with another client: the dump is asked for, and waits in its queue."""
    container = run_container("jvm17")
    name, out = str(container.name), tmp_path / "out"
    assert jvmdiag("jcmd", name, "VM.version", home=tmp_path).exit_code == 0
    container.exec_run(["mkfifo", "/tmp/fifo"], user="1001:1001")
    before = snapshot(container)
    leader, follower = pty.openpty()
    command = argv("heapdump", name, "--view", view, "-o", str(out))
    process = subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(tmp_path),
        start_new_session=True,
    )
    os.close(follower)
    shown = read_until(leader, "Take it?")
    # Another client keeps the listener busy from here on.
    let_it_wait(container, "/tmp/fifo")
    os.write(leader, b"y\n")
    wait_for_partial(out, 0)
    until("the JVM is asked", lambda: queued(container))
    process.send_signal(signal.SIGINT)
    shown += read_until(leader, "interrupted")
    assert process.wait(60) == 130
    container.exec_run(["sh", "-c", "head -c 1 /tmp/fifo"])
    assert jvmdiag("jcmd", name, "VM.version", home=tmp_path).exit_code == 0
    assert left_behind(container, before, but=lambda left: left.rpartition(" ")[2] in shown) == []


@pytest.mark.parametrize("delay_s", cases(0.3, 0.6, long=(0.15, 0.45, 0.9)))
def test_ctrl_c_at_any_moment_leaves_no_sidecar(
    run_container: RunContainer, images: Images, delay_s: float, tmp_path: Path
) -> None:
    container = run_container("shellless")
    before = snapshot(container)
    running = Running(
        "threaddump", str(container.name), "--view", "inside", "--method", "jdk-image",
        "--jdk-image", images.get("jdk17"), "-o", str(tmp_path / "out"), home=tmp_path,
    )  # fmt: skip
    # Python's own, for SIGINT alone, is there before, and ends it with a traceback.
    until("it has its handlers", lambda: catches(running.process.pid, signal.SIGTERM))
    time.sleep(delay_s)
    running.signal(signal.SIGINT)
    run = running.end()
    assert run.exit_code in (130, 0), run.err
    assert left_behind(container, before) == []


def catches(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (number - 1) & 1)  # type: ignore[index]


def test_a_sidecar_dies_with_a_killed_jvmdiag(
    run_container: RunContainer, images: Images, tmp_path: Path
) -> None:
    container = run_container("shellless")
    before = snapshot(container)
    running = Running(
        "threaddump", str(container.name), "--view", "inside", "--method", "jdk-image", "-n", "50",
        "--jdk-image", images.get("jdk17"), "-o", str(tmp_path / "out"), home=tmp_path,
    )  # fmt: skip
    out = tmp_path / "out"
    until("a dump is there", lambda: list(out.glob("*.manifest.json")))
    running.signal(signal.SIGKILL)
    running.end()
    assert left_behind(container, before, but=is_zombie) == []


def test_a_connection_that_drops_is_made_anew(tmp_path: Path, local_jvm: subprocess.Popen[bytes]) -> None:
    """It drops while the copy goes on; the JVM's answer, which comes over the same connection, is there already."""
    with Sshd(made(tmp_path / "sshd")) as sshd:
        key, home = ssh_home(sshd, tmp_path)
        out = tmp_path / "out"
        options = ("--jvm", str(local_jvm.pid), "--yes", "-o", str(out), "--json")
        running = Running("heapdump", str(sshd.target()), *key, *options, home=home)
        wait_for_partial(out, 1)
        reader, dump = stopped_reader(sshd)
        # The follower's other process ends when it is told that the JVM has answered.
        until("the other process is over", lambda: len(followers(sshd)) <= 1)
        sshd.restart()
        with contextlib.suppress(ProcessLookupError):  # the end of its session may have ended it
            os.kill(reader, signal.SIGKILL)
        run = running.end()
    assert run.exit_code == 0, run.err
    assert run.document["resumed"] >= 1
    assert all(witness["agrees"] for witness in run.document["artifact"]["witnesses"])
    assert not dump.exists()


def followers(sshd: Sshd) -> dict[int, Path]:
    """The shells behind `sshd` that follow a dump: the one that copies it and the one that waits for a word."""
    found = {}
    for pid in descendants(int((sshd.folder / "sshd.pid").read_text())):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            paths = [
                Path(word) for word in words if word.startswith("/tmp/.jvmdiag-") and word.endswith(".hprof")
            ]
            # The login shell holds the same words in one.
            if words[:2] == ["sh", "-c"] and paths:
                found[pid] = paths[0]
    return found


def stopped_reader(sshd: Sshd) -> tuple[int, Path]:
    """The cat of the one that copies, stopped before it came to the end, and what it reads."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for shell, dump in followers(sshd).items():
            for pid in descendants(shell):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/comm").read_text() == "cat\n":
                        os.kill(pid, signal.SIGSTOP)
                        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                            return pid, dump
    raise AssertionError("nothing reads the dump")


def test_ctrl_c_over_ssh_cleans_the_target(tmp_path: Path, local_jvm: subprocess.Popen[bytes]) -> None:
    # What others have in the /tmp of this machine comes and goes.
    dumps = made(tmp_path / "dumps")
    with Sshd(made(tmp_path / "sshd")) as sshd:
        key, home = ssh_home(sshd, tmp_path)
        out = tmp_path / "out"
        options = ("--jvm", str(local_jvm.pid), "--dump-dir", str(dumps), "--yes", "-o", str(out))
        running = Running("heapdump", str(sshd.target()), *key, *options, home=home)
        wait_for_partial(out, 1)
        assert list(dumps.iterdir())
        running.signal(signal.SIGINT)
        run = running.end()
    assert run.exit_code == 130, run.err
    assert final_names(out) == []
    assert list(dumps.iterdir()) == []


def test_a_connection_that_drops_for_good(tmp_path: Path, local_jvm: subprocess.Popen[bytes]) -> None:
    with Sshd(made(tmp_path / "sshd")) as sshd:
        key, home = ssh_home(sshd, tmp_path)
        out = tmp_path / "out"
        running = Running(
            "heapdump",
            str(sshd.target()),
            *key,
            "--jvm",
            str(local_jvm.pid),
            "--yes",
            "--retry-for",
            "3s",
            "-o",
            str(out),
            home=home,
        )
        wait_for_partial(out, 1)
        # It would come to its end while the sessions are looked for.
        running.signal(signal.SIGSTOP)
        sshd.stop()
        running.signal(signal.SIGCONT)
        run = running.end()
        assert run.exit_code in (24, 26), run.err
        assert [name.partition(".gz")[2] for name in final_names(out)] == [".partial", ".partial.journal"]
        # It cannot be removed any more, so it is said: what, where, and how.
        left = re.search(r"left on \S+: heap dump (\S+)", run.err)
        assert left, run.err
        sshd.start()
        resume_what_was_left(run.err, home, *key)
        assert not Path(left[1]).exists()


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def ssh_home(sshd: Sshd, folder: Path) -> tuple[tuple[str, ...], Path]:
    options = sshd.options()
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "known_hosts").write_text(Path(options.known_hosts[0]).read_text())
    return ("-i", str(options.identity_files[0])), folder


@pytest.fixture(scope="module")
def unpacked(
    docker_client: docker.DockerClient, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return unpack(docker_client, images, tmp_path_factory.mktemp("opt"))


@pytest.fixture
def local_jvm(tmp_path: Path, unpacked: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A JVM of this machine with a heap worth some seconds of copying."""
    with start(unpacked, tmp_path / "log", *BIG, java=ROOM) as process:
        yield process


def test_output_that_is_there_is_never_overwritten(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.exec_run(["sh", "-c", "echo log >/tmp/gc.log"])
    (tmp_path / "gc.log.gz").write_text("mine")
    run = jvmdiag("fetch", str(container.name), "/tmp/gc.log", "-o", str(tmp_path), home=tmp_path)
    assert run.exit_code == 54
    assert (tmp_path / "gc.log.gz").read_text() == "mine"


def test_an_output_directory_that_cannot_be_written(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    (tmp_path / "file").write_text("")
    run = jvmdiag("threaddump", str(container.name), "-o", str(tmp_path / "file"), home=tmp_path)
    assert run.exit_code == 55, run.err


def test_a_closed_stdout_is_no_traceback(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    command = argv("histogram", str(container.name), "--top", "0", "--quiet")
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *command], capture_output=True, env=environment(tmp_path)
    )
    assert b"INSTANCES" in done.stdout
    assert done.stderr == b""
