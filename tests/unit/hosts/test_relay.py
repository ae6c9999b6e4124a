"""The relay against a scripted host: who dials, who waits for whom, and what the far host's words become."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from jvmdiag.errors import ConnectionLost, EngineUnreachable, SudoRefused
from jvmdiag.hosts.relay import DIAL, relay, unreachable
from jvmdiag.hosts.sudo import ROOT
from jvmdiag.model import Owner, StreamEnd
from tests.fakes import Answer, Asked, FakeHost, Script, Streamed, done

_WAIT_S = 10.0


class FakeSsh(FakeHost):
    """What the relay knows of an SSH host."""

    login = "ops"

    def __init__(self, script: Script, *, sudo: bool = False, refusal: SudoRefused | None = None) -> None:
        super().__init__(script, name="ssh://ops@app1")
        self.sudo = sudo
        self.settled: list[Owner] = []
        self._refusal = refusal

    def settle(self, user: Owner) -> None:
        self.settled.append(user)
        if self._refusal:
            raise self._refusal


def over(host: FakeSsh) -> Any:
    """The relay of a fake, which is no SshHost to a type checker."""
    fake: Any = host
    return relay(fake)


def connected(url: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(_WAIT_S)
    client.connect(url.removeprefix("unix://"))
    return client


def test_bytes_go_both_ways() -> None:
    host = FakeSsh({DIAL: Streamed((b"hello ",), held=b"GET", after_held=(b"world",))})
    with over(host) as url, connected(url) as client:
        client.sendall(b"GET /")
        client.shutdown(socket.SHUT_WR)
        assert b"".join(iter(lambda: client.recv(4096), b"")) == b"hello world"
    assert [asked.user for asked in host.asked] == [None]
    assert host.settled == []


def test_with_sudo_root_is_settled_in_the_callers_thread_and_dials() -> None:
    host = FakeSsh({DIAL: b"hello"}, sudo=True)
    with over(host) as url:
        assert host.settled == [ROOT]
        with connected(url) as client:
            assert client.recv(4096) == b"hello"
    assert [asked.user for asked in host.asked] == [ROOT]


def test_a_refused_sudo_is_the_error_and_nothing_is_served() -> None:
    host = FakeSsh({}, sudo=True, refusal=SudoRefused("sudo says no"))
    with pytest.raises(SudoRefused, match="says no"), over(host):
        raise AssertionError("served all the same")


def test_what_the_host_says_takes_the_place_of_the_clients_complaint() -> None:
    host = FakeSsh({DIAL: done(exit_code=1, stderr="permission denied while trying to connect")})
    with pytest.raises(EngineUnreachable, match="permission denied"), over(host) as url, connected(url) as c:
        assert c.recv(4096) == b""
        raise EngineUnreachable("Remote end closed connection without response")


def test_a_connection_that_carried_something_is_no_failure() -> None:
    host = FakeSsh({DIAL: done(b"hello", exit_code=1, stderr="late words")})
    with pytest.raises(ConnectionLost, match="of its own"), over(host) as url, connected(url) as client:
        assert client.recv(4096) == b"hello"
        assert client.recv(4096) == b""
        raise ConnectionLost("a reason of its own")


def test_a_connection_that_waits_for_a_session_holds_up_no_other() -> None:
    released = threading.Event()
    dialing: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        dialing.append(asked)
        if len(dialing) == 1:
            released.wait(_WAIT_S)
        return b"hello"

    with over(FakeSsh({DIAL: answer})) as url, connected(url) as first:
        while not dialing:
            continue
        with connected(url) as second:
            assert second.recv(4096) == b"hello"
            assert not released.is_set()
        released.set()
        assert first.recv(4096) == b"hello"


@pytest.mark.parametrize(
    ("code", "said", "advice"),
    [
        (127, b"sh: 1: exec: docker: not found", "needs the docker command"),
        (1, b"permission denied while trying to connect to the Docker daemon socket", "add --sudo"),
        (1, b"Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "docker info"),
    ],
)
def test_the_hosts_own_words_come_with_what_to_do(code: int, said: bytes, advice: str) -> None:
    error = unreachable("ssh://ops@app1", "ops", StreamEnd(code, said, 0))
    assert said.decode() in error.why
    assert advice in str(error.advice)


def test_foreign_bytes_and_silence_are_shown_too() -> None:
    assert "d\ufffdsol\ufffd" in unreachable("h", "ops", StreamEnd(1, b"d\xe9sol\xe9", 0)).why
    assert "it says nothing" in unreachable("h", "ops", StreamEnd(1, b"", 0)).why
