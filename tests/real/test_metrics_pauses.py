"""Figures of collections and safepoints, beside the JVM's own log of them."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.shown import checked, metrics

# A young collection that begins a concurrent cycle, with its Remark and its Cleanup, again and again.
PERIODIC = ("-XX:+UseG1GC", "-XX:G1PeriodicGCInterval=150", "-Xlog:gc,safepoint", "-Xmx200m")


def test_collections_and_safepoints_are_those_of_the_jvms_log(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("jvm17", command=load("--megabytes", "8", java=PERIODIC))

    def logged() -> str:
        return bytes(container.logs()).decode()

    while logged().count("Pause Cleanup") < 3:
        time.sleep(0.1)
    first, started = len(logged()), time.monotonic()
    shown = metrics(str(container.name), "--interval", "4", home=tmp_path)
    log, took = logged()[first:], time.monotonic() - started

    def pauses(pattern: str) -> list[float]:
        return [float(ms) / 1000 for ms in re.findall(rf"{pattern}.* ([\d.]+)ms", log)]

    young, cycle = pauses("Pause Young"), pauses("Pause (?:Remark|Cleanup)")
    stops = [int(ns) / 1e9 for ns in re.findall(r"Safepoint .*Total: +(\d+) ns", log)]
    rate, share = len(young) / took, sum(young) / took
    checked("jvm.gc.minor.collections", shown.one("jvm.gc.minor.collections"), rate, by="-Xlog:gc", rel=0.4)
    checked("jvm.gc.minor.time", shown.one("jvm.gc.minor.time"), share, by="-Xlog:gc", rel=0.5)
    rate, share = len(cycle) / took, sum(cycle) / took
    ours = shown.one("jvm.gc.concurrent.collections"), shown.one("jvm.gc.concurrent.time")
    checked("jvm.gc.concurrent.collections", ours[0], rate, by="-Xlog:gc: Remark, Cleanup", rel=0.4)
    checked("jvm.gc.concurrent.time", ours[1], share, by="-Xlog:gc: Remark, Cleanup", rel=0.5)
    rate, share = len(stops) / took, sum(stops) / took
    checked("jvm.safepoint.count", shown.one("jvm.safepoint.count"), rate, by="-Xlog:safepoint", rel=0.4)
    checked("jvm.safepoint.time", shown.one("jvm.safepoint.time"), share, by="-Xlog:safepoint", rel=0.5)
