"""What a capture really cost, beside what a load generator, an access log and the JVM itself say of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.containers import SshHost, home_of, http_get, left_behind, published_port, snapshot
from tests.real.fixtures import RunContainer, cases
from tests.real.images import Images
from tests.real.jvmdiag import jvmdiag
from tests.real.shown import ATTEMPTS

GENERATOR = Path(__file__).with_name("load_generator.py")
FILL = Path(__file__).with_name("recipes") / "fill.jsp"
RATE = 200.0
NO_SAFEPOINTS_OF_ITS_OWN = "-Xlog:safepoint -XX:+UnlockDiagnosticVMOptions -XX:GuaranteedSafepointInterval=0"


@dataclass(frozen=True)
class Load:
    """What a load generator has done so far, by its own account."""

    log: Path

    def count(self, begin_s: float, end_s: float) -> int:
        """How many requests ended in that time, which is Unix time."""
        return sum(begin_s <= ended < end_s for ended, _, _ in self.lines())

    def longest_s(self, since_s: float) -> float:
        """Of those that ended since then, which is Unix time."""
        return max(took for ended, took, _ in self.lines() if ended >= since_s)

    def lines(self) -> list[tuple[float, float, int]]:
        fields = [line.split() for line in self.log.read_text().splitlines() if line.count(" ") == 2]
        return [(float(ended), float(took), int(status)) for ended, took, status in fields]


@contextmanager
def load_on(container: Container, folder: Path, warm_s: float = 3) -> Iterator[Load]:
    """Four users who ask for 200 pages a second; they have done so for `warm_s` when this begins."""
    log = folder / "load"
    words = [str(published_port(container)), "/", str(RATE), "600"]
    with (
        log.open("wb") as out,
        subprocess.Popen([sys.executable, str(GENERATOR), *words], stdout=out) as process,
    ):
        try:
            time.sleep(warm_s)
            yield Load(log)
        finally:
            process.kill()


def filled_tomcat(run_container: RunContainer, megabytes: int) -> Container:
    """A Tomcat with so much on its heap, warm, and with its own access log."""
    container = run_container("tomcat-jre", environment={"JAVA_OPTS": "-Xmx1500m"})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(FILL, "fill.jsp")
    assert container.put_archive("/var/lib/tomcat10/webapps/ROOT", archive.getvalue())
    status, said = http_get(container, f"/fill.jsp?megabytes={megabytes}", timeout_s=60)
    assert (status, said.strip()) == (200, "filled")
    return container


def manifest_in(folder: Path) -> dict[str, Any]:
    [path] = folder.glob("*.manifest.json")
    return dict(json.loads(path.read_text()))


@pytest.mark.parametrize("view", cases("host", long=("inside",)))
def test_requests_before_and_during_are_those_of_the_load_generator(
    run_container: RunContainer, view: str, tmp_path: Path
) -> None:
    # A pause that is longer than the time between two looks, also on a fast machine.
    container = filled_tomcat(run_container, 700)
    before = snapshot(container)
    with load_on(container, tmp_path) as load:
        for attempt in range(ATTEMPTS):
            out = tmp_path / f"out{attempt}"
            options = ("--sample", "--yes", "--view", view, "-o", str(out))
            run = jvmdiag("heapdump", str(container.name), *options, home=tmp_path)
            assert run.exit_code == 0, run.err
            manifest = manifest_in(out)
            cost, pause = manifest["cost"], manifest["pause"]
            # A Tomcat that is held up writes its log later than anybody waits for it.
            if "access log" in cost["source"]:
                break
    assert cost["source"].startswith("access log /"), cost["source"]
    assert cost["source"].endswith("timed by TCP segments")
    traffic = cost["traffic"]
    asked = datetime.fromisoformat(cost["asked_at"].replace("Z", "+00:00")).timestamp()
    since = -max(cost["samples"][0]["at_s"], -10)
    own_before = load.count(asked - since, asked) / since
    assert traffic["before_per_s"] == pytest.approx(own_before, rel=0.1)
    own_during = load.count(asked, asked + cost["took_s"]) / cost["took_s"]
    assert traffic["during_per_s"] == pytest.approx(own_during, rel=0.1, abs=0.05 * own_before), cost
    # Each second of the log, the seconds of the pause among them.
    own_seconds = [load.count(asked + s["at_s"], asked + s["at_s"] + 1) for s in cost["logged"]]
    counted = [second["requests"] for second in cost["logged"]]
    assert sum(counted) == pytest.approx(sum(own_seconds), rel=0.1)
    # The traffic stood still as long as the JVM did, as far as a look every 0.4 s can tell.
    assert traffic["still_s"] == pytest.approx(pause["seconds"], abs=0.4)
    assert load.longest_s(asked) == pytest.approx(traffic["still_s"], abs=0.5)
    assert traffic["recovered_s"] is not None
    assert f"requests {traffic['before_per_s']:.0f}/s -> " in run.err
    assert "disk +" in run.err and "now clean" in run.err
    # Watching takes no safepoint, and next to no CPU.
    assert pause["safepoints"] == 1 or not pause["exact"]
    assert 0 < cost["sampling_cpu_s"] < 0.03 * cost["sampled_s"]
    assert left_behind(container, before) == []


def test_watching_is_no_safepoint_and_leaves_nothing(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", environment={"JAVA_TOOL_OPTIONS": NO_SAFEPOINTS_OF_ITS_OWN})
    before = snapshot(container)
    since = bytes(container.logs()).count(b"[safepoint")
    run = jvmdiag("histogram", str(container.name), "--sample", "--json", "--yes", home=tmp_path)
    assert run.exit_code == 0, run.err
    lines = bytes(container.logs()).decode().splitlines()
    taken = [line for line in lines if "[safepoint" in line][since:]
    assert len(taken) == run.document["pause"]["safepoints"] == 1, taken
    assert len(run.document["cost"]["samples"]) >= 5
    assert left_behind(container, before) == []


def test_a_probe_waits_as_long_as_the_jvm_stands_still(run_container: RunContainer, tmp_path: Path) -> None:
    container = filled_tomcat(run_container, 200)
    url = f"http://127.0.0.1:{published_port(container)}/"
    options = ("--yes", "--no-sample", "--probe", url, "--json", "-o", str(tmp_path / "out"))
    run = jvmdiag("heapdump", str(container.name), *options, home=tmp_path)
    assert run.exit_code == 0, run.err
    probe, pause = run.document["cost"]["probe"], run.document["pause"]
    assert probe["errors"] == 0
    held_up_s = probe["longest_s"] - probe["usual_s"]
    assert held_up_s == pytest.approx(pause["seconds"], abs=0.3)
    assert run.document["cost"]["samples"] == []


def test_without_watching_there_is_no_cost_and_no_wait(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    run = jvmdiag(
        "heapdump", str(container.name), "--yes", "--no-sample", "-v", "-o", str(tmp_path), home=tmp_path
    )
    assert run.exit_code == 0, run.err
    assert manifest_in(tmp_path)["cost"] is None
    assert "netstat" not in run.err


def test_a_shellless_container_is_watched_from_its_sidecar(
    run_container: RunContainer, images: Images, tmp_path: Path
) -> None:
    container = run_container("shellless")
    options = ("--sample", "--view", "sidecar", "--jdk-image", images.get("jdk17"), "--yes", "--json")
    run = jvmdiag("histogram", str(container.name), *options, home=tmp_path)
    assert run.exit_code == 0, run.err
    assert len(run.document["cost"]["samples"]) >= 5


@pytest.mark.long
def test_over_ssh_our_own_copy_is_not_taken_for_traffic(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    before = snapshot(ssh_jre.container)
    # By the log alone "before" are ten seconds, whenever the watching began.
    with load_on(ssh_jre.container, tmp_path, warm_s=10) as load:
        options = ("--sample", "--sudo", "--yes", "-o", str(tmp_path / "out"))
        run = jvmdiag("heapdump", ssh_jre.target("ops"), *options, home=home)
    assert run.exit_code == 0, run.err
    cost = manifest_in(tmp_path / "out")["cost"]
    assert cost["source"].startswith("access log /")
    assert "segments" not in cost["source"]
    asked = datetime.fromisoformat(cost["asked_at"].replace("Z", "+00:00")).timestamp()
    own_before = load.count(asked - 2, asked) / 2
    assert cost["traffic"]["before_per_s"] == pytest.approx(own_before, rel=0.1)
    assert 0 < cost["sampling_cpu_s"] < 0.03 * cost["sampled_s"]
    assert left_behind(ssh_jre.container, before) == []
