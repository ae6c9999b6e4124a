"""The price before it is paid, against real containers: what would kill is refused, and the rest has its finding."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.containers import left_behind, snapshot
from tests.real.fixtures import RunContainer
from tests.real.held import stopped
from tests.real.images import load
from tests.real.jvmdiag import Running, final_names, jvmdiag
from tests.real.piping import until

# Not so little that a dump of 190 MB kills only where what the JVM has of its files counts for it, and not for another.
LIMIT = {"mem_limit": "390m", "memswap_limit": "390m"}
TMPFS = {"/tmp": "rw,mode=1777"}
FULL = load("--megabytes", "180", java=("-Xmx260m", "-XX:+UseSerialGC"))


def checked(container: Container, home: Path, *options: str, exit_code: int = 0) -> dict[str, Any]:
    run = jvmdiag("check", str(container.name), "--json", *options, home=home)
    assert run.exit_code == exit_code, run.out + run.err
    return dict(run.document["price"])


def finding(price: dict[str, Any], subject: str) -> dict[str, Any]:
    """The gravest of that subject."""
    order = ("ok", "risky", "refused")
    found = [f for f in price["findings"] if f["subject"] == subject]
    return dict(max(found, key=lambda f: order.index(f["level"])))


def pid_of(container: Container) -> int:
    container.reload()
    return int(container.attrs["State"]["Pid"])


def test_a_dump_that_kills_its_naive_twin_finds_a_disk(run_container: RunContainer, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"command": FULL, "tmpfs": TMPFS, **LIMIT}
    twin = run_container("jvm17", **settings)
    # As any tool does it that does not look: the dump goes to /tmp.
    naive = ("--yes", "--dump-dir", "/tmp", "--force", "memory", "-o", str(tmp_path / "naive"))
    killed = jvmdiag("heapdump", str(twin.name), *naive, home=tmp_path)
    assert killed.exit_code == 32, killed.err
    assert "OOMKilled" in killed.err
    twin.reload()
    assert twin.attrs["State"]["OOMKilled"]
    assert final_names(tmp_path / "naive") == []

    container = run_container("jvm17", **settings)
    before = snapshot(container)
    run = jvmdiag(
        "heapdump", str(container.name), "--yes", "--json", "-o", str(tmp_path / "out"), home=tmp_path
    )
    assert run.exit_code == 0, run.err
    container.reload()
    assert container.status == "running"
    [manifest] = [json.loads(p.read_text()) for p in (tmp_path / "out").glob("*.manifest.json")]
    assert "/var/tmp" in str(manifest["commands"]) and "/tmp/.jvmdiag-" not in str(run.document)
    assert left_behind(container, before) == []


def test_a_dump_that_would_kill_and_finds_no_disk_is_refused(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=FULL, read_only=True, tmpfs=TMPFS, **LIMIT)
    price = checked(container, tmp_path, exit_code=72)
    refused = finding(price, "memory")
    assert (refused["level"], refused["error"]) == ("refused", "WouldBeKilled")
    assert any(line.startswith("looked at /tmp (tmpfs") for line in refused["advice"])
    before = snapshot(container)
    run = jvmdiag("heapdump", str(container.name), "--yes", "-o", str(tmp_path / "out"), home=tmp_path)
    assert run.exit_code == 72, run.err
    assert "--force memory" in run.err
    assert final_names(tmp_path / "out") == []
    container.reload()
    assert container.status == "running" and not container.attrs["State"]["OOMKilled"]
    assert left_behind(container, before) == []


def test_a_small_tmp_is_told_by_its_size(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container(
        "jvm17", command=load("--megabytes", "100"), read_only=True, tmpfs={"/tmp": "rw,size=64m,mode=1777"}
    )
    refused = finding(checked(container, tmp_path, exit_code=50), "disk")
    assert refused["error"] == "NoSpaceOnTarget"
    assert any("/tmp (tmpfs, 67 MB free)" in line for line in refused["advice"])


@pytest.mark.parametrize("volume", [True, False])
def test_a_read_only_root_needs_a_volume(run_container: RunContainer, tmp_path: Path, volume: bool) -> None:
    settings: dict[str, Any] = {"volumes": ["/data"]} if volume else {}
    container = run_container("jvm17", command=load("--megabytes", "64"), read_only=True, **settings)
    if volume:
        container.exec_run(["chmod", "1777", "/data"], user="0:0")
    price = checked(container, tmp_path, exit_code=40)
    assert finding(price, "jvm")["error"] == "NoMethod"
    assert "its /tmp is read-only" in str(finding(price, "jvm")["advice"])
    assert finding(price, "disk")["level"] == ("ok" if volume else "refused")
    # Without one only the 64 MB of /dev/shm can be written.
    assert price["room"]["directory"] == ("/data" if volume else "/dev/shm")


HEALTH = {"test": ["CMD-SHELL", "exit 0"], "interval": 30_000_000, "timeout": 1_000_000_000, "retries": 3}


def test_a_health_check_shorter_than_the_pause(run_container: RunContainer, tmp_path: Path) -> None:
    # The engine takes nothing below a millisecond: 2 x 30 ms are less than any dump of 200 MB.
    container = run_container("jvm17", command=load("--megabytes", "200"), healthcheck=HEALTH)
    found = finding(checked(container, tmp_path), "health")
    assert found["level"] == "risky"
    assert "marked unhealthy after 60 ms" in found["what"]


def test_a_second_dump_at_the_same_time_is_refused(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load("--megabytes", "600", java=("-Xmx1500m",)))
    before = snapshot(container)
    shm = Path(f"/proc/{pid_of(container)}/root/dev/shm")
    first = Running("heapdump", str(container.name), "--yes", "-o", str(tmp_path / "first"), home=tmp_path)
    until("the lock is there", lambda: list(shm.glob(".jvmdiag-1-*.lock")))
    # It is not over before the second has looked.
    first.signal(signal.SIGSTOP)
    second = jvmdiag("heapdump", str(container.name), "--yes", "-o", str(tmp_path / "second"), home=tmp_path)
    first.signal(signal.SIGCONT)
    assert second.exit_code == 73, second.err
    assert final_names(tmp_path / "second") == []
    assert first.end().exit_code == 0
    assert len(final_names(tmp_path / "first")) == 2
    assert left_behind(container, before) == []
    until("the lock is gone", lambda: not list(shm.iterdir()))


@contextmanager
def growing(dump: Path) -> Iterator[None]:
    """A dump that is written for as long as the context lasts, however long it takes to look at it."""
    over = threading.Event()
    with dump.open("xb", buffering=0) as file:
        file.write(b"JAVA PROFILE 1.0.2\0")

        def write() -> None:
            while not over.wait(0.2):
                file.write(b"\0")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            over.set()
            writer.join()


def test_the_dump_of_somebody_else_is_seen_by_its_growth(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load())
    with growing(Path(f"/proc/{pid_of(container)}/root/tmp/theirs.hprof")):
        found = finding(checked(container, tmp_path, exit_code=73), "others")
    assert "/tmp/theirs.hprof is being written" in found["what"]


def test_a_jvm_with_attach_switched_off_says_where(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load(java=("-XX:+DisableAttachMechanism",)))
    found = finding(checked(container, tmp_path, exit_code=40), "jvm")
    assert "-XX:+DisableAttachMechanism in its command line" in str(found["advice"])


def test_with_xrs_attach_works_and_quit_would_not(run_container: RunContainer, tmp_path: Path) -> None:
    # The JVM opens its socket at its start then.
    container = run_container("jvm17", command=load(java=("-Xrs",)))
    found = finding(checked(container, tmp_path, "--of", "locks"), "jvm")
    assert "by direct" in found["what"]
    assert any(line.startswith("not by quit: ") and "SIGQUIT" in line for line in found["advice"])


def test_a_jvm_that_is_stopped_is_refused_at_once(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", command=load())
    with stopped(pid_of(container)):
        found = finding(checked(container, tmp_path, exit_code=40), "jvm")
    assert "stopped (state T)" in str(found["advice"])


def test_what_was_measured_is_the_next_forecast_and_a_limit_refuses_by_it(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "64"))
    before = snapshot(container)
    name, out = str(container.name), str(tmp_path / "out")
    first = jvmdiag("heapdump", name, "--yes", "--json", "-o", out, home=tmp_path)
    assert first.exit_code == 0, first.err
    forecast = checked(container, tmp_path)["forecast"]
    assert "an earlier one of this target" in forecast["basis"]
    assert forecast["low_s"] < first.document["pause"]["seconds"] < forecast["high_s"]
    refused = jvmdiag("heapdump", name, "--yes", "--max-pause", "1ms", "-o", out, home=tmp_path)
    assert refused.exit_code == 71, refused.err
    forced = jvmdiag(
        "heapdump", name, "--yes", "--max-pause", "1ms", "--force", "pause", "-o", out, home=tmp_path
    )
    assert forced.exit_code == 0, forced.err
    last = sorted((tmp_path / "out").glob("*.manifest.json"))[-1]
    assert json.loads(last.read_text())["forced"][0].startswith("pause: ")
    assert left_behind(container, before) == []


def test_checking_leaves_nothing_and_takes_nothing(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("tomcat-jre")
    before = snapshot(container)
    run = jvmdiag("check", str(container.name), home=tmp_path)
    assert run.exit_code == 0, run.err
    assert "a heap dump can be taken" in run.out
    for subject in ("jvm", "disk", "pause", "health", "others", "here"):
        assert f" {subject} " in run.out
    assert left_behind(container, before) == []


def test_a_histogram_that_is_felt_needs_a_yes(run_container: RunContainer, tmp_path: Path) -> None:
    # Of a heap so small that nobody is asked, however many want a CPU of this machine.
    container = run_container("jvm17", command=load("--megabytes", "1"))
    refused = jvmdiag("histogram", str(container.name), "--live", "--max-pause", "1ms", home=tmp_path)
    assert refused.exit_code == 71, refused.err
    taken = jvmdiag("histogram", str(container.name), "--live", "--json", home=tmp_path)
    assert taken.exit_code == 0, taken.err
    assert taken.document["forecast"]["low_s"] < taken.document["forecast"]["high_s"]
