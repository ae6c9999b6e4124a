"""Tomcat's pools by the names and stacks of threads: a thread dump, or the kernel's names. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NAME = re.compile(r'^"(?P<name>.+?)" (?:#\d|daemon |prio=|os_prio=|cpu=)')
# Threads of a connector are http-nio-8080-exec-1, of a shared executor catalina-exec-1; before Tomcat 9 there were
# several acceptors, and pollers were named ClientPoller.
_ROLE = re.compile(
    r"(?P<pool>.+)-(?:(?P<exec>exec-\d+)|(?P<acceptor>Acceptor(?:-\d+)?)|(?P<poller>(?:Client)?Poller(?:-\d+)?))"
)
# A worker without work waits for some in the queue of its own pool; Tomcat 10 has a ThreadPoolExecutor of its own.
_WITHOUT_WORK = re.compile(
    r"^\tat (?:org\.apache\.tomcat|java)\.util\.\S*ThreadPoolExecutor\.getTask\(", re.MULTILINE
)
# The kernel keeps 15 characters of a name.
_KEPT = 15
_BY_KERNEL = re.compile(r"(?P<pool>(?:(?:http|https|ajp)-[\w.-]*-\d+|catalina))-(?P<role>[eAPC]\S*)")
_PLAIN_PORT = re.compile(r"http-(?:nio2?|apr|bio)-(\d{1,5})-.*")
_CUT_SHORT = re.compile(r"https-(?:jsse|openssl)-\S*|(?:https?|ajp)-(?:nio2?|apr|bio)-\S*")


@dataclass(frozen=True)
class Pool:
    """A connector, or an executor that several share: its worker threads, and the two that feed them."""

    name: str
    current: int
    busy: int
    acceptors: int
    pollers: int


def pools_of(dump: str) -> tuple[Pool, ...]:
    """In order of their names; none where this is not Tomcat."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, stack in _threads(dump):
        role = _ROLE.fullmatch(name)
        if role is None:
            continue
        kind = str(role.lastgroup)
        counts[role["pool"]][kind] += 1
        if kind == "exec" and not _WITHOUT_WORK.search(stack):
            counts[role["pool"]]["busy"] += 1
    return tuple(
        Pool(name, of["exec"], of["busy"], of["acceptor"], of["poller"])
        for name, of in sorted(counts.items())
    )


def _threads(dump: str) -> Iterator[tuple[str, str]]:
    """Each thread's name and what stands below."""
    name, stack = "", list[str]()
    for line in dump.splitlines():
        head = _NAME.match(line)
        if head is None:
            stack.append(line)
            continue
        if name:
            yield name, "\n".join(stack)
        name, stack = head["name"], []
    if name:
        yield name, "\n".join(stack)


def http_port(comms: Sequence[str]) -> int | None:
    """The port of a connector that speaks HTTP without TLS, by the kernel's names of its threads; None where they do
    not tell. 8080 where that is among several."""
    ports = {int(found[1]) for comm in comms if (found := _PLAIN_PORT.fullmatch(comm))}
    return 8080 if 8080 in ports else min(ports, default=None)


def is_tomcat(comms: Sequence[str]) -> bool:
    """Whether any of the kernel's names is of a connector: of its poller, where an executor has the workers."""
    return any(_BY_KERNEL.fullmatch(comm) or _CUT_SHORT.fullmatch(comm) for comm in comms)


def count_by_kernel(comms: Sequence[str]) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...]]:
    """Worker threads of each connector, and a line for each that cannot be told: its name leaves no room for `-e`."""
    counts: Counter[str] = Counter()
    short: Counter[str] = Counter()
    for comm in comms:
        if found := _BY_KERNEL.fullmatch(comm):
            counts[found["pool"]] += found["role"].startswith("e")
        elif len(comm) == _KEPT and _CUT_SHORT.fullmatch(comm):
            short[comm] += 1
    hidden = tuple(
        f"Tomcat's threads {name}…: {n}, acceptor and poller among them: the kernel keeps no more of a name"
        for name, n in sorted(short.items())
    )
    return tuple(sorted((name, n) for name, n in counts.items() if n)), hidden
