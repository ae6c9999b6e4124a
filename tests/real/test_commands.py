"""ps, histogram, jcmd, fetch and verify on real parts, and the errors a user meets."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from jvmdiag.collect.fetch import fetch_file
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.errors import TransferCut
from jvmdiag.model import CommandRecord
from jvmdiag.target import DockerTarget
from tests.real.containers import READY_TIMEOUT_S, SshHost, home_of, left_behind, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.held import stopped
from tests.real.images import Images, load
from tests.real.jvmdiag import jvmdiag
from tests.real.local_jvm import start, unpack
from tests.real.piping import opens_a_fifo, until
from tests.real.shown import ATTEMPTS, pid_of

Shared = Callable[[str], Container]


def only_jvm(home: Path, *arguments: str) -> dict[str, Any]:
    run = jvmdiag("ps", *arguments, "--json", home=home)
    assert run.exit_code == 0, run.err
    [one] = run.document["jvms"]
    return dict(one)


# ps


@pytest.mark.parametrize("view", ["host", "inside"])
@pytest.mark.parametrize(
    ("image", "version"), cases(("jvm11", "11.0.13"), ("jvm25", "25.0.2"), long=(("jvm21", "21.0.8"),))
)
def test_ps_says_what_runs(shared: Shared, image: str, version: str, view: str, tmp_path: Path) -> None:
    one = only_jvm(tmp_path, str(shared(image).name), "--view", view)
    jvm = one["jvm"]
    assert (jvm["version"], jvm["vm"], jvm["user"], jvm["main"]) == (version, "HotSpot", "app", "Load")
    assert jvm["heap"]["used_bytes"] > 5_000_000
    assert jvm["threads"] > 10
    assert jvm["nspids"][-1] == 1
    assert {name for name, why in one["methods"] if not why} >= {"direct", "tools", "quit"}


def test_ps_sees_what_jps_does_not(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load(java=("-XX:-UsePerfData",)), user="54321:54321")
    jvm = only_jvm(tmp_path, str(container.name), "--view", "inside")["jvm"]
    assert (jvm["user"], jvm["main"], jvm["heap"]) == ("54321", "Load", None)
    assert jvm["version"] == "17.0.9"


def test_ps_without_a_target_lists_every_container(shared: Shared, tmp_path: Path) -> None:
    names = {f"docker://{shared(image).name}" for image in ("jvm11", "shellless", "tomcat-jre")}
    run = jvmdiag("ps", "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert names <= {one["target"] for one in run.document["jvms"]}
    table = jvmdiag("ps", home=tmp_path).out.splitlines()
    assert table[0].split()[:3] == ["TARGET", "PID", "USER"]


def test_ps_without_a_target_lists_a_container_of_another_engine_on_this_machine(
    shared: Shared, docker_client: docker.DockerClient, images: Images, tmp_path: Path
) -> None:
    names = {f"docker://{shared(image).name}" for image in ("jvm11", "shellless")}
    opt = unpack(docker_client, images, tmp_path / "opt")
    isolate = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with start(opt, tmp_path / "log", behind=isolate):
        listed = jvmdiag("ps", "--json", home=tmp_path).document["jvms"]
    around = [one for one in listed if str(opt) in one["jvm"]["java"]]
    assert [one["target"] for one in around] == ["local://"]
    assert around[0]["pid"] == around[0]["jvm"]["pid"] == around[0]["jvm"]["nspids"][0]
    assert len(around[0]["jvm"]["nspids"]) == 2
    assert [why for name, why in around[0]["methods"] if name in ("direct", "quit")] == ["", ""]
    # Those of the engine are listed once.
    assert sorted(one["target"] for one in listed if one["target"] in names) == sorted(names)
    identities = [(one["jvm"]["nspids"][-1], one["jvm"]["start_ticks"]) for one in listed]
    assert len(identities) == len(set(identities))


def test_ps_needs_a_sidecar_where_nothing_else_can_look(
    shellless: Container, images: Images, tmp_path: Path
) -> None:
    before = snapshot(shellless)
    jvm = only_jvm(tmp_path, str(shellless.name), "--view", "inside", "--jdk-image", images.get("jdk17"))[
        "jvm"
    ]
    assert jvm["version"] == "21.0.8"
    assert left_behind(shellless, before) == []


# histogram and jcmd


@pytest.mark.parametrize("image", cases("jvm11", "jvm25", long=("jvm17", "jvm21")))
@pytest.mark.parametrize("live", [False, True])
def test_a_histogram_counts_the_heap(shared: Shared, image: str, live: bool, tmp_path: Path) -> None:
    # Where many want a CPU of this machine even a small heap may be worth asking.
    options = ("--yes", "--live") if live else ("--yes",)
    run = jvmdiag("histogram", str(shared(image).name), "--json", *options, home=tmp_path)
    assert run.exit_code == 0, run.err
    rows = {row["name"]: row for row in run.document["classes"]}
    assert rows["Load$Node"]["instances"] > 10_000
    assert run.document["size_bytes"] == sum(row["size_bytes"] for row in rows.values())
    assert run.document["live"] is live


@pytest.mark.parametrize("method", ["direct", "tools"])
def test_any_diagnostic_command(tomcat_jre: Container, method: str, tmp_path: Path) -> None:
    name = str(tomcat_jre.name)
    flags = jvmdiag("jcmd", "--method", method, name, "VM.flags", "-all", home=tmp_path)
    assert flags.exit_code == 0, flags.err
    assert "UseG1GC" in flags.out
    unknown = jvmdiag("jcmd", "--method", method, name, "No.such", home=tmp_path)
    assert unknown.exit_code == 43, unknown.err
    assert "Unknown diagnostic command" in unknown.err
    bad = jvmdiag("jcmd", "--method", method, name, "Thread.print", "-nonsense", home=tmp_path)
    assert bad.exit_code == 43, bad.err


def test_a_jdk_without_jcmd_is_asked_by_jstack_and_jmap(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("tomcat-jdk")
    # Without the list of its modules it is like a JDK 8, whose java cannot be asked in jcmd's place.
    script = 'for home in /usr/lib/jvm/*; do rm -f "$home/bin/jcmd" "$home/release"; done'
    assert container.exec_run(["sh", "-c", script], user="0:0").exit_code == 0
    name, tools = str(container.name), ("--method", "tools")
    threads = jvmdiag("threaddump", name, *tools, "-o", str(tmp_path), "--json", home=tmp_path)
    assert threads.exit_code == 0, threads.err
    assert "/bin/jstack" in threads.document["dumps"][0]["detail"]
    assert threads.document["dumps"][0]["threads"] > 10
    classes = jvmdiag("histogram", name, *tools, "--json", home=tmp_path)
    assert classes.exit_code == 0, classes.err
    assert classes.document["instances"] > 10_000
    heap = jvmdiag("heapdump", name, *tools, "--yes", "-o", str(tmp_path), "--json", home=tmp_path)
    assert heap.exit_code == 0, heap.err
    assert jvmdiag("verify", heap.document["artifact"]["path"], home=tmp_path).exit_code == 0
    only_jcmd = jvmdiag("jcmd", *tools, name, "VM.version", home=tmp_path)
    assert only_jcmd.exit_code == 40, only_jcmd.err


# fetch


def test_fetch_brings_a_file_and_removes_it_on_demand(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.exec_run(["sh", "-c", "seq 100000 >'/tmp/a log'"])
    run = jvmdiag("fetch", str(container.name), "/tmp/a log", "-o", str(tmp_path), "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert gzip.decompress((tmp_path / "a log.gz").read_bytes()).split()[-1] == b"100000"
    assert [w["name"] for w in run.document["artifact"]["witnesses"]] == ["byte count", "sha256"]
    out = tmp_path / "second"
    again = jvmdiag("fetch", str(container.name), "/tmp/a log", "--remove", "-o", str(out), home=tmp_path)
    assert again.exit_code == 0, again.err
    assert container.exec_run(["test", "-e", "/tmp/a log"]).exit_code == 1


def test_a_link_that_is_made_after_the_look_leads_nobody_to_a_file_of_the_host(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    (secret := tmp_path / "of the host").write_text("for root alone")
    container.exec_run(["sh", "-c", "echo logged >/tmp/app.log"])
    linked: list[CommandRecord] = []

    def exchange(record: CommandRecord) -> None:
        """As whoever writes the log can, at the moment it was looked at."""
        if "/tmp/app.log" in record.argv and not linked:
            linked.append(record)
            container.exec_run(["ln", "-sf", str(secret), "/tmp/app.log"])

    job = Job(DockerTarget(str(container.name)), output=tmp_path / "out")
    with pytest.raises(TransferCut, match="by now"):
        fetch_file(job, "/tmp/app.log", Journal(exchange), Progress(), remove=False)
    # From the host's view that link leads to what is there.
    assert (
        linked
        and Path(f"/proc/{container.attrs['State']['Pid']}/root/tmp/app.log").read_text() == "for root alone"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_with_sudo_a_link_is_told_and_not_followed(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    ssh_jre.container.exec_run(["ln", "-sf", "/etc/shadow", "/tmp/app.log"], user="tomcat")
    run = jvmdiag(
        "fetch", ssh_jre.target("ops"), "--sudo", "/tmp/app.log", "-o", str(tmp_path / "out"), home=home
    )
    ssh_jre.container.exec_run(["rm", "/tmp/app.log"])
    assert run.exit_code == 63, run.err
    assert "behind a link" in run.err and "/etc/shadow" in run.err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_dry_run_of_fetch_takes_and_removes_nothing(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.exec_run(["sh", "-c", "echo log >/tmp/gc.log"])
    run = jvmdiag("fetch", str(container.name), "/tmp/gc.log", "--remove", "--dry-run", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert re.search(r"cat /proc/\d+/root/tmp/gc[.]log, the first 4 bytes", run.out)
    assert "rm -f -- /tmp/gc.log" in run.out
    assert container.exec_run(["cat", "/tmp/gc.log"]).exit_code == 0


def test_fetch_works_on_tmpfs_and_volumes(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", tmpfs={"/memory": "rw,mode=1777"}, volumes=["/data"])
    container.exec_run(["sh", "-c", "echo one >/memory/f; echo two >/data/g"], user="0:0")
    for path, text in (("/memory/f", b"one\n"), ("/data/g", b"two\n")):
        run = jvmdiag("fetch", str(container.name), path, "-o", str(tmp_path), home=tmp_path)
        assert run.exit_code == 0, run.err
        assert gzip.decompress((tmp_path / f"{Path(path).name}.gz").read_bytes()) == text


@pytest.mark.parametrize("image", cases("shellless", long=("jvm17",)))
def test_an_oom_dump_comes_back_from_a_stopped_container(
    run_container: RunContainer, image: str, tmp_path: Path
) -> None:
    options = (
        "-XX:+HeapDumpOnOutOfMemoryError",
        "-XX:HeapDumpPath=/tmp/oom.hprof",
        "-XX:+ExitOnOutOfMemoryError",
    )
    container = run_container(
        image, command=load("--megabytes", "200", java=("-Xmx64m", *options)), ready=None
    )
    container.wait(timeout=READY_TIMEOUT_S)
    name = str(container.name)
    run = jvmdiag("threaddump", name, home=tmp_path)
    assert run.exit_code == 11
    assert "has exited" in run.err and "jvmdiag snapshot TARGET" in run.err
    fetched = jvmdiag("fetch", name, "/tmp/oom.hprof", "-o", str(tmp_path), "--json", home=tmp_path)
    assert fetched.exit_code == 0, fetched.err
    assert fetched.document["method"] == "archive"
    assert jvmdiag("verify", str(tmp_path / "oom.hprof.gz"), home=tmp_path).exit_code == 0


def test_a_file_is_fetched_from_a_running_container_without_a_shell(
    shellless: Container, tmp_path: Path
) -> None:
    run = jvmdiag("fetch", str(shellless.name), "/etc/passwd", "-o", str(tmp_path), home=tmp_path)
    assert run.exit_code == 0, run.err


@pytest.mark.parametrize("path", ["/no/such/file", "/tmp", "/dev/null"])
def test_fetch_says_what_is_no_file(shared: Shared, path: str, tmp_path: Path) -> None:
    run = jvmdiag("fetch", str(shared("jvm17").name), path, "-o", str(tmp_path / "out"), home=tmp_path)
    assert run.exit_code == 63, run.err
    assert path in run.err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", ["", "JAVA PROFILE 1.0.2"])
def test_a_dump_that_is_not_whole_there_gets_no_final_name_and_is_not_removed(
    run_container: RunContainer, content: str, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    container.exec_run(["sh", "-c", f"printf '{content}' >/tmp/cut.hprof"])
    out = tmp_path / "out"
    options = ("--remove", "--json", "-o", str(out))
    run = jvmdiag("fetch", str(container.name), "/tmp/cut.hprof", *options, home=tmp_path)
    assert (run.exit_code, run.document["error"]) == (60, "DumpIncomplete")
    [copy] = out.iterdir()
    assert copy.name == "cut.hprof.gz.partial"
    assert gzip.decompress(copy.read_bytes()) == content.encode()
    assert container.exec_run(["test", "-e", "/tmp/cut.hprof"]).exit_code == 0


# errors


def test_a_near_miss_suggests_names(shared: Shared, tmp_path: Path) -> None:
    name = str(shared("jvm17").name)
    run = jvmdiag("threaddump", name[:-1], "--json", home=tmp_path)
    assert run.exit_code == 10
    assert name in run.err
    assert (run.document["error"], run.document["exit_code"]) == ("NoSuchTarget", 10)


def test_no_engine(tmp_path: Path) -> None:
    run = jvmdiag("threaddump", "web", home=tmp_path, env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert run.exit_code == 20
    assert "none.sock" in run.err


def test_a_docker_context_names_the_engine(shared: Shared, tmp_path: Path) -> None:
    url = os.environ["DOCKER_HOST"]
    meta = tmp_path / ".docker/contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        json.dumps(
            {"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": url, "SkipTLSVerify": False}}}
        )
    )
    (tmp_path / ".docker/config.json").write_text(json.dumps({"currentContext": "mine"}))
    env = {"DOCKER_HOST": "", "DOCKER_CONFIG": str(tmp_path / ".docker")}
    run = jvmdiag("ps", str(shared("jvm17").name), "--json", home=tmp_path, env=env)
    assert run.exit_code == 0, run.err


def test_a_container_without_a_jvm(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jdk17", command=["sleep", "60"], ready=None, ports=())
    run = jvmdiag("threaddump", str(container.name), home=tmp_path)
    assert run.exit_code == 30, run.err
    assert "libjvm.so" in run.err


def test_several_jvms_are_listed_and_one_is_chosen(run_container: RunContainer, tmp_path: Path) -> None:
    two = "java -cp /opt/load Load --port 8081 & java -Dsecond=yes -cp /opt/load Load; wait"
    container = run_container("jvm17", entrypoint=["sh", "-c", two])
    until("both are ready", lambda: container.logs().count(b"ready on port") == 2)
    name = str(container.name)
    run = jvmdiag("threaddump", name, home=tmp_path)
    assert run.exit_code == 31, run.err
    assert run.err.count("--jvm ") == 2
    chosen = jvmdiag("threaddump", name, "--jvm", "second=yes", "-o", str(tmp_path / "a"), home=tmp_path)
    assert chosen.exit_code == 0, chosen.err
    assert jvmdiag("threaddump", name, "--jvm", "nonsense", home=tmp_path).exit_code == 30
    assert jvmdiag("threaddump", name, "--jvm", "", home=tmp_path).exit_code == 2


def test_a_paused_container_is_left_alone(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.pause()
    try:
        run = jvmdiag("threaddump", str(container.name), home=tmp_path)
    finally:
        container.unpause()
    assert run.exit_code == 12
    assert "docker unpause" in run.err
    assert b"Full thread dump" not in container.logs()


def java_pid(container: Container) -> int:
    return next(
        int(pid) for pid, name in container.top(ps_args="-eo pid,comm")["Processes"] if name == "java"
    )


def test_a_stopped_jvm_is_told_before_anything_is_tried(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    pid = java_pid(container)
    with stopped(pid):
        run = jvmdiag("threaddump", str(container.name), home=tmp_path)
    assert run.exit_code == 40, run.err
    assert "SIGCONT" in run.err


@pytest.mark.parametrize("method", cases("direct", long=("tools",)))
def test_a_jvm_that_hangs_is_given_up(run_container: RunContainer, method: str, tmp_path: Path) -> None:
    """It took the command and waits for the reader of a FIFO; the client and the tool do not stay with it."""
    container = run_container("jvm17")
    container.exec_run(["mkfifo", "/tmp/fifo"], user="1001:1001")
    before = snapshot(container)
    options = ("--view", "inside", "--method", method, "--timeout", "1")
    command = ("GC.heap_dump", "-overwrite", "/tmp/fifo")
    for _ in range(ATTEMPTS):
        run = jvmdiag("jcmd", *options, str(container.name), *command, home=tmp_path)
        assert run.exit_code == 33, run.err
        assert left_behind(container, before) == []
        # Else it was given up before the JVM had the command.
        if opens_a_fifo(pid_of(container)):
            break
    assert opens_a_fifo(pid_of(container))
    # A reader that goes away lets the JVM go on.
    container.exec_run(["sh", "-c", "head -c 1 /tmp/fifo"])
    assert jvmdiag("jcmd", str(container.name), "VM.version", home=tmp_path).exit_code == 0


def test_an_image_that_cannot_be_had_says_how_to_provide_one(shellless: Container, tmp_path: Path) -> None:
    name = str(shellless.name)
    default = jvmdiag("threaddump", name, "--view", "inside", home=tmp_path)
    assert default.exit_code == 42
    assert "eclipse-temurin:21-jdk" in default.err
    assert "--jdk-image" in default.err
    named = jvmdiag(
        "threaddump", name, "--view", "inside", home=tmp_path, env={"JVMDIAG_JDK_IMAGE": "nobody/has:this"}
    )
    assert "nobody/has:this" in named.err
    (tmp_path / ".config/jvmdiag").mkdir(parents=True)
    (tmp_path / ".config/jvmdiag/config.toml").write_text('jdk_image = "from/config:file"\n')
    configured = jvmdiag("threaddump", name, "--view", "inside", "--no-pull", home=tmp_path)
    assert configured.exit_code == 42
    assert "from/config:file" in configured.err


def test_a_jre_without_a_way_lists_every_rung(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jre-minimal")
    run = jvmdiag("histogram", str(container.name), "--view", "inside", "--no-pull", home=tmp_path)
    assert run.exit_code == 40, run.err
    for rung in ("direct:", "tools:", "jdk-image:", "quit:"):
        assert rung in run.err


def test_an_unknown_method_is_a_usage_error(shared: Shared, tmp_path: Path) -> None:
    run = jvmdiag("threaddump", str(shared("jvm17").name), "--method", "magic", home=tmp_path)
    assert run.exit_code == 2
    assert "direct, tools, jdk-image, quit" in run.err
