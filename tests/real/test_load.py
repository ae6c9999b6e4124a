"""A load by a real Locust: on a real Tomcat, whose access log counts as well, and on a server that counts itself."""

from __future__ import annotations

import json
import re
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real.containers import published_port
from tests.real.jvmdiag import Running, jvmdiag, shown_on_a_terminal

# Tomcat writes its log every 10 s.
LOG_WITHIN_S = 60.0


def logged(container: Container, token: str) -> Counter[tuple[str, str]]:
    """Requests with that token in their query, by method and status, of Tomcat's access log."""
    done: Any = container.exec_run(["sh", "-c", "cat /var/lib/tomcat10/logs/localhost_access_log.*"])
    lines = re.findall(rf'"(\w+) \S*{token}\S* HTTP/1.1" (\d+)', done.output.decode())
    return Counter(lines)


def test_what_is_said_is_what_tomcats_access_log_says(tomcat_jre: Container, tmp_path: Any) -> None:
    token = secrets.token_hex(8)
    url = f"http://127.0.0.1:{published_port(tomcat_jre)}/index.jsp?token={token}"
    options = ("--scenario", "mixed", "--users", "6", "--spawn-rate", "6", "--time", "3s", "--json")
    began_s = time.monotonic()
    run = jvmdiag("load", url, *options, home=tmp_path)
    took_s = time.monotonic() - began_s
    assert run.exit_code == 0, run.err
    came = run.document
    assert came["schema"] == "jvmdiag.load/1" and came["ended"] == "time"
    assert token not in run.out + run.err
    everything, delete, get, post = came["endpoints"]
    until = time.monotonic() + LOG_WITHIN_S
    while (seen := logged(tomcat_jre, token)).total() < everything["figures"]["requests"]:
        assert time.monotonic() < until, seen
        time.sleep(0.2)
    by_method = {
        one["name"].split()[0]: (one["figures"]["requests"], one["figures"]["failures"])
        for one in (get, post, delete)
    }
    # A JSP refuses DELETE with 405.
    assert by_method == {
        "GET": (seen["GET", "200"], 0),
        "POST": (seen["POST", "200"], 0),
        "DELETE": (seen["DELETE", "405"], seen["DELETE", "405"]),
    }
    assert everything["figures"]["requests"] == seen.total() > 60
    assert everything["failed"] == [{"why": "405", "count": seen["DELETE", "405"]}]
    assert 2.5 < came["lasted_s"] < took_s
    # A caller whose round is under way at the end makes it whole: that counts, but not as a rate.
    in_time = everything["figures"]["per_s"] * came["lasted_s"]
    assert seen.total() - 6 * 3 <= round(in_time) <= seen.total()


class Counting(BaseHTTPRequestHandler):
    """Answers 503 on /broken, sends elsewhere from /away, and answers 200 on the rest."""

    protocol_version = "HTTP/1.1"
    bodies: list[int]

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.server.bodies.append(len(self.rfile.read(size)))  # type: ignore[attr-defined]
        self.send_response({"/broken": 503, "/away": 307}.get(self.path, 200))
        if self.path == "/away":
            self.send_header("Location", "/broken")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as served:
        served.daemon_threads = True
        served.bodies = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=served.serve_forever, args=(0.05,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def test_ctrl_c_ends_it_and_what_came_is_told(server: Any, tmp_path: Any) -> None:
    url = f"http://127.0.0.1:{server.server_port}/"
    running = Running("load", url, "--users", "3", "--time", "10m", "--json", home=tmp_path)
    while len(server.bodies) < 60:
        assert running.process.poll() is None
        time.sleep(0.05)
    running.signal(signal.SIGINT)
    run = running.end()
    assert run.exit_code == 130, run.err
    came = json.loads(run.out)
    assert came["ended"] == "stopped"
    assert came["endpoints"][0]["figures"]["requests"] == len(server.bodies)


def test_a_load_of_failures_alone_says_what_they_are(server: Any, tmp_path: Any) -> None:
    run = jvmdiag("load", f"http://127.0.0.1:{server.server_port}/broken", "--time", "3s", home=tmp_path)
    assert run.exit_code == 80
    assert "status 503" in run.err and "requests failed" in run.err


def test_where_an_answer_leads_is_not_loaded(server: Any, tmp_path: Any) -> None:
    url = f"http://127.0.0.1:{server.server_port}/away"
    run = jvmdiag("load", url, "--scenario", "mixed", "--time", "2s", "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    figures = json.loads(run.out)["endpoints"][0]["figures"]
    assert figures["failures"] == 0 and figures["requests"] == len(server.bodies)


def test_a_load_that_leaves_this_machine_is_asked_for(tmp_path: Any) -> None:
    run = jvmdiag("load", "http://192.0.2.1/", "--time", "1s", home=tmp_path)
    assert run.exit_code == 70, run.err
    assert "10 callers of http://192.0.2.1/" in run.err


def test_on_a_terminal_it_shows_how_it_goes(server: Any, tmp_path: Any) -> None:
    url = f"http://127.0.0.1:{server.server_port}/files"
    options = ("--scenario", "post", "--body-bytes", "5000", "--users", "2", "--pace", "0.05", "--time", "2s")
    shown = shown_on_a_terminal("load", url, *options, home=tmp_path)
    assert re.search(r"\d of 2 s \|.*\d+\.\d a second, P95 \d+ ms, 0 failed", shown), shown
    assert re.search(r"POST /files +\d+ +0 ", shown)
    assert set(server.bodies) == {5000}
