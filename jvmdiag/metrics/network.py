"""Network: interfaces, TCP's own counters, and who is connected to which port. Of the JVM's network namespace. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from jvmdiag.metrics.figure import Figure, Group, figure, flat
from jvmdiag.metrics.look import Look
from jvmdiag.metrics.sockets import LISTEN, Socket, listening_of_process, sockets_of, too_many

_INTERFACE = re.compile(r"^ *([^ :|]+): *(\d[\d ]+)$", re.MULTILINE)
# Where a column stands behind the name in /proc/net/dev.
_COLUMNS = {
    "received": 0,
    "receive_errors": 2,
    "receive_drops": 3,
    "receive_overruns": 4,
    "sent": 8,
    "send_errors": 10,
    "send_drops": 11,
    "send_overruns": 12,
}
_TCP = {
    "tcp.segments_out": ("Tcp", "OutSegs"),
    "tcp.segments_in": ("Tcp", "InSegs"),
    "tcp.retransmits": ("Tcp", "RetransSegs"),
    "tcp.resets_sent": ("Tcp", "OutRsts"),
    "tcp.connections_reset": ("Tcp", "EstabResets"),
    "tcp.connects_failed": ("Tcp", "AttemptFails"),
    "tcp.listen_overflows": ("TcpExt", "ListenOverflows"),
    "tcp.listen_drops": ("TcpExt", "ListenDrops"),
}
_ADDRESSES_SHOWN = 5
USUAL_PORTS = frozenset({80, 443})
_FEW_SEGMENTS = 100


def network_group(before: Look, after: Look) -> Group:
    sockets = sockets_of(after)
    many = too_many(after)
    unseen = (
        [f"connections by address: {many} TCP sockets, and reading that table would hold up the kernel"]
        if many
        else []
    )
    if after.pid is not None and not after.text("descriptors"):
        unseen.append("on which ports the JVM listens: /proc/PID/fd is for its owner and root")
    elif " -> ?\n" in after.text("descriptors"):
        unseen.append("on which ports the JVM listens: it takes ls there")
    return Group(
        "network",
        flat((_interfaces(before, after), _tcp(before, after), _connections(after, sockets))),
        tuple(unseen),
    )


def _interfaces(before: Look, after: Look) -> Iterator[Figure]:
    earlier, seconds = _rows(before), after.at_s - before.at_s
    for name, row in _rows(after).items():
        if name in earlier and seconds > 0:
            for what, column in _COLUMNS.items():
                yield figure(
                    f"network.{what}", max(row[column] - earlier[name][column], 0) / seconds, interface=name
                )


def _rows(look: Look) -> dict[str, list[int]]:
    rows = {name: [int(n) for n in row.split()] for name, row in _INTERFACE.findall(look.text("net"))}
    return {name: row for name, row in rows.items() if len(row) == 16}


def _counters(look: Look, prefix: str) -> dict[str, int]:
    """A line of names and a line of numbers behind the same prefix."""
    lines = [line.split()[1:] for line in look.text("net").splitlines() if line.startswith(f"{prefix}: ")]
    return dict(zip(lines[0], map(int, lines[1]), strict=False)) if len(lines) == 2 else {}


def _tcp(before: Look, after: Look) -> Iterator[Figure]:
    earlier, later = ({p: _counters(look, p) for p in ("Tcp", "TcpExt")} for look in (before, after))
    seconds = after.at_s - before.at_s
    grown = {
        name: later[p][c] - earlier[p][c]
        for name, (p, c) in _TCP.items()
        if c in later[p] and c in earlier[p]
    }
    for name, count in grown.items():
        if seconds > 0:
            yield figure(name, count / seconds)
    sent = grown.get("tcp.segments_out", 0)
    if sent >= _FEW_SEGMENTS:
        yield figure("tcp.retransmit_share", grown.get("tcp.retransmits", 0) / sent)
    tcp = later["Tcp"]
    if tcp.get("OutSegs", 0) >= _FEW_SEGMENTS:
        yield figure("tcp.retransmit_share_since_boot", tcp.get("RetransSegs", 0) / tcp["OutSegs"])
    if "CurrEstab" in tcp:
        yield figure("tcp.established", tcp["CurrEstab"])


def _connections(after: Look, sockets: tuple[Socket, ...]) -> Iterator[Figure]:
    for state, count in sorted(Counter(one.state for one in sockets).items()):
        yield figure("connections", count, state=state)
    listening = {one.port for one in sockets if one.state == LISTEN}
    shown = (listening & USUAL_PORTS) | listening_of_process(after, sockets)
    for port in sorted(shown):
        queued = sum(one.queued for one in sockets if one.port == port and one.state == LISTEN)
        yield figure("connections.waiting", queued, port=str(port))
        # One that was closed from here lingers in TIME_WAIT and is nobody's any more.
        there = Counter(
            one.remote for one in sockets if one.port == port and one.state not in (LISTEN, "TIME_WAIT")
        )
        for address, count in sorted(there.items(), key=lambda pair: (-pair[1], pair[0]))[:_ADDRESSES_SHOWN]:
            yield figure("connections.remote", count, port=str(port), address=address)
