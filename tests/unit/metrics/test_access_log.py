"""An access log from look to look, by what look.sh prints of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest

from jvmdiag.metrics.access_log import AccessLog, parse_piece
from jvmdiag.metrics.figure import Figure
from jvmdiag.metrics.requests import History, requests_group, widths_of

NOON = 1772366400  # 2026-03-01T12:00:00Z
WIDTHS = widths_of(1.0, single=True)
PATH = '/srv/it\'s "here"/logs/access log.txt'


def line(second: int, status: int = 200, hours: int = 0, client: str = "10.0.0.1") -> bytes:
    """`hours` is the zone of the stamp."""
    moment = datetime.fromtimestamp(second, timezone(timedelta(hours=hours)))
    return f'{client} - - [{moment:%d/%b/%Y:%H:%M:%S %z}] "GET /shop?token=s3cret HTTP/1.1" {status} 12\n'.encode()


def lines(per_s: Mapping[int, int]) -> bytes:
    return b"".join(line(second) * count for second, count in per_s.items())


class Log:
    """A log that grows, and what look.sh says of it."""

    def __init__(self) -> None:
        self.data, self.inode, self.modified_s = b"", 7, 0

    def grow(self, data: bytes, at_s: int) -> None:
        self.data, self.modified_s = self.data + data, at_s

    def section(self, wanted: str, now_s: int, most: int = 1 << 22) -> bytes:
        descriptor, inode, offset = (*wanted.split(), "0", "0")[:3] if wanted != "find" else ("5", "any", "0")
        begins = int(offset) if int(offset) <= len(self.data) else 0
        head = b""
        if inode not in ("any", str(self.inode)):
            begins, head = 0, f"path 1 {PATH}\n".encode()
        elif inode == "any":
            head = f"path 1 {PATH}\n".encode()
        if len(self.data) - begins > most:
            begins = len(self.data) - most
        begins = begins // 16384 * 16384
        said = f"now {now_s}\n".encode() + head
        said += f"log {descriptor} {self.inode} {len(self.data)} {self.modified_s} {begins}\ndata\n".encode()
        return said + (self.data[begins:] if int(offset) < len(self.data) or begins == 0 else b"")


def looked(log: Log, follower: AccessLog, now_s: int, most: int = 1 << 22) -> dict[str, float]:
    follower.take(log.section(follower.wanted, now_s, most))
    return figures(follower)


def figures(follower: AccessLog, widths: tuple[float, ...] = WIDTHS) -> dict[str, float]:
    return {one.name: one.value for one in requests_group(follower, History(), widths, served=True).figures}


def test_the_past_is_in_the_stamps() -> None:
    log = Log()
    log.grow(lines({NOON + n: 59 if n < 600 else 6 for n in range(661)}), NOON + 662)
    found = looked(log, AccessLog(), NOON + 665)
    assert found["requests.rate"] == found["requests.now"] == 6
    assert found["requests.before"] == 59
    assert found["requests.share"] == pytest.approx(6 / 59)
    assert found["requests.age"] == 5
    assert found["requests.seconds"] == 60


def test_errors_are_those_of_500_and_above_in_the_same_time() -> None:
    log = Log()
    stamps = [line(NOON + n, 503 if n >= 600 and n % 2 else 404) for n in range(661)]
    log.grow(b"".join(stamps), NOON + 661)
    assert looked(log, AccessLog(), NOON + 661)["requests.errors.rate"] == pytest.approx(0.5)


@pytest.mark.parametrize("lag_s", [0, 5, 10, 12, 29])
def test_what_is_not_written_yet_is_not_missing(lag_s: int) -> None:
    """Tomcat writes every ten seconds, and a JVM that stood still or a slow request may add to that."""
    log = Log()
    log.grow(lines({NOON + n: 10 for n in range(601)}), NOON + 600)
    found = looked(log, AccessLog(), NOON + 600 + lag_s)
    assert found["requests.share"] == 1
    assert found["requests.age"] == lag_s


def test_a_log_that_is_written_in_bursts_shows_an_even_rate() -> None:
    log, follower = Log(), AccessLog()
    written_s = NOON + 600
    log.grow(lines({NOON + n: 20 for n in range(600)}), written_s)
    widths = widths_of(1.0, single=False)
    for now_s in range(NOON + 601, NOON + 700):
        if now_s - written_s == 10:
            # The buffer ends somewhere in a second, and in a line.
            burst = lines(dict.fromkeys(range(written_s, now_s), 20))
            log.grow(burst, now_s)
            written_s = now_s
        looked(log, follower, now_s)
        found = figures(follower, widths)
        assert found["requests.rate"] == 20
        assert found["requests.share"] == 1


@pytest.mark.parametrize("silent_s", [30, 47, 600, 3000])
def test_a_tomcat_that_hangs_logs_nothing_and_that_is_a_fall(silent_s: int) -> None:
    log = Log()
    log.grow(lines({NOON + n: 5 for n in range(601)}), NOON + 600)
    found = looked(log, AccessLog(), NOON + 600 + silent_s)
    assert found["requests.now"] == found["requests.share"] == found["requests.errors.rate"] == 0
    assert found["requests.before"] == 5
    assert found["requests.age"] == found["requests.seconds"] == silent_s


def test_the_log_of_a_quiet_night_is_no_fall() -> None:
    log = Log()
    log.grow(b"".join(line(NOON + 300 * n) for n in range(50)), NOON + 300 * 49)
    found = looked(log, AccessLog(), NOON + 300 * 49 + 200)
    assert "requests.share" not in found
    assert found["requests.rate"] == 0
    assert found["requests.age"] == 200


def test_a_log_of_yesterday_says_how_old_it_is() -> None:
    log = Log()
    log.grow(lines({NOON + n: 5 for n in range(601)}), NOON + 600)
    assert looked(log, AccessLog(), NOON + 86400) == {"requests.age": 86400 - 600}


@pytest.mark.parametrize("hours", [-11, 2, 14])
def test_the_zone_of_a_stamp_counts(hours: int) -> None:
    log = Log()
    log.grow(b"".join(line(NOON + n, hours=hours) * 5 for n in range(601)), NOON + 600)
    follower = AccessLog()
    assert looked(log, follower, NOON + 603)["requests.age"] == 3
    assert follower.unseen == ()


@pytest.mark.parametrize("off_s", [-7200, -95, 40, 7200])
def test_a_clock_of_the_stamps_that_differs_is_said_and_makes_no_silence(off_s: int) -> None:
    log = Log()
    log.grow(lines({NOON + n + off_s: 5 for n in range(601)}), NOON + 600)
    follower = AccessLog()
    found = looked(log, follower, NOON + 604)
    assert found["requests.share"] == 1
    assert found["requests.age"] <= 15
    assert f"{off_s:+,} s off" in follower.unseen[0]
    assert looked(log, follower, NOON + 700)["requests.share"] == 0


def test_one_of_several_that_falls_silent_is_looked_for_again() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(601)}), NOON + 600)
    follower.take(log.section("find", NOON + 601).replace(b"path 1", b"path 2"))
    looked(log, follower, NOON + 629)
    assert follower.wanted != "find"
    looked(log, follower, NOON + 631)
    assert follower.wanted == "find"
    # It is still the one that was written last.
    assert looked(log, follower, NOON + 640)["requests.share"] == 0


@pytest.mark.parametrize("year", [2019, 2030])
def test_a_stamp_that_a_caller_sent_is_none(year: int) -> None:
    log = Log()
    forged = f'[01/Mar/{year}:12:00:00 +0000] "GET / HTTP/1.1" 200'
    log.grow(line(NOON, client=forged), NOON)
    log.grow(lines({NOON + n: 5 for n in range(600)}), NOON + 600)
    log.grow(line(NOON + 600, client=forged) + line(NOON + 600) * 2, NOON + 600)
    found = looked(log, AccessLog(), NOON + 602)
    assert found["requests.share"] == 1 and found["requests.age"] == 2


def test_a_log_that_is_rotated_counts_on_without_the_lines_that_nobody_saw() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(600)}), NOON + 600)
    looked(log, follower, NOON + 601)
    # Nobody saw the lines of 600 to 620; the new log begins with 620.
    log.data, log.inode = b"", 8
    log.grow(lines({NOON + n: 5 for n in range(620, 625)}), NOON + 625)
    found = looked(log, follower, NOON + 626)
    assert "requests.share" not in found
    assert found["requests.age"] == 2
    log.grow(lines({NOON + n: 5 for n in range(625, 701)}), NOON + 700)
    found = looked(log, follower, NOON + 701)
    assert found["requests.share"] == 1 and found["requests.seconds"] == 60


def test_a_log_that_is_truncated_counts_on() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(600)}), NOON + 600)
    looked(log, follower, NOON + 601)
    log.data = b""
    log.grow(lines({NOON + n: 5 for n in range(605, 680)}), NOON + 680)
    assert looked(log, follower, NOON + 681)["requests.share"] == 1


def test_of_more_than_is_read_at_once_what_was_not_read_is_not_missing() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(600)}), NOON + 600)
    looked(log, follower, NOON + 601)
    log.grow(lines({NOON + n: 5 for n in range(600, 900)}), NOON + 900)
    found = looked(log, follower, NOON + 901, most=40_000)
    assert found["requests.share"] == 1
    assert found["requests.rate"] == 5


def test_another_log_takes_the_place_of_one_that_it_does_not_follow_on() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(600)}), NOON + 600)
    looked(log, follower, NOON + 601)
    log.data, log.inode = lines({NOON + n: 2 for n in range(610)}), 9
    found = looked(log, follower, NOON + 612)
    assert found["requests.before"] == found["requests.rate"] == 2


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (b"now 5\n", "no access log is among the files that the JVM has open"),
        (b"closed\nnow 5\n", "alone see which files the JVM has open"),
        (b"missing ls\nmissing dd\nnow 5\n", "it takes ls, dd there"),
        (b"now 5\npath 1 /l/access.log\nlog 5 7 100 4 0\nunreadable\n", "/l/access.log: it may not be read"),
        (b"now 5\npath 1 /l/access.log\nlog 5 7 4 4 0\ndata\nGET\n", "no line has the time of %t"),
        (
            b"now 5\npath 3 /l/access.log\nlog 5 7 90 4 0\ndata\n" + line(4),
            "2 more access logs are open: /l/access.log alone",
        ),
    ],
)
def test_what_is_not_seen_is_said(section: bytes, said: str) -> None:
    follower = AccessLog()
    follower.take(section)
    assert said in follower.unseen[0]
    assert requests_group(follower, History(), WIDTHS, served=True).unseen == follower.unseen


@pytest.mark.parametrize(
    "section",
    [
        b"",
        b"\n",
        b"now \xff\n",
        b"now " + b"9" * 5000,
        b"log 1 2 3 4\ndata\n",
        b"log 1 2 3 4 " + b"9" * 5000,
        b"data",
    ],
)
def test_what_is_no_answer_makes_no_figure(section: bytes) -> None:
    follower = AccessLog()
    follower.take(section)
    assert figures(follower) == {}
    assert follower.wanted == "find"


def test_nothing_of_a_line_stays() -> None:
    log, follower = Log(), AccessLog()
    log.grow(lines({NOON + n: 5 for n in range(601)}) + b"\n", NOON + 600)
    found: tuple[Figure, ...] = ()
    looked(log, follower, NOON + 601)
    group = requests_group(follower, History(), WIDTHS, served=True)
    found = group.figures
    assert found and "s3cret" not in repr(vars(follower)) + repr(found) + repr(group.unseen)


def test_a_path_is_kept_as_it_is() -> None:
    piece = parse_piece(f"now 5\npath 2 {PATH} -> (deleted)\nlog 5 7 100 4 0\ndata\nxyz".encode())
    assert piece.path == f"{PATH} -> (deleted)" and piece.data == b"xyz" and piece.logs == 2
