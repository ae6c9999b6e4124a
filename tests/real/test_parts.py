"""The real parts are what the other tests take them for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.containers import SshHost, changes_of, http_get, left_behind, snapshot
from tests.real.fixtures import RunContainer
from tests.real.images import Images, load
from tests.real.piping import until

JVMS = (
    "jvm11",
    "jvm17",
    "jvm21",
    "jvm25",
    "jre-minimal",
    "jre-not-pid1",
    "shellless",
    "tomcat-jre",
    "tomcat-jdk",
)


def run(container: Container, *argv: str, user: str = "") -> tuple[int, str]:
    done: Any = container.exec_run(list(argv), user=user)
    return done.exit_code, done.output.decode()


def jvm_status(container: Container) -> dict[str, str]:
    """/proc/PID/status of the one java in the container."""
    processes: Any = container.top(ps_args="-eo pid,comm")["Processes"]
    [pid] = [pid for pid, name in processes if name == "java"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("image", JVMS)
def test_the_jvm_answers_and_is_not_roots(shared: Callable[[str], Container], image: str) -> None:
    container = shared(image)
    assert http_get(container)[1].startswith("ok ")
    status = jvm_status(container)
    assert status["Uid"].split() == ["1001"] * 4
    assert (status["NSpid"].split()[-1] == "1") == (image != "jre-not-pid1")


@pytest.mark.parametrize("image", ["jvm11", "jvm17", "jvm21", "jvm25"])
def test_a_jre_has_no_tools(shared: Callable[[str], Container], image: str) -> None:
    assert run(shared(image), "ls", "/opt/java/bin") == (0, "java\nkeytool\n")
    assert run(shared(image), "java", "-version")[1].split('"')[1].startswith(image.removeprefix("jvm"))


def test_the_tomcat_jre_has_the_module_without_its_launchers(tomcat_jre: Container) -> None:
    assert "jdk.jcmd@17" in run(tomcat_jre, "java", "--list-modules")[1]
    assert run(tomcat_jre, "sh", "-c", "ls /usr/lib/jvm/*/bin/jcmd")[0] != 0
    assert run(tomcat_jre, "perl", "-e", "print 1")[1] == "1"


def test_the_tomcat_jdk_has_the_tools(tomcat_jdk: Container) -> None:
    assert "Tomcat" in http_get(tomcat_jdk)[1]
    code, text = run(tomcat_jdk, "jcmd", "1", "VM.version")
    assert (code, "JDK 17" in text) == (0, True)


def test_the_minimal_jre_has_neither_tools_nor_interpreters(shared: Callable[[str], Container]) -> None:
    container = shared("jre-minimal")
    assert "jdk.jcmd" not in run(container, "java", "--list-modules")[1]
    assert run(container, "sh", "-c", "command -v perl || command -v python3 || command -v jcmd")[0] != 0


def test_nothing_but_java_runs_in_the_shellless_image(shellless: Container) -> None:
    # runc says 126 or 127, by its version
    assert {run(shellless, name)[0] for name in ("sh", "cat", "tar", "ls")} <= {126, 127}


@pytest.mark.parametrize(("image", "perl"), [("jdk17", True), ("jdk25", True), ("jdk21-noperl", False)])
def test_a_jdk_image_has_the_tools(run_container: RunContainer, image: str, perl: bool) -> None:
    container = run_container(image, command=["sleep", "600"], ready=None, network_mode="none", ports=())
    assert [run(container, tool, "-h")[0] in (0, 1) for tool in ("jcmd", "jstack", "jmap", "jps")] == [
        True
    ] * 4
    assert (run(container, "perl", "-e", "1")[0] == 0) == perl


def test_the_load_program_fills_deadlocks_and_ends_as_told(run_container: RunContainer) -> None:
    options = load("--megabytes", "64", "--threads", "3", "--deadlock", java=("-Xmx200m",))
    container = run_container("jvm17", command=options)
    arrays = int(http_get(container, "/fill?megabytes=10")[1].split()[-1])
    assert arrays == 74 * 6
    container.kill("QUIT")
    # The JVM takes the signal when it can, and its log goes through the engine.
    until("it has dumped", lambda: "Found one Java-level deadlock" in container.logs().decode())
    log = container.logs().decode()
    assert '"waiting-3"' in log and '"blocked-1"' in log and "Found one Java-level deadlock" in log
    http_get(container, "/exit?code=7")
    assert container.wait()["StatusCode"] == 7


def test_a_snapshot_sees_what_is_left(run_container: RunContainer) -> None:
    container = run_container("jvm17")
    before = snapshot(container)
    assert left_behind(container, before) == []
    container.exec_run(["touch", "/tmp/dump.hprof"])
    container.exec_run(["sleep", "600"], detach=True)
    # The engine answers when it is on its way.
    until("it sleeps", lambda: any(thing.endswith(" sleep") for thing in left_behind(container, before, 0)))
    left = left_behind(container, before, patience_s=0)
    assert "/tmp/dump.hprof" in left and "diff /tmp/dump.hprof" in left
    assert any(thing.startswith("process ") and thing.endswith(" sleep") for thing in left)


def test_a_tag_changes_with_what_an_image_stands_on(images: Images) -> None:
    assert images.tag("ssh-jre") == Images(images.client).tag("ssh-jre")
    assert len({images.tag(name) for name in ("jvm11", "jvm17", "jvm21", "jvm25")}) == 4


def ssh(host: SshHost, user: str, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={host.known_hosts}")
    argv = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(host.key),
        "-p",
        str(host.port),
        *(f"-o{option}" for option in options),
    ]
    return subprocess.run(
        [*argv, f"{user}@{host.host}", command], input=stdin, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", ["ssh_jre", "ssh_jdk"])
def test_the_ssh_host_lets_its_users_in_as_far_as_each_may(name: str, request: pytest.FixtureRequest) -> None:
    host: SshHost = request.getfixturevalue(name)
    assert "Tomcat" in http_get(host.container)[1]
    assert ssh(host, "ops", "sudo -n id -u").stdout == "0\n"
    assert ssh(host, "dev", "sudo -n id -u").returncode != 0
    assert ssh(host, "dev", "sudo -S -p '' id -u", stdin="s3cret pass\n").stdout == "0\n"
    assert ssh(host, "plain", "sudo -n id -u").returncode != 0
    assert ssh(host, "plain", "pgrep -u tomcat -c java").stdout == "1\n"
    assert (ssh(host, "ops", "command -v jcmd").returncode == 0) == (name == "ssh_jdk")


def test_what_changed_in_a_container_is_what_its_engine_says(run_container: RunContainer) -> None:
    container = run_container("jvm17")
    change = (
        "mkdir -p /srv/new/deep && touch '/srv/new/deep/a b' /tmp/made && echo >>/etc/passwd && rm /etc/group"
    )
    assert run(container, "sh", "-c", change, user="0:0") == (0, "")
    container.kill()
    container.wait()
    told = {f"diff {entry['Path']}" for entry in container.diff() if entry["Kind"] != 0}
    assert changes_of(container) == told >= {"diff /srv/new/deep/a b", "diff /etc/group"}
    assert "diff /etc/passwd" not in told
