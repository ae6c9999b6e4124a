"""The probe, against a small server of the test's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.impact.prober import Prober, check_url

STATUSES = iter([200, 503] * 1000)


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(next(STATUSES))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health"
        server.shutdown()


def seen(prober: Prober, count: int) -> None:
    until = time.monotonic() + 10
    while len(prober.seen) < count and time.monotonic() < until:
        time.sleep(0.01)
    prober.close()


def test_each_answer_is_seen_with_its_status_also_where_the_server_closes(url: str) -> None:
    prober = Prober(url)
    seen(prober, 3)
    assert {one.status for one in prober.seen} == {200, 503}
    assert [one.failed for one in prober.seen[:4]].count(True) in (1, 2)


def test_a_port_where_nobody_listens_is_a_failure_and_no_more() -> None:
    prober = Prober("http://127.0.0.1:9/")
    seen(prober, 1)
    assert prober.seen[0].failed


@pytest.mark.parametrize("text", ["web:8080", "ftp://web/", "http://", "http://web:port/", ""])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        check_url(text)
