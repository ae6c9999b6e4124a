"""Figures of collections and safepoints, beside the JVM's own log of them."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.shown import checked, metrics
from tests.real.test_metrics import Events, pauses, rates, until_logged

# A young collection that begins a concurrent cycle, with its Remark and its Cleanup, again and again.
PERIODIC = ("-XX:+UseG1GC", "-XX:G1PeriodicGCInterval=150", "-Xlog:gc,safepoint", "-Xmx200m")


def test_collections_and_safepoints_are_those_of_the_jvms_log(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "8", java=PERIODIC))

    def logged() -> str:
        return bytes(container.logs()).decode()

    def young() -> Events:
        return pauses(logged(), "Pause Young")

    def cycle() -> Events:
        return pauses(logged(), "Pause (?:Remark|Cleanup)")

    def stops() -> Events:
        lines = re.findall(r"^\[([\d.]+)s\].*Safepoint .*Total: +(\d+) ns", logged(), re.MULTILINE)
        return [(float(at), int(ns) / 1e9) for at, ns in lines]

    until = time.monotonic() + 120
    while len(cycle()) < 6:
        assert time.monotonic() < until, logged()
        time.sleep(0.1)
    before = [len(events()) - 1 for events in (young, cycle, stops)]
    shown = metrics(str(container.name), "--interval", "4", home=tmp_path)
    after = [until_logged(events) for events in (young, cycle, stops)]
    (collections, time_), (concurrent, concurrent_time), (safepoints, safepoint_time) = (
        rates(events[first:], shown.seconds) for first, events in zip(before, after, strict=True)
    )
    ours = shown.one("jvm.gc.minor.collections"), shown.one("jvm.gc.minor.time")
    checked("jvm.gc.minor.collections", ours[0], collections, by="-Xlog:gc", rel=0.1)
    checked("jvm.gc.minor.time", ours[1], time_, by="-Xlog:gc", rel=0.3)
    ours = shown.one("jvm.gc.concurrent.collections"), shown.one("jvm.gc.concurrent.time")
    checked("jvm.gc.concurrent.collections", ours[0], concurrent, by="-Xlog:gc: Remark, Cleanup", rel=0.1)
    checked("jvm.gc.concurrent.time", ours[1], concurrent_time, by="-Xlog:gc: Remark, Cleanup", rel=0.3)
    ours = shown.one("jvm.safepoint.count"), shown.one("jvm.safepoint.time")
    checked("jvm.safepoint.count", ours[0], safepoints, by="-Xlog:safepoint", rel=0.1)
    checked("jvm.safepoint.time", ours[1], safepoint_time, by="-Xlog:safepoint", rel=0.3)
