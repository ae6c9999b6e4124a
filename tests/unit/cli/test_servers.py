"""What the options about Tomcat and Apache mean together."""

from __future__ import annotations

from inspect import signature

import pytest

from jvmdiag.cli import metrics, options, snapshot
from jvmdiag.cli.options import Way
from jvmdiag.errors import BadRequest
from jvmdiag.metrics.http import Credentials


def test_nothing_given_asks_the_jvm_and_no_address() -> None:
    request = Way().servers
    assert (request.credentials, request.jmx, request.jmx_credentials, request.threads) == (
        None,
        None,
        None,
        True,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9010", ("127.0.0.1", 9010)),
        (":9010", ("127.0.0.1", 9010)),
        ("10.1.2.3:9010", ("10.1.2.3", 9010)),
        ("[::1]:9010", ("::1", 9010)),
    ],
)
def test_an_agent_is_a_port_or_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert Way(jmx=text).servers.jmx == expected


@pytest.mark.parametrize(
    "text",
    [
        "nine",
        "0",
        "65536",
        "-1",
        "host:",
        "a b:9010",
        "ops@h:9010",
        "-e:9010",
        "service:jmx:rmi://h:9010",
        "9010 ",
        "\u0669",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="no PORT"):
        _ = Way(jmx=text).servers


def test_each_password_has_a_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JVMDIAG_TOMCAT_PASSWORD", "s3cret")
    monkeypatch.setenv("JVMDIAG_JMX_PASSWORD", "hidd3n")
    request = Way(tomcat_user="ops", jmx_user="monitor").servers
    assert request.credentials == Credentials("ops", "s3cret")
    assert request.jmx_credentials == Credentials("monitor", "hidd3n")
    assert "s3cret" not in repr(request) and "hidd3n" not in repr(request)


def test_without_a_password_and_without_a_terminal_it_is_a_bad_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("JVMDIAG_JMX_PASSWORD", raising=False)
    with pytest.raises(BadRequest, match="no password for monitor"):
        _ = Way(jmx_user="monitor").servers


def test_a_password_that_is_no_text_is_a_bad_request_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # As Python has the bytes of a terminal in another encoding.
    monkeypatch.setenv("JVMDIAG_TOMCAT_PASSWORD", "hunter2-\udce9")
    with pytest.raises(BadRequest, match="not in UTF-8") as raised:
        _ = Way(tomcat_user="ops").servers
    assert "hunter2" not in str(raised.value)
    monkeypatch.setenv("JVMDIAG_TOMCAT_PASSWORD", "hunter2-é")
    assert Way(tomcat_user="ops").servers.credentials == Credentials("ops", "hunter2-é")


def test_a_manager_without_a_user_and_a_url_with_one_are_bad_requests() -> None:
    with pytest.raises(BadRequest, match="asks for a user"):
        _ = Way(tomcat="http://127.0.0.1:8080/manager/status?XML=true").servers
    with pytest.raises(BadRequest, match="--apache has a user in it"):
        _ = Way(apache="http://ops:s3cret@127.0.0.1/server-status?auto").servers


def test_metrics_and_a_snapshot_take_the_same_options_of_servers() -> None:
    given = [signature(one).parameters for one in (metrics.command, snapshot.command)]
    for name in options.SERVERS:
        assert given[0][name] == given[1][name]
