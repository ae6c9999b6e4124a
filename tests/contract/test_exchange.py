"""exchange.sh with each client that there is, alone on the PATH: every byte goes and comes, stdin ends or not."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jvmdiag.hosts.local import LocalHost
from jvmdiag.metrics.exchange import Exchange
from jvmdiag.metrics.http import NoPage, Vantage, Why, script_of
from tests.contract.clients import CLIENTS, alone
from tests.real.fixtures import cases

RAW = ("perl", "python3", "bash")
# As a call of RMI: every byte, ends of lines and NULs among them; the last one is what the server waits for.
REQUEST = bytes(range(256)) * 20 + b"\n\0\r\n\0\xfe\xff"


@contextmanager
def serving(answer: bytes, *, close: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """Reads one request to its last byte, as an agent does, answers, and closes the connection, or else does not."""
    got: list[bytes] = []
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                data = b""
                while len(data) < len(REQUEST) and (piece := connection.recv(65536)):
                    data += piece
                got.append(data)
                connection.sendall(answer)
                if not close:
                    done.wait(30)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1], got
        finally:
            done.set()
            thread.join()


@pytest.fixture(params=RAW)
def exchange(request: pytest.FixtureRequest, tmp_path: Path) -> Exchange:
    assert request.param in CLIENTS
    return Exchange([Vantage(LocalHost(), alone(str(request.param), tmp_path, ("head",)))], "JMX")


def test_every_byte_goes_and_comes(exchange: Exchange, request: pytest.FixtureRequest) -> None:
    answer = bytes(reversed(range(256))) * 1000
    with serving(answer) as (port, got):
        came = exchange.send("127.0.0.1", port, REQUEST)
    assert got == [REQUEST]
    assert came == answer
    assert exchange.client == request.node.callspec.params["exchange"]


@pytest.mark.parametrize("exchange", cases("perl", long=("python3", "bash")), indirect=True)
def test_nobody_and_silence_are_told_apart(exchange: Exchange) -> None:
    nobody = exchange.send("127.0.0.1", 9, REQUEST)
    assert isinstance(nobody, NoPage) and nobody.why is Why.NOBODY, nobody
    with serving(b"", close=False) as (port, _):
        silent = exchange.send("127.0.0.1", port, REQUEST)
    assert isinstance(silent, NoPage) and silent.why is Why.OTHER, silent


@pytest.mark.parametrize("client", RAW)
def test_stdin_that_stays_open_is_read_to_the_last_byte_and_no_further(client: str, tmp_path: Path) -> None:
    with serving(b"\0answer\0") as (port, got):
        arguments = ("127.0.0.1", str(port), "5", "1000", str(len(REQUEST)))
        argv = (*alone(client, tmp_path, ("head",)), "sh", "-c", script_of("exchange.sh"), "sh", *arguments)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            process.stdin.write(REQUEST)
            process.stdin.flush()
            # Over TLS to an engine it cannot be closed.
            assert process.stdout.read() == f"{client}\n".encode() + b"\0answer\0"
            assert process.wait() == 0
    assert got == [REQUEST]
