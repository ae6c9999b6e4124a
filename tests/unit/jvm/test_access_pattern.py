"""How long a request took, by the pattern of Tomcat's valve."""

from __future__ import annotations

import pytest

from jvmdiag.jvm.access_log import LogCount
from jvmdiag.jvm.access_pattern import elapsed_of

COMMON = "%h %l %u %t &quot;%r&quot; %s %b"
TOMCAT_9 = '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee"\n  version="4.0">'
TOMCAT_10 = '<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee"\n  version="6.0">'
PATH = "/srv/logs/localhost_access_log.2026-03-01.txt"


def valve(pattern: str, prefix: str = "localhost_access_log") -> str:
    return (
        '<Valve className="org.apache.catalina.valves.AccessLogValve" directory="logs"\n'
        f'  prefix="{prefix}" suffix=".txt" pattern="{pattern}" />\n'
    )


@pytest.mark.parametrize(
    ("pattern", "conf", "rest", "seconds"),
    [
        (f"{COMMON} %D", TOMCAT_10, " 1234 400123", 0.400123),
        (f"{COMMON} %D", TOMCAT_9, " 1234 400", 0.4),
        (f"{COMMON} %T", TOMCAT_9, " - 0.012", 0.012),
        # Whole seconds: nothing to be told.
        (f"{COMMON} %T", TOMCAT_10, " - 0", None),
        (f"{COMMON} %F %T %{{ms}}T", TOMCAT_10, " - 3 0 12", 0.012),
        (
            f"{COMMON} &quot;%{{Referer}}i&quot; &quot;%{{User-Agent}}i&quot; [%D]",
            TOMCAT_10,
            ' 5 "-" "a \\"7\\" b" [9]',
            9e-6,
        ),
        (f"{COMMON} %D", TOMCAT_10, " 1234", None),
        (f"{COMMON} %D", TOMCAT_10, " 1234 -", None),
        (COMMON, TOMCAT_10, " 1234 400123", None),
        ("common", TOMCAT_10, " 1234 400123", None),
        ("%t %D %s", TOMCAT_10, " 1", None),
        # Whose web.xml cannot be read, of that nobody knows the unit.
        (f"{COMMON} %D", "", " 1234 400", None),
        (f"{COMMON} %{{ms}}T", "", " 1234 400", 0.4),
        (f"{COMMON} %U%q %D", TOMCAT_10, " 5 /a?b=7 9", 9e-6),
        (f"{COMMON}%D", TOMCAT_10, " 12349", None),
    ],
)
def test_the_pattern_says_where_the_time_stands_and_the_version_its_unit(
    pattern: str, conf: str, rest: str, seconds: float | None
) -> None:
    elapsed = elapsed_of(valve(pattern) + conf, PATH)
    found = elapsed.seconds(rest.encode()) if elapsed else None
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "conf",
    [
        "",
        "<Valve",
        f"<!-- {valve(f'{COMMON} %D')} -->",
        valve(f"{COMMON} %D", prefix="other"),
        valve(f"{COMMON} %D") + valve(f"{COMMON} %T"),
        valve(f"{COMMON} %D").replace(".AccessLogValve", ".JDBCAccessLogValve"),
    ],
)
def test_what_does_not_tell_is_not_guessed(conf: str) -> None:
    assert elapsed_of(conf + TOMCAT_9, PATH) is None


def test_a_line_of_another_pattern_is_tried_no_longer_than_it_is() -> None:
    elapsed = elapsed_of(valve(f"{COMMON} %U%q%v%m %D") + TOMCAT_10, PATH)
    assert elapsed is not None
    assert elapsed.seconds(b" 5 " + b"a" * 8000) is None


def test_quotes_in_names_are_entities() -> None:
    conf = valve(f"{COMMON} %D", prefix="shop&apos;s &quot;access&quot; log") + TOMCAT_10
    assert elapsed_of(conf, '/l/shop\'s "access" log 2026.txt (deleted)') is not None


def test_times_are_counted_with_the_requests_of_their_second() -> None:
    count = LogCount(elapsed=elapsed_of(valve(f"{COMMON} %D") + TOMCAT_9, PATH))
    for took in ("5", "15", "-"):
        count.feed(f'x - - [01/Mar/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 12 {took}\n'.encode())
    [(second, times)] = count.times.items()
    assert count.requests[second] == 3
    assert times.count == 2
    assert times.total_s == pytest.approx(0.02)
    assert times.longest_s == pytest.approx(0.015)
