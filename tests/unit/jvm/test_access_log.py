"""An access log, counted by the second."""

from __future__ import annotations

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


def test_a_day_that_is_none_is_left_out() -> None:
    count = LogCount()
    count.feed(b'x - - [31/Feb/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1\n' + line("12:00:00 +0000", 200))
    assert dict(count.requests) == {SECOND: 1}
