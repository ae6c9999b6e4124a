"""Snapshots of containers in which nothing can be executed: paused, and ended."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.snapshot_still import StillTimeline
from jvmdiag.collect.snapshot_taking import Taking
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import stopped_container
from jvmdiag.snapshot.item import Risk
from jvmdiag.target import DockerTarget, parse_target
from jvmdiag.transfer.bundle import PARTIAL, Folder
from tests.real.containers import Containers, changes_of
from tests.real.fixtures import RunContainer
from tests.real.jvmdiag import jvmdiag
from tests.real.test_snapshot import SECRET, looked_at, names, take, taken, why

ENVIRONMENT = {"CATALINA_OPTS": f"-Dapp.password={SECRET} -Xmx300m", "DB_PASSWORD": SECRET}
PLANTED = """
echo boom >/tmp/hs_err_pid7.log
ln -s /etc/passwd /tmp/hs_err_pid8.log
mkdir /tmp/core /data/logs
echo there >/data/logs/app.log
seq 600000 >/data/logs/big.log
"""


def planted(container: Container) -> Container:
    assert container.exec_run(["sh", "-c", PLANTED], user="0:0")[0] == 0
    return container


@pytest.fixture(scope="module")
def paused(session_containers: Containers) -> Iterator[Container]:
    container = planted(session_containers.run("tomcat-jre", environment=ENVIRONMENT, volumes=["/data"]))
    container.pause()
    yield container
    container.unpause()


def texts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz")
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8", "replace") for path in files}


def test_of_a_paused_one_root_on_the_host_sees_all_but_what_the_jvm_says(
    paused: Container, tmp_path: Path
) -> None:
    before, target = changes_of(paused), str(paused.name)
    folder, manifest = take(target, "--fetch-found", "--heap", "--yes", home=tmp_path, exit_code=65)
    fetched = jvmdiag("fetch", target, "/tmp/hs_err_pid7.log", "-o", str(tmp_path), home=tmp_path)
    assert changes_of(paused) == before
    paused.reload()
    assert paused.status == "paused"
    assert fetched.exit_code == 0, fetched.err
    assert names(manifest, "failed") == {"thread dump 1"}
    assert "is paused" in why(manifest, "thread dump 1")
    assert "is paused" in why(manifest, "heap dump")
    of_kernel = {"limits", "status", "cgroup", "mounts", "kernel threads", "sockets"}
    of_files = {"files", "container log", "/tmp/hs_err_pid7.log"}
    assert {"metrics before", "metrics after", "inspect"} | of_kernel | of_files <= taken(manifest)
    assert manifest["took_s"] < 60
    found = texts(folder)
    assert SECRET not in "".join(text for name, text in found.items() if not name.startswith("logs/"))
    assert any(name.startswith("logs/tomcat-catalina") for name in found)
    assert '"http-nio-8080-P' in found["threads-kernel.txt"] and "futex" in found["threads-kernel.txt"]
    # 8080 in hexadecimal, listened at.
    assert ":1F90 " in found["sockets.txt"]
    said = json.loads(found["inspect.json"])
    assert said["State"]["Paused"] is True
    assert "DB_PASSWORD=***" in said["Config"]["Env"]
    assert "CATALINA_OPTS=-Dapp.password=*** -Xmx300m" in said["Config"]["Env"]
    assert manifest["jvm"]["main"] == "org.apache.catalina.startup.Bootstrap"
    assert "is paused" in found["summary.md"] and "is paused" in found["index.html"]


def test_of_a_paused_one_its_engine_alone_gives_files_and_log(paused: Container, tmp_path: Path) -> None:
    options = ("--view", "inside", "--fetch-found", "-n", "1")
    folder, manifest = take(str(paused.name), *options, home=tmp_path, exit_code=65)
    assert {"inspect", "files", "container log", "/tmp/hs_err_pid7.log"} <= taken(manifest)
    assert manifest["jvm"] is None
    found = texts(folder)
    assert any(name.startswith("logs/tomcat-catalina") for name in found)
    assert "hs_err_pid8" not in found["found.txt"] and "/tmp/core" not in found["found.txt"]


def test_of_one_that_was_killed_there_is_what_it_left(run_container: RunContainer, tmp_path: Path) -> None:
    tomcat = planted(run_container("tomcat-jre", environment=ENVIRONMENT, volumes=["/data"]))
    tomcat.kill()
    tomcat.wait()
    options = ("--fetch-found", "--jmx", "9010", "-o", str(tmp_path / "out"), "--json")
    run = jvmdiag("snapshot", str(tomcat.name), *options, home=tmp_path)
    assert run.exit_code == 65, run.err
    folder, manifest = looked_at(run, tmp_path)
    assert names(manifest, "failed") == {"thread dump 1", "metrics"}
    assert "has exited" in why(manifest, "thread dump 1")
    assert why(manifest, "metrics").endswith("within the container, which does not run")
    found = texts(folder)
    assert json.loads(found["inspect.json"])["State"]["ExitCode"] == 137
    assert "Server startup" in found["logs/container.log"]
    [catalina] = [text for name, text in found.items() if name.startswith("logs/tomcat-catalina")]
    assert "Server startup" in catalina
    assert found["logs/tomcat-app.log"] == "there\n"
    assert (folder / "found/hs_err_pid7.log.gz").is_file()
    assert "has exited (exit code 137)" in found["summary.md"]
    check_late(str(tomcat.name), tmp_path / "late")


def check_late(name: str, output: Path) -> None:
    """Of a log of 4 MB that is given out too slowly, what came is kept, and which part of it that is."""
    job = Job(parse_target(name), output=output)
    run = Taking(job, Risk.LIGHT, Progress(), Folder(output, "snap"), time.monotonic())
    with stopped_container(DockerTarget(name), Access(), Journal()) as place:
        StillTimeline(run, place, "it has ended", 1000, redact=False, log_bound_s=0.0).all()
    [log] = [one for one in run.entries if one.name == "tomcat log big.log"]
    first, last, size = (int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", log.note)[:3])
    lines = (run.folder.path / log.file).read_text()
    whole = "".join(f"{n}\n" for n in range(1, 600_001))
    assert (log.status, size, lines) == (PARTIAL, len(whole), whole[first:last])
    # No more was waited for than one small piece.
    assert 0 < first < last == 1 << 16 and lines == whole[:last][-1000:].partition("\n")[2]
    assert hashlib.sha256(lines.encode()).hexdigest() == log.sha256
    assert f"jvmdiag fetch docker://{name} /data/logs/big.log" in log.why
