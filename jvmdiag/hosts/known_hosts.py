"""The known_hosts format of OpenSSH: which keys a host may show, and the line that says so."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

SSH_PORT = 22


@dataclass(frozen=True)
class HostKey:
    """A public key as SSH names and encodes it."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """SHA256:..., as ssh and ssh-keygen -l print it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return f"SHA256:{digest.rstrip('=')}"

    def __str__(self) -> str:
        return f"{self.kind} {self.fingerprint}"


class Marker(str, Enum):
    """What stands in front of a line."""

    NONE = ""
    REVOKED = "@revoked"
    CERT_AUTHORITY = "@cert-authority"


@dataclass(frozen=True)
class KnownHost:
    """One line: the patterns it is for, its key, and where it stands as FILE:LINE."""

    marker: Marker
    patterns: tuple[str, ...]
    key: HostKey
    where: str

    def matches(self, name: str) -> bool:
        """Whether the line is for `name` (lower case, [host]:port where the port is not 22)."""
        found = False
        for pattern in self.patterns:
            if pattern.startswith("!"):
                if _matches(pattern[1:], name):
                    return False
            elif _matches(pattern, name):
                found = True
        return found


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _hashed_matches(pattern, name)
    # fnmatch takes [ as a set, ssh takes it as itself.
    return fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _hashed_matches(pattern: str, name: str) -> bool:
    try:
        salt, expected = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), expected)


def lookup_name(host: str, port: int, alias: str | None) -> str:
    """The name under which ssh keeps the host: HostKeyAlias, else the host with a port not 22."""
    if alias:
        return alias.lower()
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def read_known_hosts(paths: Iterable[Path]) -> tuple[KnownHost, ...]:
    """Every line of every file that can be read; lines that ssh would skip are skipped."""
    return tuple(line for path in paths for line in _read(path))


def _read(path: Path) -> list[KnownHost]:
    try:
        text = path.expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return parse_known_hosts(text, str(path))


def parse_known_hosts(text: str, path: str) -> list[KnownHost]:
    """The lines of one file; `path` is only for their `where`."""
    lines = (_line(line, f"{path}:{number}") for number, line in enumerate(text.splitlines(), 1))
    return [line for line in lines if line is not None]


def _line(text: str, where: str) -> KnownHost | None:
    fields = text.split()
    if not fields or fields[0].startswith("#"):
        return None
    marker = Marker.NONE
    if fields[0].startswith("@"):
        try:
            marker = Marker(fields.pop(0))
        except ValueError:
            return None
    if len(fields) < 3:
        return None
    names, kind, encoded = fields[:3]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return None
    return KnownHost(marker, tuple(name for name in names.split(",") if name), HostKey(kind, blob), where)


class Trust(str, Enum):
    """What known_hosts says about a key that a host showed."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Verdict:
    """`lines` are those that decided it. `certified` says that only a certificate authority is known."""

    trust: Trust
    lines: tuple[KnownHost, ...] = ()
    certified: bool = False


class KnownHosts:
    """The lines that are for one host."""

    def __init__(self, lines: Iterable[KnownHost], host: str, port: int, alias: str | None = None) -> None:
        self.name = lookup_name(host, port, alias)
        everything = tuple(lines)
        self._own = tuple(line for line in everything if line.matches(self.name))
        # ssh takes the key of the bare name for another port too, where it is the same key.
        bare = host.lower()
        self._bare = () if alias or port == SSH_PORT else tuple(x for x in everything if x.matches(bare))

    def kinds(self) -> tuple[str, ...]:
        """The key types that are known, to be asked for first: a host has several keys, and shows one."""
        plain = [x for x in (*self._own, *self._bare) if x.marker is Marker.NONE]
        return tuple(dict.fromkeys(line.key.kind for line in plain))

    def judge(self, shown: HostKey) -> Verdict:
        """Whether `shown` is the host's key."""
        same = [line for line in (*self._own, *self._bare) if line.key == shown]
        if revoked := [line for line in same if line.marker is Marker.REVOKED]:
            return Verdict(Trust.REVOKED, tuple(revoked))
        if known := [line for line in same if line.marker is Marker.NONE]:
            return Verdict(Trust.KNOWN, tuple(known))
        if other := [line for line in self._own if line.marker is Marker.NONE]:
            alike = [line for line in other if line.key.kind == shown.kind]
            return Verdict(Trust.CHANGED, tuple(alike or other))
        certified = any(line.marker is Marker.CERT_AUTHORITY for line in self._own)
        return Verdict(Trust.UNKNOWN, certified=certified)
