"""An access log, counted by the second."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from jvmdiag.jvm.access_log import LogCount, access_logs, within

LISTING = """1764072000 41 -> /srv/app/lib/data-access-logging-1.0.jar
1764072001 47 -> /var/lib/tomcat10/logs/localhost_access_log.2026-11-25.txt
1764072009 9 -> /srv/my access log (deleted)
"""
SECOND = 1772366400  # 2026-03-01T12:00:00Z


def line(stamp: str, status: int) -> bytes:
    return f'127.0.0.1 - - [01/Mar/2026:{stamp}] "GET /a?b=[c] HTTP/1.1" {status} 12\n'.encode()


def test_the_log_that_is_in_use_comes_first_and_an_archive_is_none() -> None:
    assert [fd for fd, _ in access_logs(LISTING)] == [9, 47]


def test_lines_are_counted_by_their_own_stamp_wherever_the_pieces_are_cut() -> None:
    text = line("12:00:00 +0000", 200) + line("13:00:00 +0100", 500) + line("12:00:02 +0000", 404) + b"junk\n"
    for cut in range(len(text)):
        count = LogCount()
        count.feed(text[:cut])
        count.feed(text[cut:])
        assert dict(count.requests) == {SECOND: 2, SECOND + 2: 1}
        assert count.errors[SECOND] == 1
        assert count.last == SECOND + 2
    assert within(count.requests, SECOND, SECOND + 1) == {SECOND: 2}


@pytest.mark.parametrize(
    "stamp",
    [
        "31/Feb/2026:12:00:00 +0000",
        "01/Foo/2026:12:00:00 +0000",
        "01/Mar/0000:12:00:00 +0000",
        "01/Mar/2026:24:00:00 +0000",
        "01/Mar/2026:12:00:60 +0000",
        "01/Mar/2026:12:00:00 +2400",
        "01/Mar/2026:12:00:00 +0160",
    ],
)
def test_a_moment_that_is_none_is_left_out(stamp: str) -> None:
    count = LogCount()
    count.feed(f'x - - [{stamp}] "GET / HTTP/1.1" 200 1\n'.encode() + line("12:00:00 +0000", 200))
    assert dict(count.requests) == {SECOND: 1}


def test_each_month_and_half_an_hour_of_a_zone_are_read() -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    count = LogCount()
    for month in months:
        count.feed(f'x - - [01/{month}/2024:00:00:07 -0330] "-" 400 -\n'.encode())
    moments = [datetime(2024, n, 1, 3, 30, 7, tzinfo=timezone.utc) for n in range(1, 13)]
    assert list(count.requests) == [int(one.timestamp()) for one in moments]


def test_quotes_that_tomcat_escaped_end_no_request() -> None:
    count = LogCount()
    stamp = b'x - - [01/Mar/2026:12:00:00 +0000] "'
    count.feed(stamp + rb'GET /\" 200 1 HTTP/1.1" 503 1' + b"\n")
    count.feed(stamp + rb'GET /\\" 404 1' + b"\n" + stamp + rb"GET /\" 200 1" + b"\n")
    assert (count.requests[SECOND], count.errors[SECOND]) == (2, 1)
