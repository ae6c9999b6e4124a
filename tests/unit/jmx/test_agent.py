"""Which agents a JVM says it runs."""

from __future__ import annotations

import pytest

from jvmdiag.jmx.agent import agents_of, is_status
from tests.unit.jmx.answers import DATA, JDKS

STATUS = (DATA / "remote-asks-status.txt").read_text()


@pytest.mark.parametrize("jdk", JDKS)
def test_an_agent_with_a_port_has_a_local_one_beside_it_which_comes_first(jdk: str) -> None:
    local, remote = agents_of((DATA / f"{jdk}-status.txt").read_text())
    assert local.local and not remote.local
    assert local.host == remote.host == "127.0.0.1"
    assert not any((local.tls, local.asks, remote.tls, remote.asks))
    assert local.server.port != remote.server.port


def test_a_remote_agent_asks_for_a_password_and_speaks_tls_unless_it_says_no() -> None:
    local, remote = agents_of(STATUS)
    assert (remote.asks, remote.tls) == (True, False)
    assert (local.asks, local.tls) == (False, False)
    _, silent = agents_of(STATUS.replace("jmxremote.ssl = false", "jmxremote.ssl = true [default]"))
    assert silent.tls


def test_an_agent_that_is_bound_to_an_address_is_asked_there() -> None:
    said = "  com.sun.management.jmxremote.host = 10.1.2.3\n"
    at = STATUS.rindex("Properties")
    line = STATUS.index("\n", at) + 1
    local, remote = agents_of(STATUS[:line] + said + STATUS[line:])
    assert (local.host, remote.host) == ("127.0.0.1", "10.1.2.3")


@pytest.mark.parametrize("host", ["-e/tmp/x", "--help", "a b", "$(id)", "a/../b", "h;id"])
def test_an_agent_at_an_address_that_is_none_is_left_out(host: str) -> None:
    said = f"  com.sun.management.jmxremote.host = {host}\n"
    line = STATUS.index("\n", STATUS.rindex("Properties")) + 1
    assert [one.local for one in agents_of(STATUS[:line] + said + STATUS[line:])] == [True]


def test_a_long_answer_takes_no_longer_than_its_length() -> None:
    said = f"  com.sun.management.jmxremote.host = {' ' * 1_000_000}x\n"
    line = STATUS.index("\n", STATUS.rindex("Properties")) + 1
    assert [one.local for one in agents_of(STATUS[:line] + said + STATUS[line:])] == [True]


def test_no_agent_is_told_from_no_answer() -> None:
    assert agents_of("Agent: disabled\n") == ()
    assert is_status("Agent: disabled\n") and is_status(STATUS)
    assert not is_status("java.lang.ClassNotFoundException: jdk.internal.agent.Agent\n")


@pytest.mark.parametrize("broken", ["stub/rO0ABXA=", "stub/rO0", "stub/AAAA", "jndi/rmi://h/x"])
def test_a_url_that_leads_nowhere_is_no_agent(broken: str) -> None:
    assert (
        agents_of(f"Agent: enabled\n\nConnection Type: local\nURL : service:jmx:rmi://127.0.0.1/{broken}\n")
        == ()
    )
