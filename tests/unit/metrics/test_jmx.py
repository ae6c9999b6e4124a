"""The way of a reading by JMX: what goes to the target, what is read of what comes, and that it is closed again."""

from __future__ import annotations

import pytest

from jvmdiag.errors import ConnectionLost
from jvmdiag.jmx.agent import Agent
from jvmdiag.jmx.jrmp import REGISTRY_ID, RemoteRef, Returned, remote_ref
from jvmdiag.jmx.mbeans import close
from jvmdiag.metrics.exchange import Exchange, read_exchange
from jvmdiag.metrics.http import MOST_BYTES, Credentials, NoPage, Vantage, Why
from jvmdiag.metrics.jmx import Bean, Jmx, Wanted, look_up
from tests.fakes import Answer, Asked, FakeHost, done
from tests.unit.jmx.answers import CONNECT, answer, recorded

SERVER = RemoteRef("elsewhere.example", 40001, b"s" * 22)
LOCAL = Agent(True, SERVER, "127.0.0.1", tls=False, asks=False)
REMOTE = Agent(False, SERVER, "10.1.2.3", tls=False, asks=True)
WANTED = [
    Wanted("java.lang:type=Threading", ("ThreadCount",)),
    Wanted("java.lang:type=MemoryPool,*", ("Name",)),
    Wanted("nobody:*", ("X",)),
]
OPS = Credentials("monitor", "it:is s3cret")


def agent_of(*answers: bytes | Answer) -> FakeHost:
    """Answers one exchange after the other."""
    left = list(answers)

    def next_one(asked: Asked) -> Answer:
        one = left.pop(0)
        return b"perl\n" + one if isinstance(one, bytes) else one

    return FakeHost({lambda argv: argv[0] == "sh": next_one})


def jmx(host: FakeHost, agent: Agent = LOCAL, credentials: Credentials | None = None) -> Jmx:
    return Jmx(Exchange([Vantage(host)], "JMX"), agent, credentials)


def connected() -> tuple[int, bytes]:
    (came,) = answer("jdk17-connect", CONNECT)
    assert isinstance(came, Returned)
    ref = remote_ref(came.value)
    return ref.port, close(ref).bytes + b"\x54" + came.ack


def test_a_reading_is_three_exchanges_the_last_of_which_closes_it() -> None:
    host = agent_of(recorded("jdk17-connect"), recorded("jdk17-names"), recorded("jdk17-attributes"))
    beans = jmx(host).read(WANTED)
    assert isinstance(beans, tuple)
    assert beans[0] == Bean("java.lang:type=Threading", {"ThreadCount": 18, "DaemonThreadCount": 17})
    assert len(beans) == 9
    port, closing = connected()
    # The address that the agent has of itself is not asked.
    assert [one.argv[4:6] for one in host.asked] == [("127.0.0.1", "40001"), *[("127.0.0.1", str(port))] * 2]
    assert host.asked[-1].stdin.endswith(closing + b"\xff")
    assert all(one.argv[8] == str(len(one.stdin)) for one in host.asked)


def test_credentials_go_on_stdin_and_only_to_who_asks() -> None:
    host = agent_of(recorded("refused"))
    records: list[object] = []
    host.record = records.append
    came = jmx(host, REMOTE, OPS).read(WANTED)
    assert isinstance(came, NoPage) and came.why is Why.REFUSED
    assert came.text == "JMX at 10.1.2.3:40001: Authentication failed! Invalid username or password"
    (asked,) = host.asked
    assert b"\x00\x07monitor" in asked.stdin and b"\x00\x0cit:is s3cret" in asked.stdin
    assert "s3cret" not in f"{asked.argv} {records} {came}"
    local = agent_of(recorded("refused"))
    jmx(local, LOCAL, OPS).read(WANTED)
    assert b"monitor" not in local.asked[0].stdin


def test_who_is_refused_without_a_user_is_told_the_option() -> None:
    came = jmx(agent_of(recorded("refused")), REMOTE).read(WANTED)
    assert isinstance(came, NoPage) and came.text.endswith("it takes a user and a password (--jmx-user)")


@pytest.mark.parametrize(
    "second",
    [recorded("jdk17-names")[:-1], b"", TimeoutError("no answer"), ConnectionLost("gone")],
)
def test_what_breaks_off_midway_is_closed_all_the_same(second: bytes | Answer) -> None:
    host = agent_of(recorded("jdk17-connect"), second, b"")
    assert isinstance(jmx(host).read(WANTED), NoPage)
    port, closing = connected()
    assert host.asked[-1].argv[4:6] == ("127.0.0.1", str(port))
    assert host.asked[-1].stdin.endswith(closing + b"\xff") and len(host.asked) == 3


def test_an_mbean_that_went_between_is_left_out() -> None:
    # Its name was told, and then there was none of it: of nine answers one is the exception.
    names, whole = recorded("jdk17-names"), recorded("jdk17-attributes")
    missing = recorded("jdk17-missing")
    head = whole[: whole.index(b"\x51\xac\xed")]
    parts = whole[len(head) :].split(b"\x51\xac\xed")[1:]
    parts[0] = missing[missing.index(b"\x51\xac\xed") + 3 :]
    host = agent_of(
        recorded("jdk17-connect"), names, head + b"".join(b"\x51\xac\xed" + part for part in parts)
    )
    beans = jmx(host).read(WANTED)
    assert isinstance(beans, tuple) and len(beans) == 8
    assert "java.lang:type=Threading" not in [bean.name for bean in beans]


def test_a_registry_tells_the_agent() -> None:
    host = agent_of(recorded("jdk17-lookup"))
    found = look_up(Exchange([Vantage(host)], "JMX"), "127.0.0.1", 9010, asks=True)
    assert isinstance(found, Agent)
    assert (found.local, found.host, found.tls, found.asks) == (False, "127.0.0.1", False, True)
    assert REGISTRY_ID in host.asked[0].stdin and b"jmxrmi" in host.asked[0].stdin


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"HTTP/1.1 400 \r\n\r\n", "it does not speak RMI"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "it speaks TLS"),
        (recorded("jdk17-lookup")[:-2], "it is cut"),
        (recorded("jdk17-missing"), "InstanceNotFoundException: nobody:type=x"),
        (
            b"N\x00\x00\x00\x00\x00\x00\x51\xac\xed\x00\x05\x77\x0f\x01" + bytes(14) + b"\x70",
            "it holds no remote object",
        ),
    ],
)
def test_a_port_that_is_something_else_is_told_so(sent: bytes, said: str) -> None:
    came = look_up(Exchange([Vantage(agent_of(sent))], "JMX"), "127.0.0.1", 61616, asks=False)
    assert isinstance(came, NoPage)
    assert came.text == f"JMX at 127.0.0.1:61616: {said}"


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "expected"),
    [
        (b"perl\n", b"Connection refused\n", 111, Why.NOBODY),
        (b"nc\n", b"nc: can't connect to remote host (127.0.0.1): Connection refused\n", 1, Why.NOBODY),
        (b"perl\n", b"no answer within 5 s\n", 255, Why.OTHER),
        (b"bash\n", b"", 0, Why.OTHER),
        (b"perl\n" + b"x" * MOST_BYTES, b"", 0, Why.OTHER),
        (b"none\n", b"", 0, Why.NO_CLIENT),
        (b"", b"exec failed: sh: not found", 127, Why.NO_CLIENT),
        (b"", b"nsenter: cannot open /proc/7/ns/net: Permission denied", 1, Why.NO_CLIENT),
    ],
)
def test_no_answer_says_why(stdout: bytes, stderr: bytes, exit_code: int, expected: Why) -> None:
    came = read_exchange("JMX at h:1", done(stdout, exit_code, stderr))
    assert isinstance(came, NoPage) and came.why is expected
    assert came.text.startswith("JMX at h:1: ")


def test_the_next_vantage_speaks_only_where_nothing_else_can() -> None:
    inside = FakeHost({lambda argv: True: done("", 127, "no sh")})
    around = agent_of(b"\0\1", b"\2")
    exchange = Exchange([Vantage(inside), Vantage(around, ("sh", "-n"))], "JMX")
    assert exchange.send("h", 1, b"x") == b"\0\1"
    assert exchange.send("h", 1, b"x") == b"\2"
    assert len(inside.asked) == 1 and exchange.client == "perl"
    nobody = Exchange([], "JMX").send("h", 1, b"x")
    assert isinstance(nobody, NoPage) and "only root" in nobody.text
