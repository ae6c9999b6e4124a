"""Figures under Datadog's names."""

from __future__ import annotations

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.metrics.datadog import Address, Agent, address_of, gauges
from jvmdiag.metrics.figure import Group, Metrics, figure


def test_a_figure_goes_by_datadogs_name_in_datadogs_unit() -> None:
    figures = (
        figure("cpu.user", 0.25),
        figure("memory.total", 1 << 30),
        figure("disk.used", 2048, mount="/a|b, c", type="xfs"),
        figure("cpu.running", 3),
    )
    metrics = Metrics("docker://web", "2026-03-01T12:00:00Z", 1.0, (Group("cpu", figures),))
    sent = {gauge.name: gauge for gauge in gauges(metrics)}
    assert sent["system.cpu.user"].value == 25
    assert sent["system.mem.total"].value == 1024
    assert sent["system.disk.used"].value == 2
    # Its own separators would end a tag.
    assert sent["system.disk.used"].tags == ("target:docker://web", "mount:/a_b_c", "type:xfs")
    assert len(sent) == 3


def test_what_is_there_whole_is_not_sent_in_parts() -> None:
    figures = (
        figure("cpu.steal", 0.5),
        figure("cpu.steal", 0.2, core="0"),
        figure("cpu.steal", 0.8, core="1"),
    )
    metrics = Metrics("docker://web", "2026-03-01T12:00:00Z", 1.0, (Group("cpu", figures),))
    assert [(one.name, one.value) for one in gauges(metrics)] == [("system.cpu.stolen", 50)]


def test_a_rate_that_two_sources_tell_is_sent_once() -> None:
    log = Group("requests", (figure("requests.rate", 49), figure("requests.now", 49, source="access log")))
    page = Group("tomcat", (figure("tomcat.requests.rate", 50, connector="http-nio-8080"),))
    for groups, value in (((log, page), 50), ((log,), 49)):
        metrics = Metrics("docker://web", "2026-03-01T12:00:00Z", 1.0, groups)
        assert [(one.name, one.value) for one in gauges(metrics)] == [("tomcat.request_count", value)]


def test_a_name_without_an_address_is_an_error() -> None:
    with pytest.raises(BadRequest, match="has no address"):
        Agent(Address("a..b", 8125))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8125", Address("127.0.0.1", 8125)),
        ("[::1]:8125", Address("::1", 8125)),
        ("agent:1", Address("agent", 1)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["agent", ":8125", "agent:", "agent:0", "agent:65536", "agent:x"])
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(BadRequest):
        address_of(text)
