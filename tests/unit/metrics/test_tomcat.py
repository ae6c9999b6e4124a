"""Figures of Tomcat, from a page of its manager and thread dumps that a real one gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import NoPage, Page, Why
from jvmdiag.metrics.sockets import LISTEN, Socket
from jvmdiag.metrics.tomcat import (
    ManagerStatus,
    manager_status_of,
    manager_url,
    parse_manager_status,
    tomcat_group,
)
from jvmdiag.metrics.tomcat_threads import Pool, pools_of
from tests.unit.metrics.beans import recorded_beans

DATA = Path(__file__).parents[2] / "data"
PAGE = (DATA / "servers/tomcat10-status.xml").read_text()
IDLE = (DATA / "servers/tomcat10-threads.txt").read_text()
BUSY = (DATA / "servers/tomcat10-threads-busy.txt").read_text()
NAME = "http-nio-8080"


def status() -> ManagerStatus:
    found = parse_manager_status(PAGE)
    assert found is not None
    return found


def later(**changes: Any) -> ManagerStatus:
    (one,) = status().connectors
    return ManagerStatus((replace(one, **changes),))


def by_manager(before: ManagerStatus | None, after: ManagerStatus, seconds: float = 2.0) -> Group:
    return tomcat_group(before, after, seconds, None, (), ())


def test_the_managers_page_is_read() -> None:
    group = by_manager(None, status())
    assert group.one("tomcat.threads.busy", connector=NAME) == 1
    assert group.one("tomcat.threads.current", connector=NAME) == 10
    assert group.one("tomcat.threads.max", connector=NAME) == 200
    assert group.one("tomcat.threads.busy_share", connector=NAME) == 1 / 200
    assert group.one("tomcat.requests.total", connector=NAME) == 11
    assert group.one("tomcat.time.max", connector=NAME) == pytest.approx(1.657)
    assert group.one("tomcat.requests.rate") is None
    assert group.unseen == ()


def test_rates_are_between_two_readings_without_the_reading_itself() -> None:
    sent = 4639 + len(PAGE.encode())
    after = later(requests=32, errors=4, received_bytes=100, sent_bytes=sent, processing_ms=2750)
    group = by_manager(status(), after)
    # 11 requests and 32, one of them the page itself, whose bytes are counted behind it.
    assert group.one("tomcat.requests.rate", connector=NAME) == 20 / 2
    assert group.one("tomcat.errors.rate", connector=NAME) == 4 / 2
    assert group.one("tomcat.received.rate", connector=NAME) == 100 / 2
    assert group.one("tomcat.sent.rate", connector=NAME) == 4000 / 2
    assert group.one("tomcat.processing.rate", connector=NAME) == pytest.approx(1.050 / 2)
    assert group.one("tomcat.time.mean", connector=NAME) == pytest.approx(1.050 / 21)


def test_a_connector_that_does_not_serve_the_page_has_all_its_requests() -> None:
    (one,) = status().connectors
    assert one.own_bytes == len(PAGE.encode())
    page = PAGE.replace('stage="S"', 'stage="R"')
    other = parse_manager_status(page)
    assert other and not other.connectors[0].asked_us
    group = by_manager(other, later(requests=31, sent_bytes=4639))
    assert group.one("tomcat.requests.rate") == 20 / 2
    assert group.one("tomcat.sent.rate") == 4000 / 2


def test_a_restart_meanwhile_gives_no_rates() -> None:
    group = by_manager(later(requests=5000), status())
    assert group.one("tomcat.requests.rate") is None
    assert group.one("tomcat.threads.busy") == 1


def test_an_executor_of_ones_own_has_no_largest_number() -> None:
    assert by_manager(None, later(threads_max=-1)).one("tomcat.threads.max") is None


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>Server Status",
        "",
        "<status><connector name='x'/></status>",
        PAGE.replace("maxThreads='200'", "").replace('maxThreads="200"', ""),
        PAGE.replace("<status>", "<!DOCTYPE s [<!ENTITY a 'b'>]><status>"),
    ],
)
def test_another_page_is_none(text: str) -> None:
    came = manager_status_of(Page(text, "perl"), manager_url(()))
    assert isinstance(came, NoPage) and came.why is Why.OTHER


def test_in_a_dump_busy_threads_are_those_that_do_not_wait_in_their_queue() -> None:
    assert pools_of(IDLE) == (Pool(NAME, 10, 0, 1, 1),)
    assert pools_of(BUSY) == (Pool(NAME, 10, 3, 1, 1),)
    group = tomcat_group(None, None, 1.0, BUSY, (), ())
    assert group.one("tomcat.threads.busy", connector=NAME) == 3
    assert group.one("tomcat.threads.current", connector=NAME) == 10
    assert group.one("tomcat.acceptors") == group.one("tomcat.pollers") == 1
    assert group.one("tomcat.threads.max") is None
    assert any("--tomcat-user" in line for line in group.unseen)


def test_names_of_other_kinds_of_connectors_are_known() -> None:
    text = "\n\n".join(
        f'"{name}" #7 daemon prio=5 os_prio=0 tid=0x1 nid=0x2 runnable\n\tat a.B.c(D.java:1)'
        for name in (
            "ajp-nio-127.0.0.1-8009-exec-12",
            "ajp-nio-127.0.0.1-8009-ClientPoller-0",
            "https-jsse-nio-8443-Acceptor-0",
            "catalina-exec-7",
            'my "own" pool-exec-1',
            "pool-1-thread-1",
        )
    )
    assert pools_of(text) == (
        Pool("ajp-nio-127.0.0.1-8009", 1, 1, 0, 1),
        Pool("catalina", 1, 1, 0, 0),
        Pool("https-jsse-nio-8443", 0, 0, 1, 0),
        Pool('my "own" pool', 1, 1, 0, 0),
    )


def test_the_manager_counts_before_the_dump() -> None:
    group = tomcat_group(None, status(), 1.0, BUSY, (), ())
    assert [one.value for one in group.all("tomcat.threads.busy")] == [1]
    assert group.one("tomcat.acceptors") == 1


def test_the_kernels_names_give_how_many_there_are() -> None:
    comms = ["java", "VM Thread", *["http-nio-8080-e"] * 10, "http-nio-8080-P", "http-nio-8080-A"]
    comms += ["catalina-exec-1", "catalina-exec-1", "http-nio-80-exe", "http-nio-80-Pol"]
    group = tomcat_group(None, None, 1.0, None, comms, ())
    counts = {one.label("connector"): one.value for one in group.figures}
    assert counts == {NAME: 10, "catalina": 2, "http-nio-80": 1}
    assert {one.name for one in group.figures} == {"tomcat.threads.current"}
    assert any("dump" in line for line in group.unseen)


def test_a_name_that_the_kernel_cut_too_short_is_said_and_not_guessed() -> None:
    group = tomcat_group(None, None, 1.0, None, ["https-jsse-nio-"] * 12, ())
    assert group.figures == ()
    assert any("https-jsse-nio-" in line and "12" in line for line in group.unseen)


def test_where_there_is_no_tomcat_nothing_is_said() -> None:
    other = (DATA / "threads/jdk17-jcmd.txt").read_text()
    for dump, comms in ((other, ()), (None, ("java", "main", "GC Thread#0"))):
        group = tomcat_group(None, None, 1.0, dump, comms, ())
        assert (group.figures, group.unseen) == ((), ())


SOCKETS = (
    Socket(8080, "0.0.0.0", LISTEN, 2, 4711),
    *(Socket(8080, "10.0.0.7", "ESTABLISHED", 0, 5000 + n) for n in range(5)),
    Socket(8080, "10.0.0.7", "CLOSE_WAIT", 0, 6000),
    # What waits to be accepted is established, and nobody's yet.
    *(Socket(8080, "10.0.0.8", "ESTABLISHED", 80, 0) for _ in range(2)),
    Socket(8080, "10.0.0.9", "TIME_WAIT", 0, 0),
    Socket(5432, "10.0.0.9", "ESTABLISHED", 0, 7000),
)


@pytest.mark.parametrize(
    ("after", "dump", "comms"),
    [(status(), None, ()), (None, IDLE, ()), (None, None, ("http-nio-8080-e",) * 10)],
)
def test_accepted_connections_are_those_of_the_connectors_port(
    after: ManagerStatus | None, dump: str | None, comms: tuple[str, ...]
) -> None:
    group = tomcat_group(None, after, 1.0, dump, comms, (), SOCKETS)
    assert [one.value for one in group.all("tomcat.connections")] == [6]
    assert group.one("tomcat.queue", connector=NAME) == 2


def test_connections_without_a_thread_are_those_that_no_busy_one_serves() -> None:
    # One of the six is served: the page itself.
    group = tomcat_group(None, status(), 1.0, None, (), (), SOCKETS)
    assert group.one("tomcat.connections.without_thread", connector=NAME) == 5
    assert tomcat_group(None, None, 1.0, IDLE, (), (), SOCKETS).one("tomcat.connections.without_thread") == 6
    busy = later(threads_busy=200, threads_current=200)
    assert tomcat_group(None, busy, 1.0, None, (), (), SOCKETS).one("tomcat.connections.without_thread") == 0


def test_where_the_port_is_not_to_be_seen_nothing_is_said_of_connections() -> None:
    for sockets in ((), SOCKETS[1:]):
        assert tomcat_group(None, status(), 1.0, None, (), (), sockets).one("tomcat.connections") is None
    shared = "\n\n".join(f'"catalina-exec-{n}" #7 daemon prio=5 os_prio=0 tid=0x1' for n in (1, 2))
    assert tomcat_group(None, None, 1.0, shared, (), (), SOCKETS).one("tomcat.connections") is None


@pytest.mark.parametrize(
    ("comms", "port"),
    [
        ((), 8080),
        (("java", "http-nio-8080-e", "http-nio-80-exe"), 8080),
        (("http-nio-18081-", "http-nio-9090-A", "ajp-nio-8009-ex"), 9090),
        (("http-nio-127.0.", "https-jsse-nio-"), 8080),
    ],
)
def test_the_manager_is_sought_where_a_connector_is(comms: tuple[str, ...], port: int) -> None:
    assert manager_url(comms) == f"http://127.0.0.1:{port}/manager/status?XML=true"


def test_every_figure_is_in_the_catalogue() -> None:
    more = recorded_beans().figures
    made = tomcat_group(status(), later(requests=20), 1.0, BUSY, (), (), SOCKETS, more)
    assert {one.name for one in made.figures} == {
        one.name for one in described().values() if one.group == "tomcat"
    }
    labels = {one.name: one.labels for one in described().values()}
    assert all(tuple(key for key, _ in one.labels) == labels[one.name] for one in made.figures)
