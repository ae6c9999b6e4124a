"""http.sh with each client that there is, alone on the PATH, against a server that tells what it was sent."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from jvmdiag.hosts.local import LocalHost
from jvmdiag.metrics.http import Credentials, Http, NoPage, Page, Vantage, Why
from tests.contract.clients import CLIENTS, alone
from tests.real.tls import make_certificates


class Answers(BaseHTTPRequestHandler):
    """Tells the request's own head, or what the path says."""

    def do_GET(self) -> None:
        body = b"x" * (2 << 20) if self.path == "/endless" else str(self.headers).encode()
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[str]:
    """With a certificate that nobody vouches for."""
    make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with HTTPServer(("127.0.0.1", 0), Answers) as served:
        served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


@pytest.fixture(params=sorted(CLIENTS))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Http]:
    name = str(request.param)
    return name, Http([Vantage(LocalHost(), alone(name, tmp_path))])


def test_each_client_brings_the_page_and_the_credentials(client: tuple[str, Http], server: str) -> None:
    name, http = client
    came = http.get(f"{server}/status?auto", Credentials("ops", "a:b c"))
    assert isinstance(came, Page), came
    assert came.client == name
    assert f"Authorization: Basic {base64.b64encode(b'ops:a:b c').decode()}" in came.text
    assert "Host: localhost" in came.text


def test_each_client_tells_a_refusal_from_silence(client: tuple[str, Http], server: str) -> None:
    _, http = client
    for status, expected in ((401, Why.REFUSED), (403, Why.REFUSED), (404, Why.OTHER)):
        came = http.get(f"{server}/{status}")
        assert isinstance(came, NoPage) and came.why is expected, came
    came = http.get("http://127.0.0.1:9/")
    assert isinstance(came, NoPage) and came.why is Why.NOBODY, came


def test_no_client_takes_more_than_a_mebibyte(client: tuple[str, Http], server: str) -> None:
    _, http = client
    came = http.get(f"{server}/endless")
    assert isinstance(came, NoPage) and "1 MiB" in came.text


def test_over_tls_the_loopbacks_certificate_is_taken_as_it_is(
    client: tuple[str, Http], over_tls: str
) -> None:
    name, http = client
    came = http.get(f"{over_tls}/status", Credentials("ops", "secret"))
    if name in ("perl", "bash"):
        assert isinstance(came, NoPage) and came.why is Why.NO_CLIENT
        assert "python3, curl or GNU wget" in came.text
    else:
        assert isinstance(came, Page), came
        assert "Authorization: Basic b3BzOnNlY3JldA==" in came.text
