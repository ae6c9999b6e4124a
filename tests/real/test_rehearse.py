"""A heap dump under load, by a real Locust on a real JVM."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.real.containers import left_behind, published_port, snapshot
from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.jvmdiag import jvmdiag

OWN = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def visit(self):
        self.client.get("/ours", name="our page")
"""


def test_each_kind_of_request_has_its_figures_before_during_and_after(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "300", java=("-Xmx700m",)))
    before = snapshot(container)
    url = f"http://127.0.0.1:{published_port(container)}/orders"
    out = tmp_path / "out"
    options = ("--url", url, "--scenario", "mixed", "--users", "8", "--before", "4", "--after", "4")
    run = jvmdiag("rehearse", str(container.name), *options, "--yes", "-o", str(out), home=tmp_path)
    assert run.exit_code == 0, run.err
    dump, document, picture = (Path(line) for line in run.out.split())
    assert dump.name.endswith(".hprof.gz") and dump.exists()
    assert picture.read_bytes().startswith(b"\x89PNG")
    for file in (document, picture):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    came = json.loads(document.read_text())
    assert came["schema"] == "jvmdiag.rehearsal/1"
    names = [endpoint["name"] for endpoint in came["endpoints"]]
    assert names == ["all", "DELETE /orders", "GET /orders", "POST /orders"]
    pause_s = came["dump"]["pause"]["seconds"]
    for endpoint in came["endpoints"]:
        assert endpoint["before"]["requests"] > 20
        assert endpoint["after"]["requests"] > 20
        assert endpoint["before"]["failures"] == endpoint["after"]["failures"] == 0
        assert endpoint["before"]["p99_s"] is not None
    # Whoever called while the JVM stood still waited about as long.
    everything = came["endpoints"][0]
    assert everything["during"]["longest_s"] == pytest.approx(pause_s, abs=0.5)
    assert everything["during"]["longest_s"] > everything["before"]["p95_s"]
    # Requests before, by their own times in the file.
    first = min(row[0] for row in came["requests"])
    own = sum(row[0] < 0 for row in came["requests"]) / -first
    assert everything["before"]["per_s"] == pytest.approx(own, rel=0.02)
    assert "ENDPOINT" in run.err and "GET /orders" in run.err
    assert left_behind(container, before) == []


@pytest.mark.long
def test_a_locustfile_of_ones_own_is_taken(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    own = tmp_path / "requests.py"  # a name that a package of ours or of Locust's has as well
    own.write_text(OWN)
    url = f"http://127.0.0.1:{published_port(container)}"
    options = ("--url", url, "--locustfile", str(own), "--users", "2", "--before", "2", "--after", "1")
    run = jvmdiag(
        "rehearse",
        str(container.name),
        *options,
        "--json",
        "--yes",
        "-o",
        str(tmp_path / "out"),
        home=tmp_path,
    )
    assert run.exit_code == 0, run.err
    assert [endpoint["name"] for endpoint in run.document["endpoints"]] == ["all", "GET our page"]
    assert run.document["scenario"] == "requests.py"


def test_where_nobody_answers_no_dump_is_taken(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    before = snapshot(container)
    out = tmp_path / "out"
    url = "http://127.0.0.1:9/"
    run = jvmdiag("rehearse", str(container.name), "--url", url, "--yes", "-o", str(out), home=tmp_path)
    assert run.exit_code == 80, run.err
    assert list(out.glob("*")) == []
    assert left_behind(container, before) == []


def test_a_load_that_leaves_this_machine_is_asked_for(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    run = jvmdiag(
        "rehearse", str(container.name), "--url", "http://192.0.2.1/", "-o", str(tmp_path), home=tmp_path
    )
    assert run.exit_code == 70, run.err
    assert "http://192.0.2.1/" in run.err
