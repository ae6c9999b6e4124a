"""A run that was killed midway, and what the next `jvmdiag sweep` makes of it: all of ours goes, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import PIPES, TRIGGER, Made, RecordedJvm, RunRecord, Runs
from tests.real.containers import SshHost, home_of, is_zombie, left_behind, other_containers, snapshot
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer, cases
from tests.real.held import stopped
from tests.real.images import Images, load
from tests.real.jvmdiag import Run, Running, argv, environment, final_names, jvmdiag, wait_for_partial
from tests.real.local_jvm import start, unpack
from tests.real.piping import let_it_wait, queued, readers, the_reader, until
from tests.real.sshd import Sshd, descendants
from tests.real.terminal import on_a_terminal, read_until
from tests.real.test_encrypt import new_key
from tests.real.test_snapshot import until_it_says

BIG = load("--megabytes", "300", java=("-Xmx900m",))
THEIRS = "/tmp/java_pid1.hprof"
# A directory that a shell would take apart.
ODD = "/tmp/a dir's $(id) *"


def killed(home: Path, target: str, *options: str) -> Path:
    """A heap dump that was killed in its midst; its output directory."""
    out = home / "out"
    running = Running("heapdump", target, "--yes", *options, "-o", str(out), home=home)
    try:
        wait_for_partial(out, 1, timeout_s=60)
    finally:
        running.signal(signal.SIGKILL)
        _, said = running.process.communicate()
        print(said.decode())
    return out


def sweep(home: Path, *arguments: str) -> Run:
    return jvmdiag("sweep", *arguments, home=home)


def found(run: Run) -> dict[str, Any]:
    """What lay there, by its path."""
    return {one["where"]: one for target in run.document["targets"] for one in target["found"]}


def states(run: Run) -> dict[str, str]:
    """Of ours alone."""
    return {where: one["state"] for where, one in found(run).items() if one["state"] != "others'"}


def until_settled(home: Path, *arguments: str) -> Run:
    """The look once no JVM writes any more."""
    deadline = time.monotonic() + 60
    while "in use" in states(run := sweep(home, *arguments, "--dry-run", "--json")).values():
        assert time.monotonic() < deadline, run.out
        time.sleep(0.2)
    return run


def inside(container: Container, script: str, *words: str) -> str:
    done: Any = container.exec_run(["sh", "-c", script, "sh", *words], user="0:0")
    assert done.exit_code == 0, done.output
    return str(done.output.decode())


def kill_the_holder_of_the_lock(container: Container) -> None:
    """The shell that holds it ends with its connection, and takes the file away: unless it is killed itself."""
    container.reload()
    [lock] = Path(f"/proc/{container.attrs['State']['Pid']}/root/dev/shm").glob(".jvmdiag-*.lock")
    for fd in Path("/proc").glob("[0-9]*/fd/9"):
        with contextlib.suppress(OSError):
            if fd.samefile(lock):
                os.kill(int(fd.parts[2]), signal.SIGKILL)


def theirs(container: Container) -> str:
    """Somebody else's dump beside ours, and the sum of its bytes."""
    script = 'head -c 100000 /dev/urandom >"$1"; touch -d "2 days ago" "$1"; sha256sum "$1"'
    return inside(container, script, THEIRS)


@pytest.mark.parametrize("view", cases("inside", long=("host",)))
def test_a_killed_heap_dump_is_found_and_removed_and_nobody_elses(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    target = str(container.name)
    inside(container, 'mkdir "$1" && chmod 1777 "$1"', ODD)
    sum_before = theirs(container)
    before, out = snapshot(container), tmp_path / "out"
    running = Running(
        "heapdump", target, "--yes", "--view", view, "--dump-dir", ODD, "-o", str(out), home=tmp_path
    )
    wait_for_partial(out, 1)
    # It would go on to the end while the holder is looked for.
    running.signal(signal.SIGSTOP)
    kill_the_holder_of_the_lock(container)
    running.signal(signal.SIGKILL)
    running.process.communicate()

    look = until_settled(tmp_path, target, "--view", view)
    assert look.exit_code == 74, look.err
    lock, dump = sorted(states(look))
    assert dump.startswith(f"{ODD}/.jvmdiag-"), dump
    assert lock.startswith("/dev/shm/.jvmdiag-"), lock
    assert states(look) == {dump: "whole", lock: "left"}
    one = found(look)[dump]
    [partial] = out.glob("*.partial")
    assert one["note"].endswith(f": jvmdiag resume {shlex.quote(str(partial))}"), one
    assert one["uid"] == 1001
    assert one["size_bytes"] > 300e6
    other = found(look)[THEIRS]
    assert (other["state"], other["size_bytes"], other["uid"]) == ("others'", 100000, 0)
    assert 172800 <= other["age_s"] < 180000

    # Nobody is there to say yes: it is a look.
    assert sweep(tmp_path, target).exit_code == 74
    first = sweep(tmp_path, target, "--view", view, "--yes", "--json")
    assert (first.exit_code, states(first)) == (74, {dump: "whole", lock: "removed"})
    second = sweep(tmp_path, "--view", view, "--yes", "--whole", "--json")
    assert (second.exit_code, states(second)) == (0, {dump: "removed"}), second.err
    assert left_behind(container, before) == []
    assert inside(container, 'sha256sum "$1"', THEIRS) == sum_before
    third = sweep(tmp_path, target, "--json")
    assert (third.exit_code, states(third)) == (0, {})
    assert sweep(tmp_path).out == "no run left a record\n"


@pytest.mark.long
@pytest.mark.parametrize("word", ["resume", "fetch"])
def test_the_advice_of_a_sweep_brings_the_dump_home(
    run_container: RunContainer, word: str, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    out = killed(tmp_path, str(container.name))
    if word == "fetch":
        next(out.glob("*.journal")).unlink()
    [one] = found(until_settled(tmp_path, str(container.name))).values()
    command = shlex.split(one["note"].partition("here: ")[2])
    assert command[:2] == ["jvmdiag", word]
    into = ("-o", str(tmp_path / "fetched")) if word == "fetch" else ()
    brought = jvmdiag(*command[1:], *into, "--json", home=tmp_path)
    assert brought.exit_code == 0, brought.err
    [artifact] = [one["artifact"] for one in brought.document.get("dumps", [brought.document])]
    assert jvmdiag("verify", artifact["path"], home=tmp_path).exit_code == 0
    last = sweep(tmp_path, "--yes", "--json")
    assert (last.exit_code, states(last)) == (0, {})
    dropped = [said for target in last.document["targets"] for said in target["dropped"]]
    # One is of the attach; that of the dump a resume takes away itself.
    assert len(dropped) == (2 if word == "fetch" else 1), dropped
    assert all("nothing of it is there any more" in said for said in dropped)
    assert sweep(tmp_path).out == "no run left a record\n"


@pytest.mark.long
def test_the_parts_of_a_jvm_that_was_killed_go_with_the_dump(
    run_container: RunContainer, tmp_path: Path
) -> None:
    """A JVM of 22 and later writes parts beside the dump; killed with its run, they stay, and its container too."""
    java = shlex.join(["java", *BIG])
    container = run_container("jvm25", entrypoint=["sh", "-c", f"{java}; sleep 600"])
    target = str(container.name)
    before = snapshot(container)
    [pid] = [int(pid) for pid, name in container.top(ps_args="-eo pid,comm")["Processes"] if name == "java"]
    tmp = Path(f"/proc/{pid}/root/tmp")
    running = Running("heapdump", target, "--yes", "-o", str(tmp_path / "out"), home=tmp_path)
    until("it writes parts", lambda: list(tmp.glob(".jvmdiag-*.hprof.p*")))
    with stopped(pid):
        parts = {f"/tmp/{part.name}" for part in tmp.glob(".jvmdiag-*.hprof.p*")}
        running.signal(signal.SIGKILL)
        running.process.communicate()
        still = sweep(tmp_path, target, "--yes", "--whole", "--json")
        assert still.exit_code == 74
        assert set() != parts <= set(states(still))
        assert set(states(still).values()) == {"in use"}, still.out
        os.kill(pid, signal.SIGKILL)
    run = until_settled(tmp_path, target)
    assert set(states(run).values()) == {"left"}, run.out
    swept = sweep(tmp_path, target, "--yes", "--json")
    assert swept.exit_code == 0, swept.err
    assert set(states(swept).values()) == {"removed"}
    # The JVM itself is gone, as was meant.
    assert left_behind(container, before, but=lambda left: "jvmdiag" not in left) == []


def test_a_run_under_way_is_not_touched(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=BIG)
    out = tmp_path / "out"
    running = Running("heapdump", str(container.name), "--yes", "-o", str(out), "--json", home=tmp_path)
    wait_for_partial(out, 1)
    running.signal(signal.SIGSTOP)
    run = sweep(tmp_path, str(container.name), "--yes", "--whole", "--json")
    running.signal(signal.SIGCONT)
    assert (run.exit_code, set(states(run).values())) == (0, {"under way"}), run.out
    ended = running.end()
    assert ended.exit_code == 0, ended.err
    assert all(witness["agrees"] for witness in ended.document["artifact"]["witnesses"])
    assert sweep(tmp_path).out == "no run left a record\n"


def test_no_on_a_terminal_removes_nothing_and_yes_asks_for_a_whole_dump_by_its_size(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    target = str(container.name)
    killed(tmp_path, target)
    [dump] = states(until_settled(tmp_path, target))
    code, shown = on_a_terminal(["sweep", target], tmp_path, "[y/N]", "n")
    assert code == 74, shown
    assert "for good? [y/N]" in shown
    assert " MB" in shown.rpartition("Remove this heap dump of")[2]
    assert inside(container, 'ls "$1"', dump) == f"{dump}\n"
    code, shown = on_a_terminal(["sweep", target], tmp_path, "[y/N]", "y")
    assert code == 0, shown
    assert inside(container, '[ -e "$1" ] || echo gone', dump) == "gone\n"


@pytest.mark.parametrize(("image", "view"), cases(("jvm25", "host"), long=(("jvm17", "host"),)))
def test_what_a_dump_without_disk_leaves_where_its_shell_is_killed_too(
    run_container: RunContainer, image: str, view: str, tmp_path: Path
) -> None:
    """The shell there would take it away; nothing but a kill of both leaves it."""
    container = run_container(image, command=BIG)
    target = str(container.name)
    before, shm = snapshot(container), inside(container, "ls -A /dev/shm")
    out = ("-o", str(tmp_path / "out"))
    running = Running("heapdump", target, "--no-disk", "--yes", "--view", view, *out, home=tmp_path)

    def its_own() -> list[int]:
        """Seen from the host, its shells are its children: other runs have theirs."""
        return descendants(running.process.pid)

    the_reader(running, its_own)
    running.signal(signal.SIGSTOP)
    for shell in {parent_of(reader) for reader in readers(its_own())}:
        os.kill(shell, signal.SIGKILL)
    running.signal(signal.SIGKILL)
    running.process.communicate()
    # Whoever listened to it sees that nobody does any more, and ends the reader: the JVM goes on.
    answer = jvmdiag("jcmd", "--timeout", "30", target, "VM.version", home=tmp_path)
    assert answer.exit_code == 0, answer.err

    look = until_settled(tmp_path, target)
    [pipes] = [where for where in states(look) if where.endswith(".hprof")]
    assert (look.exit_code, states(look)[pipes]) == (74, "left"), look.out
    assert found(look)[pipes]["what"] == "directory of FIFOs"
    assert inside(container, 'ls -A "$1"', pipes).split()[0] == "heap.hprof"
    swept = sweep(tmp_path, target, "--yes", "--json")
    assert (swept.exit_code, set(states(swept).values())) == (0, {"removed"}), swept.out
    assert inside(container, "ls -A /dev/shm") == shm
    assert left_behind(container, before) == []
    assert jvmdiag("jcmd", target, "VM.version", home=tmp_path).exit_code == 0
    assert sweep(tmp_path).out == "no run left a record\n"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.long
def test_a_dump_that_waits_in_the_jvms_queue_is_not_forgotten(
    run_container: RunContainer, tmp_path: Path
) -> None:
    """Its run is killed before the JVM has begun: the client there asks for it all the same, when its turn comes."""
    container = run_container("jvm17")
    target, out = str(container.name), tmp_path / "out"
    assert jvmdiag("jcmd", target, "VM.version", home=tmp_path).exit_code == 0
    inside(container, "mkfifo /tmp/fifo && chown 1001:1001 /tmp/fifo")
    before = snapshot(container)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        argv("heapdump", target, "--view", "inside", "-o", str(out)),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(tmp_path),
        start_new_session=True,
    ) as process:
        os.close(follower)
        read_until(leader, "Take it?")
        # Another client keeps the listener busy from here on.
        let_it_wait(container, "/tmp/fifo")
        os.write(leader, b"y\n")
        wait_for_partial(out, 0)
        until("the JVM is asked", lambda: queued(container))
        process.kill()
    os.close(leader)
    waiting = sweep(tmp_path, target, "--yes", "--whole", "--json")
    assert (waiting.exit_code, set(states(waiting).values())) == (74, {"in use"}), waiting.out
    inside(container, "head -c 1 /tmp/fifo")
    look, deadline = waiting, time.monotonic() + 60
    while "whole" not in states(look).values():
        look = sweep(tmp_path, "--dry-run", "--json")
        assert time.monotonic() < deadline, look.out
    assert sweep(tmp_path, "--yes", "--whole").exit_code == 0
    assert left_behind(container, before) == []
    assert sweep(tmp_path).out == "no run left a record\n"


LEAK = """
import os, signal, sys
from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.sidecars import create_sidecar
engine = Engine()
facts = engine.inspect(sys.argv[1])
create_sidecar(engine, "jvmdiag-" + os.urandom(6).hex(), facts, sys.argv[2], capabilities=())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_sidecar_whose_run_was_killed_before_it_held_it_is_found_by_its_label(
    run_container: RunContainer, images: Images, tmp_path: Path
) -> None:
    container, other = run_container("jvm17"), run_container("jvm17")
    before = other_containers(container)
    for one in (container, other):
        leak = [sys.executable, "-c", LEAK, str(one.name), images.get("jdk17")]
        assert subprocess.run(leak).returncode == -signal.SIGKILL
    assert len(other_containers(container) - before) == 2
    run = sweep(tmp_path, str(container.name), "--dry-run", "--json")
    [(name, one)] = [(where, one) for where, one in found(run).items() if one["by"] == "label"]
    assert (run.exit_code, one["what"], one["state"]) == (74, "sidecar (created)", "left")
    swept = sweep(tmp_path, str(container.name), "--yes", "--json")
    assert (swept.exit_code, states(swept)) == (0, {name: "removed"})
    # That of another container is for a sweep of that: which a record names until it is gone.
    [left] = other_containers(container) - before
    keep_record(tmp_path, other)
    code, shown = on_a_terminal(["sweep"], tmp_path, "[y/N]", "n")
    assert (code, left in other_containers(container)) == (74, True), shown
    assert sweep(tmp_path, "--yes").exit_code == 0
    assert left not in other_containers(container)
    assert sweep(tmp_path).out == "no run left a record\n"


def keep_record(home: Path, container: Container, *made: Made) -> None:
    """As of a run that was killed before it could do more than write it."""
    record = RunRecord(
        id="0123456789abcdef",
        target=f"docker://{container.name}",
        container=str(container.id),
        jvm=RecordedJvm(1, 1, "1001:1001", "Load", own_mounts=False),
        made=made,
        run=replace(this_run(), start_ticks=1),
        at_s=time.time(),
    )
    Runs(home / ".local" / "state" / "jvmdiag" / "runs").keep(record)


def test_a_jvm_that_waits_for_the_reader_of_a_fifo_goes_on_when_it_is_swept(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    target, pipes = str(container.name), "/tmp/.jvmdiag-0123456789ab.hprof"
    assert jvmdiag("jcmd", target, "VM.version", home=tmp_path).exit_code == 0
    before = snapshot(container)
    keep_record(tmp_path, container, Made(PIPES, pipes))
    script = 'umask 077; mkdir "$1" && mkfifo "$1/heap.hprof" "$1/heap.hprof.p0"'
    done: Any = container.exec_run(["sh", "-c", script, "sh", pipes], user="1001:1001")
    assert done.exit_code == 0
    let_it_wait(container, f"{pipes}/heap.hprof")
    assert jvmdiag("jcmd", "--timeout", "1", target, "VM.version", home=tmp_path).exit_code == 33
    swept = sweep(tmp_path, target, "--yes", "--json")
    assert (swept.exit_code, states(swept)) == (0, {pipes: "removed"}), swept.out
    answer = jvmdiag("jcmd", target, "VM.version", home=tmp_path)
    assert answer.exit_code == 0, answer.err
    assert left_behind(container, before) == []


def test_a_trigger_goes_only_where_a_record_names_it(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    script = 'umask 077; for f; do : >"$f"; touch -d "2 minutes ago" "$f"; chown 1001:1001 "$f"; done'
    mine, someones = "/tmp/.attach_pid1", "/tmp/.attach_pid77"
    inside(container, script, mine, someones)
    keep_record(tmp_path, container, Made(TRIGGER, mine))
    run = sweep(tmp_path, str(container.name), "--yes", "--json")
    assert (run.exit_code, states(run)) == (0, {mine: "removed"})
    assert found(run)[someones]["state"] == "others'"
    assert inside(container, "ls -A /tmp | grep attach_pid") == ".attach_pid77\n"


def test_a_dump_that_was_kept_is_swept_by_its_record_or_its_manifest(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    target, out = str(container.name), tmp_path / "out"
    taken = jvmdiag("heapdump", target, "--yes", "--keep", "-o", str(out), "--json", home=tmp_path)
    assert taken.exit_code == 0, taken.err
    [left] = taken.document["left_behind"]
    # On a machine that has the manifest and not the record.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert states(sweep(elsewhere, target, "--dry-run", "--json")) == {}
    run = sweep(elsewhere, "-o", str(out), "--dry-run", "--json")
    assert (run.exit_code, states(run)) == (74, {left["where"]: "left"})
    assert "its verified copy is" in found(run)[left["where"]]["note"]
    swept = sweep(elsewhere, "--manifest", taken.document["artifact"]["path"], "--yes", "--json")
    assert (swept.exit_code, states(swept)) == (0, {left["where"]: "removed"})
    assert sweep(tmp_path, "--yes", "--json").exit_code == 0
    assert sweep(tmp_path).out == "no run left a record\n"


def test_in_a_stopped_container_it_is_said_what_can_be_known(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    target = str(container.name)
    killed(tmp_path, target)
    [dump] = states(until_settled(tmp_path, target))
    container.stop(timeout=0)
    run = sweep(tmp_path, target, "--yes", "--whole", "--json")
    assert (run.exit_code, states(run)) == (74, {dump: "unsure"})
    assert found(run)[dump]["size_bytes"] > 300e6
    assert "exited: nothing can be removed in it" in found(run)[dump]["note"]
    container.rename(f"{target}-renamed")
    assert states(sweep(tmp_path, "--json")) == {dump: "unsure"}
    container.remove()
    gone = sweep(tmp_path, "--yes", "--json")
    assert (gone.exit_code, states(gone)) == (0, {})
    assert "is gone, and what was in it" in gone.document["targets"][0]["dropped"][0]
    assert sweep(tmp_path).out == "no run left a record\n"


def test_a_container_of_that_name_that_never_was_is_an_error(
    run_container: RunContainer, tmp_path: Path
) -> None:
    assert sweep(tmp_path, "no-such-container").exit_code == 10


@pytest.mark.parametrize("view", cases("inside", long=("host",)))
def test_without_a_shell_the_host_looks_or_a_sidecar(
    run_container: RunContainer, images: Images, view: str, tmp_path: Path
) -> None:
    container = run_container("shellless", command=BIG)
    before = snapshot(container)
    way = (str(container.name), "--view", view, "--jdk-image", images.get("jdk17"))
    killed(tmp_path, *way)
    until_settled(tmp_path, *way)
    run = sweep(tmp_path, *way, "--yes", "--whole", "--json")
    assert (run.exit_code, set(states(run).values())) == (0, {"removed"}), run.out
    assert left_behind(container, before, but=is_zombie) == []


def ssh_home(sshd: Sshd, folder: Path) -> tuple[str, str]:
    options = sshd.options()
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "known_hosts").write_text(Path(options.known_hosts[0]).read_text())
    return "-i", str(options.identity_files[0])


def test_a_killed_heap_dump_over_ssh_is_found_and_removed(
    docker_client: Any, images: Images, tmp_path: Path
) -> None:
    opt = unpack(docker_client, images, tmp_path / "opt")
    (there := tmp_path / "there's a dir").mkdir()
    (other := there / "old.hprof").write_bytes(b"somebody else's")
    os.utime(other, (1e9, 1e9))  # one that was just written would be a dump under way
    (folder := tmp_path / "sshd").mkdir()
    with (
        start(opt, tmp_path / "log", "--megabytes", "300", java=("-Xmx900m",)) as jvm,
        Sshd(folder) as sshd,
    ):
        key, target = ssh_home(sshd, tmp_path), str(sshd.target())
        killed(tmp_path, target, *key, "--jvm", str(jvm.pid), "--dump-dir", str(there))
        assert len(list(there.glob(".jvmdiag-*.hprof"))) == 1
        look = until_settled(tmp_path, target, *key)
        [dump] = [where for where in states(look) if where.startswith(str(there))]
        assert states(look)[dump] == "whole"
        swept = sweep(tmp_path, *key, "--yes", "--whole", "--json")
        assert swept.exit_code == 0, swept.err
        assert states(swept)[dump] == "removed"
        assert list(there.iterdir()) == [other]
        assert other.read_bytes() == b"somebody else's"
        assert states(sweep(tmp_path, target, *key, "--json")) == {}


@pytest.mark.parametrize("view", cases(long=("inside", "host")))
def test_a_killed_heap_dump_of_a_container_behind_ssh_is_found_and_removed(
    engine: Engine, run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    settings = (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")
    before = snapshot(container)
    (folder := tmp_path / "sshd").mkdir()
    with Sshd(folder, config=settings) as sshd:
        way = (f"{sshd.target()}/docker/{container.name}", *ssh_home(sshd, tmp_path), "--view", view)
        killed(tmp_path, *way)
        look = until_settled(tmp_path, *way)
        assert (look.exit_code, set(states(look).values())) == (74, {"whole"}), look.out
        swept = sweep(tmp_path, *way[1:], "--yes", "--whole", "--json")
        assert (swept.exit_code, set(states(swept).values())) == (0, {"removed"}), swept.out
        assert left_behind(container, before) == []
        container.remove(force=True)
        assert sweep(tmp_path, *way).exit_code == 10


def test_what_is_left_of_another_users_jvm_takes_sudo(ssh_jre: SshHost, tmp_path: Path) -> None:
    home, target = home_of(ssh_jre, tmp_path), ssh_jre.target("ops")
    keep = ("--sudo", "--yes", "--keep", "-o", str(tmp_path / "out"), "--json")
    taken = jvmdiag("heapdump", target, *keep, home=home)
    assert taken.exit_code == 0, taken.err
    [left] = taken.document["left_behind"]
    without = sweep(home, target, "--yes", "--json")
    assert (without.exit_code, states(without)[left["where"]]) == (74, "unsure"), without.out
    assert "add --sudo" in found(without)[left["where"]]["note"]
    swept = sweep(home, "--sudo", "--yes", "--json")
    assert (swept.exit_code, states(swept)) == (0, {left["where"]: "removed"}), swept.out
    assert inside(ssh_jre.container, '[ -e "$1" ] || echo gone', left["where"]) == "gone\n"


def test_the_record_is_private(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=BIG)
    killed(tmp_path, str(container.name))
    paths = list((tmp_path / ".local" / "state" / "jvmdiag" / "runs").iterdir())
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    # One is of the attach, which names no file here.
    partials = {json.loads(path.read_text())["partial"] for path in paths}
    assert partials == {"", str(tmp_path / "out" / final_names(tmp_path / "out")[0])}


def killed_snapshot(home: Path, target: str, said: str, *options: str) -> Path:
    """A snapshot that was killed when it had said so; the folder that it left here."""
    out = home / "out"
    running = Running("snapshot", target, "-o", str(out), *options, home=home)
    until_it_says(running, said)
    running.signal(signal.SIGKILL)
    running.process.communicate()
    [folder] = [path for path in out.iterdir() if path.is_dir()]
    return folder


@pytest.mark.parametrize("said", cases("thread dump 1", long=("files", "histogram")))
def test_what_a_killed_snapshot_had_taken_is_named_and_nothing_of_it_is_on_the_target(
    run_container: RunContainer, said: str, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    before = snapshot(container)
    folder = killed_snapshot(tmp_path, str(container.name), f"{said}:", "--view", "inside")
    (theirs := folder.with_name("other.partial")).mkdir()
    look = until_settled(tmp_path, str(container.name))
    assert (look.exit_code, states(look)) == (74, {str(folder): "evidence"}), look.err
    assert states(sweep(tmp_path, "--yes", "--json")) == {str(folder): "evidence"}
    assert (folder / "found.txt").is_file() or said != "thread dump 1"
    last = sweep(tmp_path, "--yes", "--whole", "--json")
    assert (last.exit_code, states(last)) == (0, {str(folder): "removed"}), last.err
    assert [path.name for path in folder.parent.iterdir()] == [theirs.name]
    assert left_behind(container, before) == []
    assert sweep(tmp_path).out == "no run left a record\n"


@pytest.mark.parametrize("sealed", cases(False, long=(True,)))
def test_of_a_snapshot_killed_in_its_heap_dump_the_target_is_swept_and_the_rest_stands(
    run_container: RunContainer, sealed: bool, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=BIG)
    key = new_key(tmp_path / "key.txt")
    before, out = snapshot(container), tmp_path / "out"
    options = ("--light", "-n", "1", "--heap", "--yes", "-o", str(out))
    to = ("--encrypt-to", key.recipient) if sealed else ()
    running = Running("snapshot", str(container.name), *options, *to, home=tmp_path)
    until_it_says(running, "container log")
    dump = "*.hprof.gz.age.partial" if sealed else "*/*.hprof.gz.partial"
    while not any(path.stat().st_size for path in out.glob(dump)):
        assert running.process.poll() is None
        time.sleep(0.01)
    running.signal(signal.SIGKILL)
    running.process.communicate()
    look = until_settled(tmp_path, str(container.name))
    ours = [one for one in found(look).values() if one["state"] != "others'"]
    assert {one["what"] for one in ours if one["state"] != "evidence"} <= {"heap dump", "lock"}
    [stands] = out.glob("*.tar.gz.age" if sealed else "*-snapshot-*Z")
    # What is in the archive stands beside it until it is swept.
    evidence = [one["note"] for one in ours if one["state"] == "evidence"]
    assert evidence == ([f"what it had taken before its heap dump is in {stands} as well"] if sealed else [])
    last = sweep(tmp_path, "--yes", "--whole", "--json")
    assert last.exit_code == 0, last.err
    assert left_behind(container, before) == []
    verified = jvmdiag("verify", str(stands), "--identity", str(key.file), home=tmp_path)
    assert verified.exit_code == 0, verified.err


def test_of_a_snapshot_killed_beside_its_sidecar_no_sidecar_stays(
    shellless: Container, images: Images, tmp_path: Path
) -> None:
    before = snapshot(shellless)
    options = ("--view", "sidecar", "--jdk-image", images.get("jdk17"))
    folder = killed_snapshot(tmp_path, str(shellless.name), "thread dump 1", *options)
    last = sweep(tmp_path, "--yes", "--whole", "--json")
    assert last.exit_code == 0, last.err
    assert not folder.exists()
    assert left_behind(shellless, before, but=is_zombie) == []
