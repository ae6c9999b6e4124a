"""jvmdiag resume, and a way that breaks: a seeded sample of the soak, on a real sshd, a real engine and real JVMs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from pathlib import Path

import pytest

from jvmdiag.transfer.codec import read_raw
from tests.real.containers import Containers
from tests.real.delay import DelayProxy
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer
from tests.real.images import Images, load
from tests.real.jvmdiag import jvmdiag
from tests.real.soak import (
    HEAP,
    LINE_BYTES_PER_S,
    ROOM,
    Soak,
    both_routes,
    digest,
    ended,
    over_tcp,
    start,
    summary,
)

RUNS = 2
# The line holds 64 MB, and the JVM may take its time: there has to be more to come when it is done.
WHILE_IT_DUMPS_BYTES_PER_S = 2e6


def test_a_sample_of_the_soak(
    engine: Engine, images: Images, session_containers: Containers, tmp_path: Path
) -> None:
    with both_routes(engine, images, session_containers, tmp_path) as routes:
        soak = Soak(routes, tmp_path, seed=4)
        runs = [soak.run(number) for number in range(RUNS)]
    print("\n".join([*map(str, runs), summary(runs)]))
    assert [str(run) + run.words for run in runs if run.lost or run.leftovers] == []
    assert sum(run.identical for run in runs) == RUNS
    assert len({(run.route, run.fault) for run in runs}) == RUNS


def test_a_container_that_ends_while_its_dump_is_copied(
    engine: Engine, run_container: RunContainer, tmp_path: Path
) -> None:
    """The JVM is done with it, and gone; the engine still gives it out."""
    container = run_container("jvm17", command=load(*HEAP, java=ROOM))
    out = tmp_path / "out"
    with DelayProxy(engine.url.removeprefix("unix://"), bytes_per_s=WHILE_IT_DUMPS_BYTES_PER_S) as line:
        route = over_tcp(container, line, tmp_path / "home")
        words = ("heapdump", route.target, *route.options, "--yes", "--retry-for", "1s", "-o", str(out))
        process = start(route, words)
        journal = _told(out, process)
        [there] = route.tmp().glob(".jvmdiag-*.hprof")
        digest_there = hashlib.sha256(there.read_bytes()).hexdigest()
        container.kill()
        line.carry(LINE_BYTES_PER_S)
        run = ended(process)
    assert run.exit_code not in (0, 130), run.err
    assert journal.exists()
    resumed = jvmdiag("resume", str(out), "--json", home=tmp_path)
    assert resumed.exit_code == 0, resumed.err
    assert digest(read_raw(resumed.document["dumps"][0]["artifact"]["path"])) == digest_there
    [left] = resumed.document["dumps"][0]["left_behind"]
    assert left["where"] == f"/tmp/{there.name}"
    assert jvmdiag("resume", str(out), home=tmp_path).exit_code == 0


def test_the_disk_there_is_given_back_while_the_copy_goes_on(
    engine: Engine, run_container: RunContainer, tmp_path: Path
) -> None:
    """And what was given back is not needed by the one who goes on after a kill -9."""
    container = run_container("jvm17", command=load("--megabytes", "250", java=("-Xmx800m",)))
    out = tmp_path / "out"
    with DelayProxy(engine.url.removeprefix("unix://"), bytes_per_s=WHILE_IT_DUMPS_BYTES_PER_S) as line:
        route = over_tcp(container, line, tmp_path / "home")
        process = start(
            route, ("heapdump", route.target, *route.options, "--yes", "--reclaim", "-o", str(out))
        )
        _told(out, process)
        line.carry(LINE_BYTES_PER_S)
        [there] = route.tmp().glob(".jvmdiag-*.hprof")
        until = time.monotonic() + 60
        while there.stat().st_blocks * 512 > there.stat().st_size - (128 << 20):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
        ended(process)
    resumed = jvmdiag("resume", str(out), "--json", home=tmp_path)
    assert resumed.exit_code == 0, resumed.err
    [dump] = resumed.document["dumps"]
    assert dump["here_bytes"] >= 128 << 20
    assert jvmdiag("verify", dump["artifact"]["path"], home=tmp_path).exit_code == 0
    assert list(route.tmp().glob(".jvmdiag-*.hprof")) == []


def _told(out: Path, process: subprocess.Popen[bytes]) -> Path:
    """The journal, once it says that the JVM has written the dump."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        for journal in out.glob("*.journal"):
            if json.loads(journal.read_text())["manifest"]["jvm_reported_bytes"]:
                return journal
        time.sleep(0.01)
    raise AssertionError("the JVM was not done within a minute")


@pytest.mark.parametrize("what", ["nothing here", "no journal"])
def test_what_cannot_be_gone_on_with_is_said(tmp_path: Path, what: str) -> None:
    if what == "nothing here":
        run = jvmdiag("resume", str(tmp_path), home=tmp_path)
        assert (run.exit_code, run.out) == (0, "")
        assert "nothing to go on with" in run.err
        return
    (tmp_path / "a.partial").write_bytes(b"x")
    run = jvmdiag("resume", str(tmp_path / "a.partial"), home=tmp_path)
    assert run.exit_code == 2
    assert "nothing is known of" in run.err
