"""Whether a management agent is used: it is asked about, and never started."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from jvmdiag.collect.agents import ManagementAgents
from jvmdiag.collect.servers import Reading, Servers, ServersRequest
from jvmdiag.hosts.base import Host
from jvmdiag.jmx.agent import STATUS
from jvmdiag.metrics.http import Credentials, NoPage, Vantage, Why
from jvmdiag.metrics.tomcat_jmx import TomcatBeans
from tests.fakes import Answer, Asked, FakeHost
from tests.unit.jmx.answers import DATA, recorded
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.metrics.look_case import look_of
from tests.unit.scenes import on_a_machine

RUNS = (DATA / "jdk17-status.txt").read_text()
ASKS = (DATA / "remote-asks-status.txt").read_text()
REMOTE_ALONE = ASKS[: ASKS.index("Connection Type")] + ASKS[ASKS.rindex("Connection Type") :]
OPS = Credentials("monitor", "seen")
TOMCAT = (recorded("jdk17-connect"), recorded("tomcat10-names"), recorded("tomcat10-attributes"))


def answering(*answers: bytes) -> FakeHost:
    left = list(answers)

    def next_one(asked: Asked) -> Answer:
        return b"perl\n" + left.pop(0)

    return FakeHost({lambda argv: argv[0] == "sh": next_one})


class Asking:
    """Stands where the JVM is asked."""

    def __init__(self, answer: str | NoPage) -> None:
        self.answer = answer
        self.lines: list[str] = []

    def __call__(self, line: str) -> str | NoPage:
        self.lines.append(line)
        return self.answer


def agents(
    host: Host, ask: Asking, address: tuple[str, int] | None = None, credentials: Credentials | None = None
) -> ManagementAgents:
    return ManagementAgents((Vantage(host),), address, credentials, ask)


def why(came: TomcatBeans | NoPage) -> str:
    assert isinstance(came, NoPage)
    return came.text


def test_the_local_agent_is_read_again_and_the_jvm_asked_once() -> None:
    ask = Asking(RUNS)
    found = agents(answering(*TOMCAT, *TOMCAT), ask)
    assert isinstance(found.tomcat(), TomcatBeans) and isinstance(found.tomcat(), TomcatBeans)
    assert ask.lines == [STATUS]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Agent: disabled\n", "ManagementAgent.start_local starts one; it stays until the JVM ends"),
        (
            "java.lang.ClassNotFoundException: jdk.internal.agent.Agent",
            "does not say whether a management agent runs",
        ),
        (REMOTE_ALONE, "asks for a user and a password (--jmx-user)"),
        (REMOTE_ALONE.replace("jmxremote.ssl = false", "jmxremote.ssl = true"), "speaks TLS"),
    ],
)
def test_without_an_agent_that_can_be_spoken_to_nothing_is_sent(status: str, said: str) -> None:
    ask, host = Asking(status), answering()
    found = agents(host, ask)
    assert said in why(found.tomcat()) and said in why(found.tomcat())
    assert (ask.lines, host.asked) == ([STATUS], [])


def test_a_user_is_for_the_remote_agent_where_that_is_the_only_one() -> None:
    host = answering(*TOMCAT)
    assert isinstance(agents(host, Asking(REMOTE_ALONE), credentials=OPS).tomcat(), TomcatBeans)
    assert b"monitor" in host.asked[0].stdin
    host = answering(*TOMCAT)
    assert isinstance(agents(host, Asking(ASKS), credentials=OPS).tomcat(), TomcatBeans)
    assert not any(b"monitor" in one.stdin for one in host.asked)


def test_an_address_asks_the_registry_there_and_not_the_jvm() -> None:
    ask, host = Asking(NoPage(Why.OTHER, "")), answering(recorded("jdk17-lookup"), *TOMCAT)
    assert isinstance(agents(host, ask, ("127.0.0.1", 9010)).tomcat(), TomcatBeans)
    assert ask.lines == [] and host.asked[0].argv[4:6] == ("127.0.0.1", "9010")


@pytest.mark.parametrize(
    ("address", "then"), [(None, TOMCAT), (("127.0.0.1", 9010), (recorded("jdk17-lookup"), *TOMCAT))]
)
def test_what_did_not_answer_is_looked_for_again_a_minute_later(
    address: tuple[str, int] | None, then: tuple[bytes, ...]
) -> None:
    host, now = answering(b"", *then), [0.0]
    found = ManagementAgents((Vantage(host),), address, None, Asking(RUNS), lambda: now[0])
    assert why(found.tomcat()) == why(found.tomcat())
    assert len(host.asked) == 1
    now[0] = 61.0
    assert isinstance(found.tomcat(), TomcatBeans)


def test_an_agent_that_is_started_meanwhile_is_found() -> None:
    ask, now = Asking("Agent: disabled\n"), [0.0]
    found = ManagementAgents((Vantage(answering(*TOMCAT)),), None, None, ask, lambda: now[0])
    assert "no management agent runs" in why(found.tomcat())
    ask.answer, now[0] = RUNS, 59.0
    assert "no management agent runs" in why(found.tomcat())
    now[0] = 61.0
    assert isinstance(found.tomcat(), TomcatBeans)


def test_an_agent_that_ended_is_not_asked_by_its_old_address() -> None:
    ask, now = Asking(RUNS), [0.0]
    host = answering(*TOMCAT, b"")
    found = ManagementAgents((Vantage(host),), None, None, ask, lambda: now[0])
    assert isinstance(found.tomcat(), TomcatBeans)
    assert "JMX" in why(found.tomcat())
    ask.answer, now[0] = "Agent: disabled\n", 61.0
    assert "no management agent runs" in why(found.tomcat())
    assert len(host.asked) == 4


@pytest.mark.parametrize("why_not", [Why.LATER, Why.OTHER])
def test_an_agent_that_was_read_is_asked_by_its_address_where_the_jvm_does_not_say(why_not: Why) -> None:
    ask, now = Asking(RUNS), [0.0]
    host = answering(*TOMCAT, b"", *TOMCAT)
    found = ManagementAgents((Vantage(host),), None, None, ask, lambda: now[0])
    assert isinstance(found.tomcat(), TomcatBeans)
    ask.answer = NoPage(why_not, "the JVM cannot be asked")
    assert "JMX" in why(found.tomcat())
    now[0] = 61.0
    assert isinstance(found.tomcat(), TomcatBeans)


def test_a_local_agent_beside_one_that_asks_for_a_user_is_found_later() -> None:
    ask, now = Asking(REMOTE_ALONE), [0.0]
    found = ManagementAgents((Vantage(answering(*TOMCAT)),), None, None, ask, lambda: now[0])
    assert "--jmx-user" in why(found.tomcat())
    ask.answer, now[0] = RUNS, 61.0
    assert isinstance(found.tomcat(), TomcatBeans)


@pytest.mark.parametrize("kind", [b"java.lang.SecurityException", b"org.acme.FailedLoginFailure"])
def test_what_refused_is_not_asked_again(kind: bytes) -> None:
    """Whatever an authenticator throws."""
    host, now = answering(recorded("refused").replace(b"java.lang.SecurityException", kind)), [0.0]
    found = ManagementAgents((Vantage(host),), None, OPS, Asking(REMOTE_ALONE), lambda: now[0])
    first, now[0] = why(found.tomcat()), 61.0
    assert why(found.tomcat()) == first
    assert len(host.asked) == 1


def test_a_jvm_that_does_not_say_now_is_asked_again() -> None:
    ask = Asking(NoPage(Why.LATER, "it is silent"))
    found = agents(answering(*TOMCAT), ask)
    assert why(found.tomcat()) == "it is silent"
    ask.answer = RUNS
    assert isinstance(found.tomcat(), TomcatBeans)


MANAGER = "http://127.0.0.1:8080/manager/status?XML=true"
REFUSES = b"perl\nHTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n"


def test_the_manager_of_a_jvm_that_is_stopped_is_not_waited_for() -> None:
    host = FakeHost({lambda argv: argv[0] == "sh" and "8080" in argv: REFUSES})
    with ExitStack() as stack:
        servers = Servers(host, None, ServersRequest(credentials=OPS, threads=False), stack)
        servers.read(look_of(process=f"1 (java) T {' '.join(map(str, range(1, 50)))}\n"))
        assert host.asked == [] and "SIGCONT" in servers.unanswered[0]
        servers.read(look_of(process=f"1 (java) S {' '.join(map(str, range(1, 50)))}\n"))
    assert len(host.asked) == 1


def test_a_manager_that_refuses_is_not_asked_again_and_what_was_named_is_told() -> None:
    host = FakeHost({lambda argv: argv[0] == "sh" and "8080" in argv: REFUSES})
    look = look_of(tasks="")
    request = ServersRequest(tomcat_url=MANAGER, credentials=OPS, threads=False)
    with ExitStack() as stack:
        servers = Servers(host, None, request, stack)
        said: set[str] = set()
        for _ in range(3):
            servers.read(look)
            said |= {*servers.unanswered}
    assert said == {f"{MANAGER}: it does not know that user, or not with that password (401)"}
    assert len(host.asked) == 1 and b"seen" in host.asked[0].stdin
    assert not any("seen" in word for word in host.asked[0].argv)


def test_an_agent_that_was_named_is_asked_where_the_manager_answers_too() -> None:
    """It knows the queue of a shared executor, and that its port is wrong has to be told."""
    page = (DATA.parent / "servers/tomcat10-status.xml").read_bytes()
    answer = b"perl\nHTTP/1.1 200 \r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n" + page
    host = FakeHost(
        {lambda argv: argv[0] == "sh" and "8080" in argv: answer, lambda argv: argv[0] == "sh": b"perl\n"}
    )
    request = ServersRequest(tomcat_url=MANAGER, credentials=OPS, threads=False, jmx=("127.0.0.1", 9010))
    with ExitStack() as stack:
        servers = Servers(host, None, request, stack)
        reading = servers.read(look_of(tasks=""))
    assert reading.status is not None
    assert [line.partition(": ")[0] for line in servers.unanswered] == ["JMX at 127.0.0.1:9010"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ServersRequest(apache_url="http://127.0.0.1/server-status?auto&token=s3cret"), "server-status?…: "),
        (ServersRequest(jmx=("127.0.0.1", 9010)), "JMX at 127.0.0.1:9010: "),
        (ServersRequest(jmx_credentials=OPS), "JMX: no management agent runs in the JVM"),
        # Nobody asked for them by name.
        (ServersRequest(), ""),
    ],
)
def test_only_what_was_asked_for_by_name_is_missed(request_: ServersRequest, said: str) -> None:
    host = FakeHost({lambda argv: argv[0] == "sh": b"perl\n"})
    stat = " ".join(map(str, range(1, 48)))
    look = look_of(tasks=f"7 (http-nio-8080-e) S {stat}\n", processes=f"8 (httpd) S {stat}\n")
    with ExitStack() as stack:
        servers = Servers(host, on_a_machine(the_jvm_of("tomcat-inside"), host), request_, stack)
        servers._agents = agents(host, Asking("Agent: disabled\n"), request_.jmx)
        servers.read(look)
    assert len(servers.unanswered) == bool(said)
    assert said in "".join(servers.unanswered)
    assert "s3cret" not in "".join(servers.unanswered)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_jvm_that_was_silent_is_not_told_of_where_an_agent_says_all(is_read: bool) -> None:
    beans = agents(answering(*TOMCAT), Asking(RUNS)).tomcat()
    stat = " ".join(map(str, range(1, 48)))
    look = look_of(tasks=f"7 (http-nio-8080-e) S {stat}\n")
    jvm = replace(the_jvm_of("tomcat-inside"), state="T")
    with ExitStack() as stack:
        servers = Servers(FakeHost({}), on_a_machine(jvm), ServersRequest(), stack)
        servers._questions.ask(STATUS)
        groups = servers.groups(None, Reading(1.0, None, None, beans if is_read else None), look)
    assert any("SIGCONT" in line for line in groups[0].unseen) != is_read
