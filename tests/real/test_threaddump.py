"""Thread dumps of real JVMs, by every method that can work on each."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.types import LogConfig

from tests.real.containers import http_get, left_behind, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.images import Images, load
from tests.real.jvmdiag import Running, jvmdiag, text_of
from tests.real.local_jvm import start, unpack
from tests.real.stalled import StalledReader

JVMS = ("jvm11", "jvm17", "jvm21", "jvm25")
Shared = Callable[[str], Container]


def dump(container: Container, *options: str, home: Path) -> dict[str, Any]:
    """The one dump that was taken, after it was looked at; nothing may be left on the target."""
    before = snapshot(container)
    run = jvmdiag("threaddump", str(container.name), "-o", str(home / "out"), "--json", *options, home=home)
    assert run.exit_code == 0, run.err
    [taken] = run.document["dumps"]
    assert '"main"' in text_of(taken["artifact"]) or '"http' in text_of(taken["artifact"])
    assert "Full thread dump" in text_of(taken["artifact"])
    assert "JNI global ref" in text_of(taken["artifact"])
    assert left_behind(container, before) == []
    verified = jvmdiag("verify", taken["artifact"]["path"], "--json", home=home)
    assert (verified.exit_code, verified.document["files"][0]["ok"]) == (0, True)
    return dict(taken)


@pytest.mark.parametrize(
    "image", cases(*JVMS, "tomcat-jre", "shellless", "jre-minimal", long=("tomcat-jdk", "jre-not-pid1"))
)
def test_it_works_with_no_option_given(shared: Shared, image: str, tmp_path: Path) -> None:
    assert dump(shared(image), home=tmp_path)["method"] == "direct"


@pytest.mark.parametrize(
    "image", cases("jvm11", "jvm25", "jre-not-pid1", long=("jvm17", "jvm21", "tomcat-jdk", "tomcat-jre"))
)
@pytest.mark.parametrize("method", ["direct", "tools", "quit"])
def test_each_method_works_from_inside_the_container(
    shared: Shared, image: str, method: str, tmp_path: Path
) -> None:
    assert dump(shared(image), "--view", "inside", "--method", method, home=tmp_path)["method"] == method


@pytest.mark.parametrize("image", ["jvm17", "shellless", "jre-not-pid1"])
def test_quit_works_from_the_engines_host(shared: Shared, image: str, tmp_path: Path) -> None:
    assert dump(shared(image), "--view", "host", "--method", "quit", home=tmp_path)["method"] == "quit"


@pytest.mark.parametrize(
    ("image", "jdk"),
    cases(
        # Each image and each JDK at least once.
        ("jre-not-pid1", "jdk17"),
        ("shellless", "jdk17"),
        ("jvm11", "jdk17-noperl"),
        ("jvm25", "jdk17-noperl"),
        ("jvm17", "jdk21-noperl"),
        ("jvm21", "jdk25"),
        ("jre-minimal", "jdk25-noperl"),
        ("shellless", "jdk25-noperl"),
        long=(
            *((image, "jdk17") for image in ("jvm11", "jre-minimal", "tomcat-jre")),
            *((image, "jdk17-noperl") for image in ("jvm17", "jvm21", "shellless", "tomcat-jre")),
            ("jre-minimal", "jdk21-noperl"),
            *((image, "jdk25-noperl") for image in ("jvm11", "jvm17", "jvm21", "jvm25")),
        ),
    ),
)
def test_a_jdk_image_reaches_every_jvm(
    shared: Shared, images: Images, image: str, jdk: str, tmp_path: Path
) -> None:
    options = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get(jdk))
    taken = dump(shared(image), *options, home=tmp_path)
    assert taken["method"] == "jdk-image"
    assert ("/perl" in taken["detail"]) == ("noperl" not in jdk)


@pytest.mark.parametrize("jdk", cases("jdk17-noperl", long=("jdk17", "jdk25-noperl")))
@pytest.mark.parametrize("image", cases("jvm11", long=("jvm25",)))
def test_a_jdk_image_reaches_a_jvm_of_root(
    run_container: RunContainer, images: Images, image: str, jdk: str, tmp_path: Path
) -> None:
    container = run_container(image, user="0:0")
    options = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get(jdk))
    assert dump(container, *options, home=tmp_path)["method"] == "jdk-image"


def test_a_jvm_of_a_user_without_a_name_is_reached(
    run_container: RunContainer, images: Images, tmp_path: Path
) -> None:
    container = run_container("jvm17", user="54321:54321")
    for options in (("--view", "host"), ("--view", "inside"), ("--view", "inside", "--method", "tools")):
        dump(container, *options, home=tmp_path)
    jdk = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get("jdk25-noperl"))
    dump(container, *jdk, home=tmp_path)


def test_a_hardened_container_is_reached_by_a_sidecar(
    run_container: RunContainer, images: Images, tmp_path: Path
) -> None:
    container = run_container(
        "shellless",
        read_only=True,
        tmpfs={"/tmp": "rw,mode=1777"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    for jdk in ("jdk17", "jdk21-noperl"):
        options = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get(jdk))
        dump(container, *options, home=tmp_path)


def test_a_jvm_that_cannot_be_attached_to_still_gives_its_threads(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load(java=("-XX:+DisableAttachMechanism",)))
    assert dump(container, home=tmp_path)["method"] == "quit"
    refused = jvmdiag("threaddump", str(container.name), "--method", "direct", home=tmp_path)
    assert refused.exit_code == 40
    assert "DisableAttachMechanism" in refused.err


def test_where_it_was_switched_off_is_said(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", environment={"JAVA_TOOL_OPTIONS": "-XX:+DisableAttachMechanism"})
    refused = jvmdiag("histogram", str(container.name), home=tmp_path)
    assert refused.exit_code == 40
    assert "-XX:+DisableAttachMechanism in JAVA_TOOL_OPTIONS" in refused.err


def test_a_jvm_without_a_writable_tmp_still_gives_its_threads(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", read_only=True)
    assert dump(container, home=tmp_path)["method"] == "quit"
    refused = jvmdiag("heapdump", str(container.name), "--yes", home=tmp_path)
    assert refused.exit_code == 40
    assert "/tmp is read-only" in refused.err


def test_a_tmp_that_is_not_for_the_jvms_user_is_told(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.exec_run(["chmod", "755", "/tmp"], user="0:0")
    assert dump(container, home=tmp_path)["method"] == "quit"
    refused = jvmdiag("histogram", str(container.name), home=tmp_path)
    assert refused.exit_code == 40
    assert "its /tmp is not for its user (app)" in refused.err


def test_a_jvm_with_xrs_is_never_signalled(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load(java=("-Xrs",)))
    refused = jvmdiag("threaddump", str(container.name), "--method", "quit", home=tmp_path)
    assert refused.exit_code == 40, refused.err
    assert "SIGQUIT is not caught" in refused.err
    # Its socket is open from the start, so attach needs no signal.
    assert dump(container, home=tmp_path)["method"] == "direct"
    container.reload()
    assert container.status == "running"


@pytest.mark.parametrize("cache", [True, False], ids=["copy", "no-copy"])
@pytest.mark.parametrize("driver", ["syslog", "gelf"])
def test_quit_reads_the_engines_copy_of_a_log_that_goes_elsewhere(
    run_container: RunContainer, driver: str, cache: bool, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{collector.getsockname()[1]}"
        options = {f"{driver}-address": address} | ({} if cache else {"cache-disabled": "true"})
        container = run_container("jvm17", log_config=LogConfig(type=driver, config=options))
        if cache:
            assert dump(container, "--method", "quit", home=tmp_path)["method"] == "quit"
        else:
            refused = jvmdiag("threaddump", str(container.name), "--method", "quit", home=tmp_path)
            assert refused.exit_code == 40, refused.err
            assert f"log driver {driver} can't be read back" in refused.err


def test_quit_reads_a_log_that_was_moved_or_removed_and_whose_name_is_no_text(
    docker_client: docker.DockerClient, images: Images, tmp_path: Path
) -> None:
    log = tmp_path / os.fsdecode(b"catalina \xe9.out")
    with start(unpack(docker_client, images, tmp_path / "opt"), log) as jvm:
        for change in (lambda: None, lambda: log.rename(tmp_path / "moved"), (tmp_path / "moved").unlink):
            change()
            options = ("--jvm", str(jvm.pid), "--method", "quit", "-o", str(tmp_path / "out"), "--json")
            run = jvmdiag("threaddump", "local://", *options, home=tmp_path)
            assert run.exit_code == 0, run.err
            assert run.document["dumps"][0]["threads"] > 10


def test_a_process_that_is_only_called_java_gets_no_signal(
    run_container: RunContainer, tmp_path: Path
) -> None:
    script = "trap 'echo signalled' QUIT; cp /bin/sleep /tmp/java; /tmp/java 600 & while :; do wait; done"
    container = run_container("jdk17", command=["sh", "-c", script], ready=None, ports=())
    for view in ("host", "inside"):
        run = jvmdiag("threaddump", str(container.name), "--view", view, home=tmp_path)
        assert run.exit_code == 30, run.err
    assert container.logs() == b""


def test_agents_of_the_target_do_not_reach_the_tools(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", environment={"JAVA_TOOL_OPTIONS": "-Dprice=high"})
    taken = dump(container, "--view", "inside", "--method", "tools", home=tmp_path)
    assert "Picked up" not in text_of(taken["artifact"])


def test_several_samples_are_several_files(tomcat_jre: Container, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    run = jvmdiag(
        "threaddump",
        str(tomcat_jre.name),
        "-n",
        "3",
        "--interval",
        "0.2",
        "-o",
        str(out),
        "--json",
        home=tmp_path,
    )
    assert run.exit_code == 0, run.err
    dumps = run.document["dumps"]
    assert len({d["artifact"]["path"] for d in dumps}) == 3
    assert [path.stat().st_mode & 0o777 for path in out.iterdir()] == [0o600] * 6
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    manifest = json.loads(Path(dumps[0]["artifact"]["path"] + ".manifest.json").read_text())
    assert manifest["schema"] == "jvmdiag.manifest/1"
    assert manifest["jvm"]["version"].startswith("17.")
    asked = [" ".join(command["argv"]) for command in manifest["commands"]]
    assert any(line.startswith("attach ") and line.endswith("jcmd Thread.print") for line in asked)


def test_locks_are_listed_on_demand_only(tomcat_jre: Container, tmp_path: Path) -> None:
    assert "Locked ownable synchronizers" not in text_of(dump(tomcat_jre, home=tmp_path)["artifact"])
    assert "Locked ownable synchronizers" in text_of(dump(tomcat_jre, "--locks", home=tmp_path)["artifact"])


@pytest.mark.parametrize("method", cases("direct", "quit", long=("tools",)))
def test_a_deadlock_is_noticed(run_container: RunContainer, method: str, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load("--deadlock"))
    assert dump(container, "--method", method, home=tmp_path)["deadlock"] is True


def stands_still(container: Container, within_s: float = 20) -> bool:
    """Whether a GET gets no answer within a second; what the JVM writes first comes before its threads have stopped."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            http_get(container, timeout_s=1)
        except TimeoutError:
            return True
    return False


@pytest.mark.parametrize("view", cases("inside", long=("host",)))
def test_a_reader_that_stalls_does_not_hold_up_a_jvm_that_streams(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    # What the socket between the two holds is less than the dump of so many threads.
    container = run_container("jvm25", command=load("--threads", "1500"))
    name, out = str(container.name), str(tmp_path / "out")
    assert jvmdiag("jcmd", name, "VM.version", home=tmp_path).exit_code == 0
    container.reload()
    tmp = Path(f"/proc/{container.attrs['State']['Pid']}/root/tmp")
    options = ("--view", view, "--method", "direct", "--json", "-o", out)
    with StalledReader(tmp, 1, stalls=b"Thread.print") as reader:
        running = Running("threaddump", name, *options, home=tmp_path)
        reader.wait_until_the_jvm_answers()
        assert http_get(container, timeout_s=30)[0] == 200
        reader.go()
        run = running.end()
        assert run.exit_code == 0, run.err
        assert run.document["dumps"][0]["threads"] > 1500
        # The same question without what jvmdiag adds to it freezes the application.
        with reader.ask(reader.request.replace(b" streaming=0", b"")) as stalled:
            assert select.select([stalled], [], [], 30)[0]
            assert stands_still(container)


def test_the_failed_try_is_mentioned(run_container: RunContainer, tmp_path: Path) -> None:
    """A trigger file of another user is in the way of the JVM's own, which is seen only by trying."""
    container = run_container("jvm17")
    container.exec_run(["install", "-m", "600", "/dev/null", "/tmp/.attach_pid1"], user="0:0")
    taken = dump(container, "--view", "inside", "--no-pull", home=tmp_path)
    manifest = json.loads(Path(taken["artifact"]["path"] + ".manifest.json").read_text())
    tried = [note.partition(":")[0] for note in manifest["notes"]]
    assert (taken["method"], tried) == ("tools", ["not by direct"])


def test_a_sidecar_is_limited_and_labelled(
    run_container: RunContainer, images: Images, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    container = run_container("jvm17")
    before = snapshot(container)
    options = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get("jdk17"), "-n", "1000")
    running = Running(
        "threaddump", str(container.name), *options, "--interval", "0", "-o", str(tmp_path), home=tmp_path
    )
    label = f"io.github.jvmdiag.sidecar-of={container.id}"
    until = time.monotonic() + 60
    while not (found := docker_client.containers.list(filters={"label": label})):
        assert time.monotonic() < until and running.process.poll() is None, "no sidecar"
    settings = found[0].attrs["HostConfig"]
    running.signal(signal.SIGINT)
    assert running.end().exit_code == 130
    assert settings["Memory"] == 512 << 20
    assert settings["PidsLimit"] == 256
    assert settings["SecurityOpt"] == ["no-new-privileges"]
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["CapAdd"]
    assert not settings["Privileged"]
    assert settings["NetworkMode"] == "none"
    assert settings["LogConfig"]["Type"] == "none"
    assert settings["PidMode"] == f"container:{container.id}"
    assert left_behind(container, before) == []
