"""What http.sh prints is read, and the request goes to the target as it should."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from jvmdiag.attach.rung import Scene
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.place import ViewKind
from jvmdiag.metrics.http import (
    MOST_BYTES,
    Credentials,
    Http,
    NoPage,
    Page,
    Vantage,
    Why,
    read_answer,
    shown,
    vantages,
)
from jvmdiag.model import Jvm
from tests.fakes import FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

URL = "http://127.0.0.1/server-status?auto"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def read(stdout: bytes, stderr: bytes = b"", exit_code: int = 0) -> Page | NoPage:
    return read_answer(URL, done(stdout, exit_code, stderr))


def why(came: Page | NoPage) -> Why:
    assert isinstance(came, NoPage)
    assert came.text.startswith(f"{URL}: ")
    return came.why


def test_a_page_is_the_body_behind_the_head() -> None:
    assert read(b"perl\n" + OK) == Page("hello", "perl")


def test_a_query_that_may_hold_a_token_is_not_told() -> None:
    assert shown("http://h/status?token=s3cret") == "http://h/status?…"
    assert shown(URL) == URL
    came = read_answer("http://h/status?token=s3cret", done(b"perl\nHTTP/1.1 404 Not Found\r\n\r\n"))
    assert isinstance(came, NoPage) and "s3cret" not in came.text


def test_wget_tells_the_head_on_stderr() -> None:
    heads = b"Connecting to 127.0.0.1 (127.0.0.1:80)\n  HTTP/1.1 200 OK\n  Server: Apache\n"
    assert read(b"wget\nhello", heads) == Page("hello", "wget")
    led = b"  HTTP/1.1 302 Found\n  Location: http://other/\nConnecting to other\n  HTTP/1.1 200 OK\n"
    assert why(read(b"wget\nfrom elsewhere", led)) is Why.OTHER
    refused = b"  HTTP/1.1 401 \nwget: server returned error: HTTP/1.1 401 \n"
    assert why(read(b"wget\n", refused, 1)) is Why.REFUSED


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_see_it_is_told_so(status: int) -> None:
    came = read(b"perl\nHTTP/1.1 %d Nope\r\n\r\n" % status)
    assert why(came) is Why.REFUSED
    assert isinstance(came, NoPage) and str(status) in came.text


@pytest.mark.parametrize(
    ("stdout", "stderr", "exit_code", "expected"),
    [
        (b"perl\n", b"Connection refused\n", 111, Why.NOBODY),
        (b"bash\n", b"bash: connect: Connection refused\nbash: line 1: /dev/tcp/::1/80: x\n", 1, Why.NOBODY),
        (b"python3\n", b"timed out\n", 1, Why.OTHER),
        (b"perl\n", b"", 0, Why.OTHER),
        (b"nc\nSSH-2.0-OpenSSH_9.2\r\n", b"", 0, Why.OTHER),
        (b"perl\nHTTP/1.1 503 Busy\r\n\r\n", b"", 0, Why.OTHER),
        (b"none\n", b"", 0, Why.NO_CLIENT),
        (b"", b"exec failed: sh: not found", 127, Why.NO_CLIENT),
        (b"", b"nsenter: cannot open /proc/7/ns/net: Permission denied", 1, Why.NO_CLIENT),
    ],
)
def test_no_page_says_why(stdout: bytes, stderr: bytes, exit_code: int, expected: Why) -> None:
    assert why(read(stdout, stderr, exit_code)) is expected


def test_half_a_page_is_none() -> None:
    assert why(read(b"perl\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello")) is Why.OTHER
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MOST_BYTES
    assert why(read(b"perl\n" + endless[:MOST_BYTES])) is Why.OTHER
    # Without a length only the client knows that there would have been more.
    half = b"HTTP/1.1 200 OK\r\n\r\nTotal Accesses: 12"
    assert why(read(b"perl\n" + half, b"no answer within 5 s\n", 255)) is Why.OTHER
    assert why(read(b"curl\n" + half, b"curl: (28) Operation timed out\n")) is Why.OTHER


def test_credentials_go_on_stdin_and_nowhere_else() -> None:
    host = FakeHost({lambda argv: argv[0] == "sh": b"perl\n" + OK})
    records: list[object] = []
    host.record = records.append
    credentials = Credentials("ops", "it is:secret")
    assert Http([Vantage(host)]).get("http://127.0.0.1:8080/manager/status?XML=true", credentials)
    (asked,) = host.asked
    both = base64.b64encode(b"ops:it is:secret")
    assert b"Authorization: Basic " + both + b"\r\n" in asked.stdin
    seen = f"{asked.argv} {records} {credentials}"
    assert both.decode() not in seen and "secret" not in seen
    url, request = asked.stdin.split(b"\n", 1)
    assert url == b"http://ops:it%20is%3Asecret@127.0.0.1:8080/manager/status?XML=true"
    assert request.startswith(b"GET /manager/status?XML=true HTTP/1.0\r\nHost: localhost\r\n")
    assert asked.argv[4:] == ("127.0.0.1", "8080", "", "credentials", "5", "1048576")


def test_a_path_cannot_bring_another_head() -> None:
    host = FakeHost({lambda argv: True: b"perl\n" + OK})
    Http([Vantage(host)]).get("http://127.0.0.1/a b\r\nX: y")
    assert host.asked[0].stdin.count(b"\n") == 6


def test_the_next_vantage_is_asked_only_where_nothing_can_ask() -> None:
    shellless = FakeHost({lambda argv: True: done("", 127, "no sh")}, name="inside")
    around = FakeHost({lambda argv: True: b"perl\n" + OK}, name="around")
    http = Http([Vantage(shellless), Vantage(around, ("nsenter", "-t", "7", "-n"))])
    assert http.get(URL) == http.get(URL) == Page("hello", "perl")
    assert len(shellless.asked) == 1
    assert [one.argv[:5] for one in around.asked] == [("nsenter", "-t", "7", "-n", "sh")] * 2


def jvm(*nspids: int, as_root: bool) -> Jvm:
    return replace(the_jvm_of("tomcat-inside"), pid=nspids[0], nspids=nspids, seen_as_root=as_root)


@pytest.mark.parametrize(
    ("scene", "prefixes"),
    [
        (on_a_machine(jvm(7, as_root=True)), [()]),
        (on_a_machine(jvm(7, as_root=False)), [()]),
        # A container's JVM, found among all processes of its machine: the machine's 127.0.0.1 is another.
        (on_a_machine(jvm(7, 1, as_root=True)), [("nsenter", "-t", "7", "-n")]),
        (on_a_machine(jvm(7, 1, as_root=False)), []),
        (in_a_container(jvm(1, as_root=True), kind=ViewKind.INSIDE), [()]),
        (
            in_a_container(jvm(7, 1, as_root=True), kind=ViewKind.ENGINE_HOST),
            [(), ("nsenter", "-t", "7", "-n")],
        ),
        (in_a_container(jvm(7, 1, as_root=False), kind=ViewKind.ENGINE_HOST), [()]),
        (in_a_container(jvm(1, as_root=True), kind=ViewKind.SIDECAR), [()]),
    ],
)
def test_a_page_is_asked_for_in_the_network_of_the_jvm(scene: Scene, prefixes: list[tuple[str, ...]]) -> None:
    assert [one.prefix for one in vantages(scene)] == prefixes


def test_where_nobody_may_ask_it_says_who_may() -> None:
    assert why(Http(()).get(URL)) is Why.NO_CLIENT


def test_a_server_that_says_no_is_not_asked_from_elsewhere() -> None:
    inside = FakeHost({lambda argv: True: b"perl\nHTTP/1.1 403 Forbidden\r\n\r\n"})
    around = FakeHost({})
    assert why(Http([Vantage(inside), Vantage(around)]).get(URL)) is Why.REFUSED
    assert around.asked == []


@pytest.mark.parametrize("trouble", [TimeoutError(), ConnectionLost("gone")])
def test_what_goes_wrong_is_no_page_and_no_error(trouble: BaseException) -> None:
    assert why(Http([Vantage(FakeHost({lambda argv: True: trouble}))]).get(URL)) is Why.OTHER
