"""Which management agents run in a JVM, by its answer to ManagementAgent.status. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from jvmdiag.jmx.jrmp import RemoteRef, stub_ref
from jvmdiag.jmx.stream import BadStream

STATUS = "ManagementAgent.status"
START = "ManagementAgent.start_local"
_KIND = re.compile(r"^Connection Type *: *(\w+)", re.MULTILINE)
_URL = re.compile(r"^URL *: *service:jmx:rmi://[^/\s]*/stub/([A-Za-z0-9+/=]+)", re.MULTILINE)
_PROPERTY = re.compile(r"^ *com\.sun\.management\.jmxremote\.([\w.]+) = (.*)$", re.MULTILINE)
_DEFAULT = " [default]"
# What the JVM says goes to a command of its machine: an address or a name, and no option.
_HOST = re.compile(r"[0-9A-Za-z:][0-9A-Za-z.:%_-]*")
_ANY = ("", "0.0.0.0", "::", "localhost", "::1")  # noqa: S104 - it is compared
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Agent:
    """`server` is its RMIServer, `host` where it listens as seen from the JVM's own network. `tls`, `asks`: whether it
    speaks TLS, and whether it wants a user and a password. A local one does neither."""

    local: bool
    server: RemoteRef
    host: str
    tls: bool
    asks: bool


def agents_of(status: str) -> tuple[Agent, ...]:
    """The local one first: it asks for nothing. One that cannot be understood is left out."""
    parts = re.split(r"(?=^Connection Type *:)", status, flags=re.MULTILINE)
    found = [agent for part in parts if (agent := _agent(part))]
    return tuple(sorted(found, key=lambda one: not one.local))


def is_status(text: str) -> bool:
    """Whether it is an answer to that command."""
    return bool(re.search(r"^Agent *: *\w+", text, re.MULTILINE))


def _agent(text: str) -> Agent | None:
    kind, url = _KIND.search(text), _URL.search(text)
    if not kind or not url:
        return None
    try:
        server = stub_ref(base64.b64decode(url[1]))
    except (BadStream, binascii.Error):
        return None
    said = {name: value.rstrip().removesuffix(_DEFAULT) for name, value in _PROPERTY.findall(text)}
    local = kind[1] == "local"
    host = "" if local else said.get("host", "")
    if host and not _HOST.fullmatch(host):
        return None
    return Agent(
        local,
        server,
        _LOOPBACK if host in _ANY else host,
        # Each is true where nothing is said.
        tls=not local and (said.get("ssl") != "false" or bool(server.factory)),
        asks=not local and said.get("authenticate") != "false",
    )
