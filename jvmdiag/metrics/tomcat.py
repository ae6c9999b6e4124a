"""Tomcat: threads, requests and times of each connector, from what is there already. Pure but for `read_tomcat`.

Its manager's status page says most, and JMX as much. Without them a thread dump tells busy threads from idle ones, and
the kernel's names of threads tell how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.etree import ElementTree

from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.http import Credentials, Http, NoPage, Page, Why, shown
from jvmdiag.metrics.sockets import LISTEN, Socket
from jvmdiag.metrics.tomcat_threads import count_by_kernel, http_port, pools_of

_MANAGER = "http://127.0.0.1:{port}/manager/status?XML=true"
DEFAULT_URL = _MANAGER.format(port=8080)
# A connector's name ends with its port: http-nio-127.0.0.1-8080.
_PORT = re.compile(r"-(\d+)$")
# Tomcat closes its end of what the caller has closed.
_OPEN = ("ESTABLISHED", "CLOSE_WAIT")
_WITH_DUMP = (
    "Tomcat's threads.max, requests and times: they take the manager's status page (--tomcat-user), or JMX"
)
_WITH_NAMES = (
    "Tomcat's busy threads: they take the manager's status page (--tomcat-user), JMX or a thread dump"
)


def manager_url(comms: Sequence[str]) -> str:
    """Where its manager's status page is by default; `comms` are the kernel's names of the JVM's threads."""
    return _MANAGER.format(port=http_port(comms) or 8080)


@dataclass(frozen=True)
class Connector:
    """One connector in a reading of the page. `asked_us` is whether it serves the reading itself, and `own_bytes` what
    it sends for it, which it counts afterwards."""

    name: str
    threads_max: int
    threads_current: int
    threads_busy: int
    requests: int
    errors: int
    received_bytes: int
    sent_bytes: int
    processing_ms: int
    longest_ms: int
    asked_us: bool
    own_bytes: int = 0


@dataclass(frozen=True)
class ManagerStatus:
    connectors: tuple[Connector, ...]

    def named(self, name: str) -> Connector | None:
        return next((one for one in self.connectors if one.name == name), None)


def parse_manager_status(text: str, path: str = "/manager/status") -> ManagerStatus | None:
    """None where the text is no such page. `path` is the page's own, by which it finds itself among the requests."""
    # No document type: nothing is expanded, from whomever this page comes.
    if "<!DOCTYPE" in text:
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314
        size = len(text.encode("utf-8", "replace"))
        return ManagerStatus(tuple(_connector(one, path, size) for one in root.iter("connector")))
    except (ElementTree.ParseError, ValueError, LookupError, AttributeError):
        return None


def _connector(element: ElementTree.Element, path: str, size: int) -> Connector:
    threads, requests = element.find("threadInfo"), element.find("requestInfo")
    if threads is None or requests is None:
        raise LookupError(element.tag)
    # S: it is being served.
    asked_us = any(w.get("stage") == "S" and w.get("currentUri") == path for w in element.iter("worker"))
    return Connector(
        name=element.attrib["name"].strip('"'),
        threads_max=int(threads.attrib["maxThreads"]),
        threads_current=int(threads.attrib["currentThreadCount"]),
        threads_busy=int(threads.attrib["currentThreadsBusy"]),
        requests=int(requests.attrib["requestCount"]),
        errors=int(requests.attrib["errorCount"]),
        received_bytes=int(requests.attrib["bytesReceived"]),
        sent_bytes=int(requests.attrib["bytesSent"]),
        processing_ms=int(requests.attrib["processingTime"]),
        longest_ms=int(requests.attrib["maxTime"]),
        asked_us=asked_us,
        own_bytes=size if asked_us else 0,
    )


def read_tomcat(http: Http, credentials: Credentials, url: str = DEFAULT_URL) -> ManagerStatus | NoPage:
    """A reading of the page at `url`; why not, where there is none."""
    return manager_status_of(http.get(url, credentials), url)


def manager_status_of(page: Page | NoPage, url: str) -> ManagerStatus | NoPage:
    if isinstance(page, NoPage):
        return page
    text = "it is no status page of Tomcat's manager for programs: does the URL end with ?XML=true"
    return parse_manager_status(page.text, urlsplit(url).path) or NoPage(Why.OTHER, f"{shown(url)}: {text}")


def tomcat_group(
    before: ManagerStatus | None,
    after: ManagerStatus | None,
    seconds: float,
    dump: str | None,
    comms: Sequence[str],
    unseen: tuple[str, ...],
    sockets: Sequence[Socket] = (),
    more_figures: tuple[Figure, ...] = (),
) -> Group:
    """Of two readings that are `seconds` apart (one alone gives no rates), by the manager's page or by JMX, else of the
    text of a thread dump, else of the kernel's names of the JVM's threads; and of the sockets of its network. Without
    figures where there is no Tomcat."""
    listeners = _listeners(dump) if dump else ()
    if after:
        threads = flat(_by_manager(before, one, seconds) for one in after.connectors)
        more: tuple[str, ...] = ()
    elif dump:
        threads = tuple(_by_dump(dump))
        more = (_WITH_DUMP,) if threads or listeners else ()
    else:
        counts, hidden = count_by_kernel(comms)
        threads = tuple(figure("tomcat.threads.current", n, connector=name) for name, n in counts)
        more = (*hidden, _WITH_NAMES, _WITH_DUMP) if threads or hidden else ()
    names = dict.fromkeys(one.label("connector") for one in (*threads, *listeners))
    busy = {one.label("connector"): one.value for one in threads if one.name == "tomcat.threads.busy"}
    connections = flat(_connections(name, sockets, busy.get(name)) for name in names)
    return Group("tomcat", (*threads, *listeners, *connections, *more_figures), (*unseen, *more))


def _connections(connector: str, sockets: Sequence[Socket], busy: float | None) -> Iterator[Figure]:
    port = _PORT.search(connector)
    own = [one for one in sockets if port and one.port == int(port[1])]
    waiting = [one.queued for one in own if one.state == LISTEN]
    if waiting:
        # One that nobody has accepted yet has no inode.
        accepted = sum(one.state in _OPEN and one.inode != 0 for one in own)
        yield figure("tomcat.connections", accepted, connector=connector)
        if busy is not None:
            yield figure("tomcat.connections.without_thread", max(accepted - busy, 0), connector=connector)
        yield figure("tomcat.queue", sum(waiting), connector=connector)


def _by_manager(before: ManagerStatus | None, now: Connector, seconds: float) -> tuple[Figure, ...]:
    # -1 stands for an executor of somebody's own.
    most = now.threads_max if now.threads_max > 0 else None
    return present(
        figure("tomcat.threads.busy", now.threads_busy, connector=now.name),
        figure("tomcat.threads.current", now.threads_current, connector=now.name),
        maybe("tomcat.threads.max", most, connector=now.name),
        maybe("tomcat.threads.busy_share", now.threads_busy / most if most else None, connector=now.name),
        *_rates(before.named(now.name) if before else None, now, seconds),
        figure("tomcat.time.max", now.longest_ms / 1000, connector=now.name),
        figure("tomcat.requests.total", now.requests, connector=now.name),
        figure("tomcat.errors.total", now.errors, connector=now.name),
    )


def _rates(then: Connector | None, now: Connector, seconds: float) -> Iterator[Figure]:
    # Fewer than before: it was started anew meanwhile.
    if then is None or seconds <= 0 or now.requests < then.requests:
        return
    ours = 1 if then.asked_us else 0
    requests, served_ms = now.requests - then.requests, now.processing_ms - then.processing_ms
    name = now.name
    yield figure("tomcat.requests.rate", max(requests - ours, 0) / seconds, connector=name)
    yield figure("tomcat.errors.rate", (now.errors - then.errors) / seconds, connector=name)
    yield figure("tomcat.received.rate", (now.received_bytes - then.received_bytes) / seconds, connector=name)
    sent = max(now.sent_bytes - then.sent_bytes - then.own_bytes, 0)
    yield figure("tomcat.sent.rate", sent / seconds, connector=name)
    yield figure("tomcat.processing.rate", served_ms / 1000 / seconds, connector=name)
    if requests:
        yield figure("tomcat.time.mean", served_ms / 1000 / requests, connector=name)


def _by_dump(dump: str) -> Iterator[Figure]:
    for pool in pools_of(dump):
        if pool.current:
            yield figure("tomcat.threads.busy", pool.busy, connector=pool.name)
            yield figure("tomcat.threads.current", pool.current, connector=pool.name)


def _listeners(dump: str) -> tuple[Figure, ...]:
    pools = [pool for pool in pools_of(dump) if pool.acceptors or pool.pollers]
    acceptors = (figure("tomcat.acceptors", pool.acceptors, connector=pool.name) for pool in pools)
    pollers = (figure("tomcat.pollers", pool.pollers, connector=pool.name) for pool in pools)
    return (*acceptors, *pollers)
