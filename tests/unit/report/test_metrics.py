"""The machine around a JVM as text, and as OpenMetrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from jvmdiag.metrics.cpu import cpu_group
from jvmdiag.metrics.figure import Figure, Group, Level, Metrics, figure
from jvmdiag.metrics.jvm import jvm_group
from jvmdiag.metrics.rules import judged
from jvmdiag.report.metrics import level_of, metrics_text
from jvmdiag.report.metrics_rows import row_head, row_text
from jvmdiag.report.openmetrics import openmetrics_text
from jvmdiag.report.screen import screen_text
from tests.unit.metrics.look_case import recorded


def families_of(text: str) -> list[Any]:
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def busy() -> Metrics:
    before, after = recorded("busy")
    groups = (cpu_group(before, after), jvm_group(before, after, 17))
    return Metrics("docker://web", "2026-03-01T12:00:00.000Z", 2.2, judged(groups))


def test_a_verdict_comes_first_and_the_busiest_threads_below() -> None:
    lines = metrics_text(busy()).splitlines()
    assert lines[0].startswith("docker://web")
    assert lines[1].startswith("CPU      TROUBLE load 7.51 on 2 CPUs")
    assert level_of(lines[1]) is Level.TROUBLE
    assert level_of(lines[2]) is None
    threads = [line.split() for line in lines if "busy-1" in line]
    assert len(threads) == 1 and threads[0][0].isdigit()


def test_a_name_does_not_steer_the_terminal() -> None:
    thread = figure("cpu.thread", 1, tid="7", name="\x1b[2J\x9b\u202e", state="R", wchan="")
    text = metrics_text(
        Metrics("ssh://h", "", 1.0, (Group("cpu", (thread,), ("a page: \x1b]0;x\x07\r\n",)),))
    )
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"\x1b[2J\x9b\u202e" in text and r"not seen: a page: \x1b]0;x\x07\r\n" in text


def test_on_a_small_screen_every_verdict_is_seen_and_the_worst_group_below() -> None:
    [fine] = judged([Group("memory", (figure("memory.available", 2e9), figure("memory.total", 4e9)))])
    metrics = replace(busy(), groups=(fine, *busy().groups))
    assert screen_text(metrics, 200) == metrics_text(metrics)
    lines = screen_text(metrics, 6).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["MEMORY", "CPU", "JVM"]
    assert len(lines) == 6 and lines[4] == lines[2]


def test_a_line_of_many_has_every_column() -> None:
    head, row = row_head(), row_text(busy())
    assert len(head) == len(row)
    assert row.startswith("12:00:00")


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ((figure("requests.rate", 49), figure("tomcat.requests.rate", 50, connector="a")), "50"),
        ((figure("requests.rate", 49), figure("apache.requests.rate", 7)), "49"),
        ((figure("apache.requests.rate", 7),), "7"),
        ((), "-"),
    ],
)
def test_requests_per_second_are_of_the_source_that_is_nearest(
    figures: tuple[Figure, ...], shown: str
) -> None:
    metrics = Metrics("t", "2026-03-01T12:00:00.000Z", 1.0, (Group("requests", figures),))
    column = row_head().split().index("REQ/S")
    assert row_text(metrics).split()[column] == shown


def test_requests_stand_beside_what_came_before() -> None:
    figures = (
        figure("requests.rate", 12),
        figure("requests.seconds", 60),
        figure("requests.errors.rate", 0),
        figure("requests.age", 3),
        *(
            figure(f"requests.{name}", value, source="access log")
            for name, value in (("now", 12), ("before", 118))
        ),
        *(
            figure(f"requests.{name}", value, source="apache")
            for name, value in (("now", 14), ("before", 120))
        ),
    )
    lines = metrics_text(Metrics("t", "", 1.0, (Group("requests", figures),))).splitlines()
    assert [line.split("   ") for line in map(str.strip, lines[2:])] == [
        ["access log: 12/s", "over 1m 0s", "before 118/s", "0 errors/s", "the last was logged 3.0 s ago"],
        ["apache: 14/s", "before 120/s"],
    ]


def test_what_stays_on_the_machine_is_no_traffic() -> None:
    figures = (
        figure("network.received", 5e6, interface="lo"),
        figure("network.received", 3e6, interface="eth0"),
    )
    row = row_text(Metrics("t", "2026-03-01T12:00:00.000Z", 1.0, (Group("network", figures),)))
    assert "3.0MB/s" in row and "8.0MB/s" not in row


def test_openmetrics_are_read_by_prometheus_own_parser() -> None:
    odd = Group("cpu", (figure("cpu.thread", 0.5, tid="7", name='a "b"\\\n', state="R", wchan=""),))
    families = {f.name: f for f in families_of(openmetrics_text([busy()]))}
    assert families["jvmdiag_load_1m"].type == "gauge"
    by_core = {s.labels.get("core", ""): s.value for s in families["jvmdiag_cpu_idle"].samples}
    assert set(by_core) == {"", "0", "1"}
    metrics = Metrics("ssh://h", "", 1.0, (odd,))
    [family] = families_of(openmetrics_text([metrics]))
    assert family.samples[0].labels == {
        "target": "ssh://h",
        "tid": "7",
        "name": 'a "b"\\\n',
        "state": "R",
        "wchan": "",
    }
    assert family.samples[0].value == 0.5
