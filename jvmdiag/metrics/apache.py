"""Apache httpd, by mod_status: what its workers do, how much it serves, its processes. Pure but for `read_apache`.

https://httpd.apache.org/docs/2.4/mod/mod_status.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.http import Http, NoPage, Page, Why, shown
from jvmdiag.metrics.limits import limits_in

if TYPE_CHECKING:
    from jvmdiag.metrics.look import Process

DEFAULT_URL = "http://127.0.0.1/server-status?auto"
# Debian's name for it, and everybody else's.
PROGRAMS = ("apache2", "httpd")
_OPEN, _IDLE, _DISABLED = ".", "_", " "
_STATES = {
    _IDLE: "waiting",
    "S": "starting",
    "R": "reading",
    "W": "sending",
    "K": "keepalive",
    "D": "dns",
    "C": "closing",
    "L": "logging",
    "G": "finishing",
    "I": "cleanup",
    _OPEN: "open",
}
_LINE = re.compile(r"^([A-Za-z][\w ]*): ?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class ServerStatus:
    """A reading of the page. None where the page has no such line: with ExtendedStatus Off it counts nothing,
    and MPM event alone tells connections."""

    busy: int
    idle: int
    scoreboard: str
    uptime_s: int | None
    accesses: int | None
    sent_bytes: int | None
    connections: int | None
    writing: int | None
    keepalive: int | None
    closing: int | None


def parse_server_status(text: str) -> ServerStatus | None:
    """None where the text is no such page."""
    lines = dict(_LINE.findall(text))
    busy, idle = _whole(lines, "BusyWorkers"), _whole(lines, "IdleWorkers")
    if busy is None or idle is None:
        return None
    kilobytes = _whole(lines, "Total kBytes")
    return ServerStatus(
        busy=busy,
        idle=idle,
        scoreboard=lines.get("Scoreboard", ""),
        uptime_s=_whole(lines, "Uptime"),
        accesses=_whole(lines, "Total Accesses"),
        sent_bytes=None if kilobytes is None else kilobytes * 1024,
        connections=_whole(lines, "ConnsTotal"),
        writing=_whole(lines, "ConnsAsyncWriting"),
        keepalive=_whole(lines, "ConnsAsyncKeepAlive"),
        closing=_whole(lines, "ConnsAsyncClosing"),
    )


def _whole(lines: Mapping[str, str], name: str) -> int | None:
    text = lines.get(name, "")
    return int(text) if text.isdecimal() else None


def read_apache(http: Http, url: str = DEFAULT_URL) -> ServerStatus | NoPage:
    """A reading of the page at `url`; why not, where there is none."""
    return status_of(http.get(url), url)


def status_of(page: Page | NoPage, url: str) -> ServerStatus | NoPage:
    if isinstance(page, NoPage):
        return page
    text = "it is no page of mod_status for programs: does the URL end with ?auto"
    return parse_server_status(page.text) or NoPage(Why.OTHER, f"{shown(url)}: {text}")


def apache_group(
    before: ServerStatus | None,
    after: ServerStatus | None,
    seconds: float,
    processes: Sequence[Process],
    unseen: tuple[str, ...],
    limits: str = "",
) -> Group:
    """Of two readings that are `seconds` apart (one alone gives no rates), of all processes of the target, and of
    /proc/PID/limits of one of httpd's."""
    own = [process for process in processes if process.comm in PROGRAMS]
    counted = (
        (
            figure("apache.processes", len(own)),
            figure("apache.threads", sum(process.threads for process in own)),
            *_limits(limits),
        )
        if own
        else ()
    )
    if after is None:
        return Group("apache", counted, unseen)
    if after.accesses is None:
        unseen = (*unseen, "Apache's requests and bytes: it counts them with ExtendedStatus On alone")
    return Group("apache", flat((_workers(after), _rates(before, after, seconds), counted)), unseen)


def _limits(text: str) -> Iterator[Figure]:
    for what, name in (("open files", "files"), ("processes", "processes")):
        soft, hard = limits_in(text).get(what, (None, None))
        yield from present(
            maybe(f"apache.limit.{name}.soft", soft),
            maybe(f"apache.limit.{name}.hard", hard),
        )


def _workers(status: ServerStatus) -> tuple[Figure, ...]:
    slots = len(status.scoreboard.replace(_DISABLED, ""))
    return present(
        figure("apache.workers.busy", status.busy),
        figure("apache.workers.idle", status.idle),
        maybe("apache.workers.max", slots or None),
        maybe("apache.workers.busy_share", status.busy / slots if slots else None),
        *_scoreboard(status),
        maybe("apache.uptime", status.uptime_s),
        maybe("apache.connections", status.connections),
        maybe("apache.connections.writing", status.writing),
        maybe("apache.connections.keepalive", status.keepalive),
        maybe("apache.connections.closing", status.closing),
    )


def _scoreboard(status: ServerStatus) -> Iterator[Figure]:
    counts = Counter(status.scoreboard)
    return (
        figure("apache.scoreboard", counts[mark], state=state)
        for mark, state in _STATES.items()
        if counts[mark]
    )


def _rates(before: ServerStatus | None, after: ServerStatus, seconds: float) -> tuple[Figure, ...]:
    since = after.uptime_s or 0
    return present(
        maybe("apache.requests.rate", _difference(before, after, "accesses", seconds, 1)),
        maybe("apache.sent.rate", _difference(before, after, "sent_bytes", seconds, 0)),
        maybe("apache.requests.since_start", _per(after.accesses, since)),
        maybe("apache.sent.since_start", _per(after.sent_bytes, since)),
    )


def _difference(
    before: ServerStatus | None, after: ServerStatus, name: str, seconds: float, ours: int
) -> float | None:
    """By the second; None where it was not counted, or begun anew meanwhile."""
    first, last = (getattr(status, name, None) for status in (before, after))
    if first is None or last is None or last < first or seconds <= 0:
        return None
    return float(max(last - first - ours, 0)) / seconds


def _per(count: int | None, seconds: float) -> float | None:
    return None if count is None or seconds <= 0 else count / seconds
