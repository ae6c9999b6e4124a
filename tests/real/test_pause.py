"""The pause that jvmdiag reports, beside the JVM's own -Xlog:safepoint."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.jvmdiag import jvmdiag

# 11 says it once for each stop, in seconds; 17 and later in nanoseconds.
_STOPPED_11 = re.compile(rb"application threads were stopped: ([\d.]+) seconds")
_TOTAL = re.compile(rb'Safepoint "\w+",.* Total: +(\d+) ns')


def stops(container: Container) -> list[float]:
    """The seconds of every safepoint so far, as the JVM logged them."""
    log = bytes(container.logs())
    seconds = [float(found) for found in _STOPPED_11.findall(log)]
    return seconds or [int(found) / 1e9 for found in _TOTAL.findall(log)]


def taken_by(container: Container, home: Path, *command: str) -> tuple[dict[str, Any], list[float]]:
    """The pause that was reported, and what the log says of the same time."""
    before = len(stops(container))
    run = jvmdiag(command[0], str(container.name), "--json", *command[1:], home=home)
    assert run.exit_code == 0, run.err
    # The log goes through the engine.
    until = time.monotonic() + 5
    while len(stops(container)) == before and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.2)
    document = run.document
    found = document["dumps"][0] if "dumps" in document else document
    return dict(found["pause"]), stops(container)[before:]


COLLECTORS = {
    "jvm11": ("G1", "Parallel", "Serial"),
    "jvm17": ("G1", "Parallel", "Serial", "Z"),
    "jvm21": ("G1", "Parallel", "Serial", "Z"),
    "jvm25": ("G1", "Parallel", "Serial", "Z"),
}


@pytest.mark.parametrize(
    ("image", "collector"), [(image, gc) for image, gcs in COLLECTORS.items() for gc in gcs]
)
def test_the_pause_is_that_of_the_jvms_own_log(
    run_container: RunContainer, image: str, collector: str, tmp_path: Path
) -> None:
    java = (f"-XX:+Use{collector}GC", "-Xmx300m", "-Xlog:safepoint=info:stdout")
    container = run_container(image, command=load("--megabytes", "24", java=java))
    # Attaching for the first time starts a thread, and 11 revokes biased locks now and then.
    assert jvmdiag("jcmd", str(container.name), "VM.version", home=tmp_path).exit_code == 0
    for command in (
        ("threaddump", "-o", str(tmp_path)),
        ("histogram",),
        ("heapdump", "--yes", "-o", str(tmp_path)),
    ):
        pause, logged = taken_by(container, tmp_path, *command)
        assert pause["safepoints"] >= 1
        # What fell in before the first reading or behind the second one is in the log too.
        windows = [
            sum(logged[at : at + pause["safepoints"]]) for at in range(len(logged) - pause["safepoints"] + 1)
        ]
        nearest = min(windows, key=lambda seconds: abs(seconds - pause["seconds"]))
        assert pause["seconds"] == pytest.approx(nearest, rel=0.01, abs=0.0001)
        assert 0 <= pause["reaching_s"] <= pause["seconds"] > 0
        assert pause["exact"] == (pause["safepoints"] <= (3 if command[0] == "threaddump" else 1))
