"""Figures of Apache, from pages that a real one gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.metrics.apache import (
    DEFAULT_URL,
    ServerStatus,
    apache_group,
    parse_server_status,
    status_of,
)
from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import NoPage, Page, Why
from jvmdiag.metrics.look import Process

DATA = Path(__file__).parents[2] / "data/servers"
PROCESSES = (
    Process(1, "sh", "S", 0, 1),
    Process(7, "apache2", "S", 1, 1),
    Process(8, "apache2", "S", 7, 27),
    Process(9, "java", "S", 1, 40),
)


def status(name: str) -> ServerStatus:
    found = parse_server_status((DATA / name).read_text())
    assert found is not None
    return found


LIMITS = """\
Max processes             63432                96365                processes
Max open files            8192                 524288               files
"""


def of(before: ServerStatus | None, after: ServerStatus | None, seconds: float = 2.0) -> Group:
    return apache_group(before, after, seconds, PROCESSES, (), LIMITS)


def test_rates_are_between_two_readings_without_the_reading_itself() -> None:
    group = of(status("apache-event-1.txt"), status("apache-event-2.txt"))
    # 20 accesses and 26, one of them the page itself; 215 kB and 270.
    assert group.one("apache.requests.rate") == 5 / 2
    assert group.one("apache.sent.rate") == 55 * 1024 / 2
    assert group.one("apache.requests.since_start") == pytest.approx(1.36842, rel=1e-5)
    assert group.one("apache.sent.since_start") == pytest.approx(14551.6, rel=1e-5)


def test_workers_are_the_slots_of_the_scoreboard() -> None:
    group = of(None, status("apache-event-2.txt"))
    assert (group.one("apache.workers.busy"), group.one("apache.workers.idle")) == (1, 49)
    # As in its configuration: MaxRequestWorkers 150.
    assert group.one("apache.workers.max") == 150
    assert group.one("apache.workers.busy_share") == 1 / 150
    states = {one.label("state"): one.value for one in group.all("apache.scoreboard")}
    assert states == {"waiting": 49, "sending": 1, "open": 100}
    assert group.one("apache.connections") == group.one("apache.connections.keepalive") == 0
    assert group.one("apache.uptime") == 19


def test_prefork_has_no_connections_to_tell() -> None:
    group = of(None, status("apache-prefork.txt"))
    assert (group.one("apache.workers.busy"), group.one("apache.workers.max")) == (1, 150)
    assert group.one("apache.connections") is None


def test_one_reading_gives_no_rates() -> None:
    group = of(None, status("apache-event-2.txt"))
    assert group.one("apache.requests.rate") is None
    assert group.one("apache.requests.since_start") is not None


def test_a_restart_meanwhile_gives_no_rates() -> None:
    group = of(status("apache-event-2.txt"), status("apache-event-1.txt"))
    assert group.one("apache.requests.rate") is None
    assert group.one("apache.sent.rate") is None


def test_nobody_else_asked_is_no_requests() -> None:
    before = status("apache-event-1.txt")
    assert of(before, replace(before, accesses=21)).one("apache.requests.rate") == 0


def test_without_extended_status_it_says_so() -> None:
    text = (DATA / "apache-event-2.txt").read_text()
    bare = parse_server_status("\n".join(line for line in text.splitlines() if "Total" not in line))
    group = of(bare, bare)
    assert group.one("apache.requests.rate") is None
    assert group.one("apache.workers.busy") == 1
    assert any("ExtendedStatus" in line for line in group.unseen)


def test_processes_are_counted_also_without_the_page() -> None:
    group = apache_group(None, None, 1.0, PROCESSES, ("why not",))
    assert (group.one("apache.processes"), group.one("apache.threads")) == (2, 28)
    assert group.unseen == ("why not",)
    assert apache_group(None, None, 1.0, PROCESSES[:1], ()).figures == ()


def test_another_page_is_none() -> None:
    came = status_of(Page("<html>Apache Status</html>", "perl"), DEFAULT_URL)
    assert isinstance(came, NoPage) and came.why is Why.OTHER
    assert "?auto" in came.text
    gone = NoPage(Why.NOBODY, "nobody")
    assert status_of(gone, DEFAULT_URL) is gone


def test_every_figure_is_in_the_catalogue() -> None:
    made = of(status("apache-event-1.txt"), status("apache-event-2.txt"))
    assert {one.name for one in made.figures} == {
        one.name for one in described().values() if one.group == "apache"
    }
    labels = {one.name: one.labels for one in described().values()}
    assert all(tuple(key for key, _ in one.labels) == labels[one.name] for one in made.figures)


def test_its_limits_are_those_of_its_own_process() -> None:
    group = of(None, status("apache-event-2.txt"))
    assert (group.one("apache.limit.files.soft"), group.one("apache.limit.files.hard")) == (8192, 524288)
    assert (group.one("apache.limit.processes.soft"), group.one("apache.limit.processes.hard")) == (
        63432,
        96365,
    )
