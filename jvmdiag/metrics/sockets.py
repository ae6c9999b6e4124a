"""The TCP sockets of a network namespace, as /proc/net/tcp and tcp6 list them. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from jvmdiag.metrics.look import Look

# include/net/tcp_states.h
_STATES = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "07": "CLOSE",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
    "0C": "NEW_SYN_RECV",
}
LISTEN = "LISTEN"
_ROW = re.compile(
    r"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):[0-9A-F]{4} ([0-9A-F]{2}) [0-9A-F]+:([0-9A-F]+) "
    r"\S+ \S+ +\d+ +\d+ (\d+)",
    re.MULTILINE,
)
_DESCRIPTOR = re.compile(r"-> socket:\[(\d+)\]$", re.MULTILINE)


@dataclass(frozen=True)
class Socket:
    """`queued` of one that listens is the number of connections that wait to be accepted; of others, bytes unread."""

    port: int
    remote: str
    state: str
    queued: int
    inode: int


def sockets_of(look: Look) -> tuple[Socket, ...]:
    return tuple(_rows(look.text("sockets")))


def too_many(look: Look) -> int | None:
    """How many there are, where the table was not read because of that."""
    found = re.match(r"many (\d+)", look.text("sockets"))
    return int(found[1]) if found else None


def _rows(text: str) -> Iterator[Socket]:
    for _, port, remote, state, queued, inode in _ROW.findall(text):
        yield Socket(
            int(port, 16), address_of(remote), _STATES.get(state, state), int(queued, 16), int(inode)
        )


def address_of(digits: str) -> str:
    """Of the kernel's hexadecimal digits: words of 32 bits as a little-endian machine has them. An IPv4 address in
    IPv6's clothes is shown as the former."""
    packed = b"".join(bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8))
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def listening_of_process(look: Look, sockets: tuple[Socket, ...]) -> frozenset[int]:
    """The ports on which the process itself listens; empty where its descriptors were not to be read."""
    own = {int(inode) for inode in _DESCRIPTOR.findall(look.text("descriptors"))}
    return frozenset(one.port for one in sockets if one.state == LISTEN and one.inode in own)
