"""Heap dumps of real JVMs: verified, parsed by a second reader, and nothing left on the target."""

from __future__ import annotations

import gzip
import json
import re
import secrets
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.hprof_read import instances_by_class
from tests.real.containers import LABEL, left_behind, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.images import Images, load
from tests.real.jvmdiag import final_names, jvmdiag, shown_on_a_terminal

JVMS = ("jvm11", "jvm17", "jvm21", "jvm25")
Shared = Callable[[str], Container]


def dump(container: Container, *options: str, home: Path) -> dict[str, Any]:
    """What --json says of a dump that worked; nothing may be left on the target."""
    before = snapshot(container)
    out = str(home / "out")
    run = jvmdiag("heapdump", str(container.name), "--yes", "-o", out, "--json", *options, home=home)
    assert run.exit_code == 0, run.err
    assert left_behind(container, before) == []
    return dict(run.document)


def histogram(container: Container, home: Path) -> dict[str, int]:
    run = jvmdiag("histogram", str(container.name), "--yes", "--json", home=home)
    assert run.exit_code == 0, run.err
    return {row["name"]: row["instances"] for row in run.document["classes"]}


@pytest.mark.parametrize(
    ("image", "options"),
    [
        *((image, ("--view", "host")) for image in JVMS),
        *((image, ("--view", "inside")) for image in JVMS[::3]),
        *((image, ("--view", "inside", "--method", "tools")) for image in JVMS[1:3]),
    ],
)
def test_a_dump_holds_what_the_jvm_counts(
    shared: Shared, image: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    container = shared(image)
    taken = dump(container, *options, home=tmp_path)
    artifact = taken["artifact"]
    raw = gzip.decompress(Path(artifact["path"]).read_bytes())
    assert len(raw) == artifact["raw_bytes"] == taken["says"]["size_bytes"]
    parsed, counted = instances_by_class(raw), histogram(container, tmp_path)
    for name in ("Load$Node", "java.util.HashMap$Node", "[J"):
        # the application goes on living between the two
        assert parsed[name] == pytest.approx(counted[name], rel=0.02), name
    assert all(witness["agrees"] for witness in artifact["witnesses"])
    assert len(artifact["witnesses"]) == 3


@pytest.mark.parametrize(
    "image", cases("tomcat-jre", "shellless", "jre-minimal", long=("tomcat-jdk", "jre-not-pid1"))
)
def test_it_works_with_no_option_given(shared: Shared, image: str, tmp_path: Path) -> None:
    artifact = dump(shared(image), home=tmp_path)["artifact"]
    subprocess.run(["gzip", "-t", artifact["path"]], check=True)
    assert jvmdiag("verify", artifact["path"], home=tmp_path).exit_code == 0


@pytest.mark.parametrize(
    ("image", "jdk"),
    cases(
        ("shellless", "jdk17"),
        ("tomcat-jre", "jdk21-noperl"),
        ("jvm25", "jdk25-noperl"),
        long=(("tomcat-jre", "jdk17"), ("jvm25", "jdk17"), ("shellless", "jdk25-noperl")),
    ),
)
def test_a_jdk_image_brings_the_dump_back(
    shared: Shared, images: Images, image: str, jdk: str, tmp_path: Path
) -> None:
    options = ("--view", "inside", "--method", "jdk-image", "--jdk-image", images.get(jdk))
    assert dump(shared(image), *options, home=tmp_path)["method"] == "jdk-image"


def test_files_are_for_their_owner_only_and_the_manifest_tells_all(
    run_container: RunContainer, tmp_path: Path
) -> None:
    secret = "-Ddb.password=Pl4nted"
    container = run_container("jvm17", command=load(java=(secret, "-Dcatalina.home=/opt")))
    path = Path(dump(container, home=tmp_path)["artifact"]["path"])
    manifest_path = path.with_name(path.name + ".manifest.json")
    assert {stat.S_IMODE(p.stat().st_mode) for p in (path, manifest_path)} == {0o600}
    manifest = json.loads(manifest_path.read_text())
    assert "Pl4nted" not in manifest_path.read_text()
    assert "-Ddb.password=***" in manifest["jvm"]["options"]
    assert manifest["jvm_reported_bytes"] == manifest["raw_bytes"]
    assert manifest["left_behind"] == []
    assert manifest["durations_s"]["dump"] > 0
    assert (
        subprocess.run(["sha256sum", path], capture_output=True, check=True).stdout.split()[0].decode()
        == (manifest["stored_sha256"])
    )


@pytest.mark.parametrize(("codec", "suffix"), [("zstd", ".hprof.zst"), ("none", ".hprof")])
def test_other_codecs(shared: Shared, codec: str, suffix: str, tmp_path: Path) -> None:
    artifact = dump(shared("jvm17"), "--compress", codec, home=tmp_path)["artifact"]
    assert artifact["path"].endswith(suffix)
    assert jvmdiag("verify", artifact["path"], home=tmp_path).exit_code == 0


def test_live_leaves_garbage_out(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    everything = dump(container, home=tmp_path)["artifact"]["raw_bytes"]
    live = dump(container, "--live", home=tmp_path)["artifact"]["raw_bytes"]
    assert live < everything


def test_a_directory_is_named_and_may_have_blanks(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.exec_run(["mkdir", "/tmp/a 'b\" $(id)"], user="1001:1001")
    for view in ("host", "inside"):
        run = jvmdiag(
            "heapdump",
            str(container.name),
            "--yes",
            "--view",
            view,
            "--dump-dir",
            "/tmp/a 'b\" $(id)",
            home=tmp_path,
            env={"PWD": str(tmp_path)},
        )
        # A double quote cannot be told to the JVM's own parser: it is refused before anything is done.
        assert run.exit_code == 2, run.err
    container.exec_run(["mkdir", "/tmp/a 'b $(id)"], user="1001:1001")
    dump(container, "--dump-dir", "/tmp/a 'b $(id)", home=tmp_path)
    dump(container, "--view", "inside", "--dump-dir", "/tmp/a 'b $(id)", home=tmp_path)


def test_a_volume_is_used_where_the_rest_is_read_only(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container(
        "jvm17", read_only=True, tmpfs={"/tmp": "rw,size=4m,mode=1777"}, volumes=["/data"], command=load()
    )
    container.exec_run(["chmod", "1777", "/data"], user="0:0")
    run = jvmdiag("heapdump", str(container.name), "--yes", "-o", str(tmp_path), home=tmp_path)
    assert run.exit_code == 0, run.err
    assert "to /data" in run.err


def test_a_tmpfs_that_would_kill_the_container_is_refused(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container(
        "jvm17",
        command=load("--megabytes", "200", java=("-Xmx300m",)),
        mem_limit="450m",
        read_only=True,
        tmpfs={"/tmp": "rw,mode=1777"},
    )
    run = jvmdiag("heapdump", str(container.name), "--yes", "-o", str(tmp_path / "out"), home=tmp_path)
    assert run.exit_code == 72, run.err
    assert "/tmp (tmpfs" in run.err
    container.reload()
    assert container.status == "running"
    assert final_names(tmp_path / "out") == []


def test_a_directory_that_the_jvm_cannot_write_is_refused(shared: Shared, tmp_path: Path) -> None:
    container = shared("jvm17")
    before = snapshot(container)
    out = tmp_path / "out"
    options = ("--yes", "--dump-dir", "/etc", "-o", str(out))
    run = jvmdiag("heapdump", str(container.name), *options, home=tmp_path)
    assert run.exit_code == 51, run.err
    assert "/etc (overlay, not writable)" in run.err
    assert final_names(out) == []
    assert left_behind(container, before) == []


def test_keep_leaves_it_and_says_where(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    run = jvmdiag(
        "heapdump", str(container.name), "--yes", "--keep", "--json", "-o", str(tmp_path), home=tmp_path
    )
    [left] = run.document["left_behind"]
    there: Any = container.exec_run(["stat", "-c", "%s", left["where"]])
    assert int(there.output) == run.document["artifact"]["raw_bytes"]


def test_without_a_terminal_it_wants_a_yes(shared: Shared, tmp_path: Path) -> None:
    run = jvmdiag("heapdump", str(shared("jvm17").name), "-o", str(tmp_path / "out"), home=tmp_path)
    assert run.exit_code == 70
    assert "--yes" in run.err
    assert final_names(tmp_path / "out") == []


def test_a_dry_run_does_nothing(shared: Shared, tmp_path: Path) -> None:
    container = shared("tomcat-jre")
    before = snapshot(container)
    run = jvmdiag("heapdump", str(container.name), "--dry-run", "-o", str(tmp_path / "out"), home=tmp_path)
    assert run.exit_code == 0, run.err
    assert "GC.heap_dump -all" in run.out
    assert "risk:" in run.out
    assert left_behind(container, before) == []
    assert not (tmp_path / "out").exists()


def test_a_dry_run_starts_no_sidecar_and_says_that_one_would_be(
    shellless: Container, images: Images, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    image = images.get("jdk17")
    since = int(time.time())
    for command in ("heapdump", "threaddump", "histogram"):
        options = ("--dry-run", "--view", "inside", "--jdk-image", image)
        run = jvmdiag(command, str(shellless.name), *options, home=tmp_path)
        assert run.exit_code == 0, run.err
        assert f"--pid container:{shellless.name} {image}" in run.out
    made = docker_client.events(
        since=since, until=int(time.time()) + 1, filters={"event": "create"}, decode=True
    )
    # One of the tests' own may have been made in the same second.
    attributes = [event["Actor"]["Attributes"] for event in made]
    assert [one for one in attributes if LABEL not in one] == []


@pytest.mark.parametrize("view", cases("host", long=("inside",)))
def test_the_bar_moves_while_a_jvm_writes_its_parts(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    container = run_container("jvm25", command=load("--megabytes", "300", java=("-Xmx900m",)))
    # A fast machine would have it written between two looks.
    container.update(cpu_period=100_000, cpu_quota=30_000)
    before = snapshot(container)
    options = ("--yes", "--view", view, "-o", str(tmp_path / "out"))
    shown = shown_on_a_terminal("heapdump", str(container.name), *options, home=tmp_path)
    while_it_wrote = re.findall(r"the JVM writes: +(\d+)%", shown)
    assert len(set(while_it_wrote)) > 1, shown
    while_it_came = re.findall(r"heap dump: +(\d+)%", shown.rpartition("the JVM writes")[2])
    assert len(set(while_it_came)) > 1, shown
    assert left_behind(container, before) == []


@pytest.mark.parametrize("view", ["host", "inside"])
def test_a_tmp_that_is_a_link_does_not_lead_out_of_the_container(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    # This machine may have a directory of any common name.
    data = f"/data-{secrets.token_hex(4)}"
    link = f"rm -rf /tmp && mkdir -m 1777 {data} && ln -s {data} /one && ln -s one/. /tmp"
    run = f"{link} && exec setpriv --reuid=1001 --regid=1001 --clear-groups java -cp /opt/load Load"
    container = run_container("jvm17", entrypoint=["sh", "-c", run], user="0:0")
    taken = dump(container, "--view", view, home=tmp_path)
    assert taken["method"] == "direct"
    assert not Path(data).exists()
