"""The pause that jvmdiag reports, beside the JVM's own -Xlog:safepoint."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.fixtures import RunContainer, cases
from tests.real.images import load
from tests.real.jvmdiag import jvmdiag

# 11 says it once for each stop, in seconds; 17 and later in nanoseconds.
_STOPPED_11 = re.compile(rb"application threads were stopped: ([\d.]+) seconds")
_TOTAL = re.compile(rb'Safepoint "(\w+)",.* Total: +(\d+) ns')
# What 17 and later call the safepoints of our questions, the tests' own included; 11 names none.
_OURS = {"histogram": "GC_HeapInspection", "heapdump": "HeapDumper"}


Stop = tuple[str, float]
_END_OF_DUMP = b"JNI global refs"


def stops(container: Container) -> list[Stop]:
    """Name and seconds of every safepoint so far, as the JVM logged them."""
    log = bytes(container.logs())
    unnamed = [("", float(seconds)) for seconds in _STOPPED_11.findall(log)]
    return unnamed or [(name.decode(), int(ns) / 1e9) for name, ns in _TOTAL.findall(log)]


def taken_by(container: Container, home: Path, *command: str) -> tuple[dict[str, Any], list[Stop]]:
    """The pause that was reported, and what the log says of the same time."""
    until_logged(container)
    before = len(stops(container))
    run = jvmdiag(command[0], str(container.name), "--json", *command[1:], home=home)
    assert run.exit_code == 0, run.err
    document = run.document
    found = document["dumps"][0] if "dumps" in document else document
    assert found["pause"] is not None
    until_logged(container)
    return dict(found["pause"]), stops(container)[before:]


def until_logged(container: Container) -> None:
    """Until all that the JVM has logged by now came through the engine: a thread dump is written behind it."""
    dumps = container.logs().count(_END_OF_DUMP)
    container.kill("QUIT")
    until = time.monotonic() + 60
    while container.logs().count(_END_OF_DUMP) == dumps:
        assert time.monotonic() < until, "the JVM writes no thread dump"
        time.sleep(0.02)


COLLECTORS = {
    "jvm11": ("G1", "Parallel", "Serial"),
    "jvm17": ("G1", "Parallel", "Serial", "Z"),
    "jvm21": ("G1", "Parallel", "Serial", "Z"),
    "jvm25": ("G1", "Parallel", "Serial", "Z"),
}
SHOWN = (
    ("jvm11", "G1"),
    ("jvm17", "G1"),
    ("jvm17", "Serial"),
    ("jvm21", "Z"),
    ("jvm25", "G1"),
    ("jvm25", "Parallel"),
)


@pytest.mark.parametrize(
    ("image", "collector"),
    # Each version, and each collector, at least once.
    cases(*SHOWN, long=tuple((i, gc) for i, gcs in COLLECTORS.items() for gc in gcs if (i, gc) not in SHOWN)),
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
        ("histogram", "--yes"),
        ("heapdump", "--yes", "-o", str(tmp_path)),
    ):
        pause, logged = taken_by(container, tmp_path, *command)
        assert pause["seconds"] == pytest.approx(nearest(pause, logged), rel=0.01, abs=0.001)
        assert 0 <= pause["reaching_s"] <= pause["seconds"]
        if image != "jvm11" and command[0] in _OURS and pause["exact"]:
            assert pause["seconds"] == pytest.approx(own(command[0], logged), rel=0.01, abs=0.0001)


def nearest(pause: dict[str, Any], logged: list[Stop]) -> float:
    """What fell in before the first reading or behind the second one is in the log too."""
    count = pause["safepoints"]
    windows = [sum(s for _, s in logged[at : at + count]) for at in range(len(logged) - count + 1)]
    return min(windows, key=lambda seconds: abs(seconds - pause["seconds"]))


def own(command: str, logged: list[Stop]) -> float:
    """The seconds of the one safepoint that was our question's."""
    [seconds] = [seconds for name, seconds in logged if name == _OURS[command]]
    return seconds


@pytest.mark.parametrize(
    ("image", "collector"),
    cases(("jvm25", "G1"), long=(("jvm17", "G1"), ("jvm17", "Serial"), ("jvm21", "Parallel"))),
)
def test_a_jvm_that_collects_all_the_time_is_never_said_to_be_exact_when_it_is_not(
    run_container: RunContainer, image: str, collector: str, tmp_path: Path
) -> None:
    java = (f"-XX:+Use{collector}GC", "-Xmx400m", "-Xlog:safepoint=info:stdout")
    container = run_container(image, command=load("--megabytes", "96", "--churn", java=java))
    seen = {True: 0, False: 0}
    # Where no collection ever fell in, nothing was shown.
    while seen[False] == 0 or sum(seen.values()) < 4:
        assert sum(seen.values()) < 60, "no collection fell in"
        pause, logged = taken_by(container, tmp_path, "histogram", "--yes")
        seen[pause["exact"]] += 1
        ours = own("histogram", logged)
        if pause["exact"]:
            assert pause["seconds"] == pytest.approx(ours, rel=0.01, abs=0.0001)
        else:
            assert pause["seconds"] >= ours * 0.99 - 0.0001
