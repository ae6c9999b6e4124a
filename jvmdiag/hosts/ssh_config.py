"""~/.ssh/config to Hop: how one host of the chain is reached, as ssh itself would."""

from __future__ import annotations

import getpass
import glob
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paramiko import ConfigParseError, SSHConfig

from jvmdiag.errors import BadRequest
from jvmdiag.hosts.known_hosts import SSH_PORT
from jvmdiag.hosts.ssh_errors import foreign_errors
from jvmdiag.target import SshTarget

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
# ssh's own limit.
_INCLUDE_DEPTH = 16
_HOPS = 8


@dataclass(frozen=True)
class Hop:
    """One host of the chain. `jumps` are the hosts before it; no `proxy_command` is a plain connection."""

    alias: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    identities_only: bool
    identity_files_are_defaults: bool
    use_agent: bool
    known_hosts: tuple[Path, ...]
    host_key_alias: str | None
    proxy_command: str | None
    jumps: tuple[Hop, ...]
    connect_timeout_s: float | None
    family: str

    @property
    def address(self) -> str:
        """As in a message: user@host, with a port that is not 22."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" if self.port == SSH_PORT else f"{self.user}@{host}:{self.port}"


class SshConfig:
    """A config file, Include followed; a file that is not there is an empty one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path and _home(str(path))
        self._text = _read(self._path) if self._path else ""

    def hop(self, target: SshTarget, *, depth: int = 0) -> Hop:
        """How to reach `target`. Raises BadRequest for a config that is wrong or runs in circles."""
        if depth > _HOPS:
            raise BadRequest(f"ProxyJump to {target.host} runs in circles", advice="look at: ssh -G HOST")
        found = self._lookup(target)
        spec = found.get("proxyjump") or "none"
        jumps = () if spec.lower() == "none" else self._jumps(spec, target, depth)
        command = found.get("proxycommand")
        files = tuple(_home(name) for name in found.get("identityfile") or ())
        return Hop(
            alias=target.host,
            host=found["hostname"],
            port=self._port(found.get("port", SSH_PORT)),
            user=found.get("user") or _login_name(),
            identity_files=files or tuple(_home(name) for name in _DEFAULT_KEYS),
            identities_only=_yes(found.get("identitiesonly")),
            identity_files_are_defaults=not files,
            use_agent=(found.get("identityagent") or "").lower() != "none",
            known_hosts=self._known_hosts(found.get("userknownhostsfile")),
            host_key_alias=found.get("hostkeyalias"),
            proxy_command=None if jumps or not command else command,
            jumps=jumps,
            connect_timeout_s=_seconds(found.get("connecttimeout")),
            family=(found.get("addressfamily") or "any").lower(),
        )

    def _lookup(self, target: SshTarget) -> dict[str, Any]:
        # The first value of an option wins: what the target names stands before the file, so that
        # Match user, %r and %p see it too.
        if any(ord(c) < ord(" ") for c in target.host + (target.user or "")):
            raise BadRequest(f"not a user and host: {target}")
        options = (("User", target.user), ("Port", target.port))
        said = "".join(f"{key} {value}\n" for key, value in options if value)
        _login_name()  # which the tokens of a file need
        with foreign_errors(target.host):
            try:
                return dict(SSHConfig.from_text(said + self._text).lookup(target.host))
            except (KeyError, ValueError, ConfigParseError) as error:
                raise _broken(self._path, str(error)) from None

    def _port(self, value: Any) -> int:
        try:
            return int(value)
        except ValueError:
            raise _broken(self._path, f"not a port: {value!r}") from None

    def _known_hosts(self, value: str | None) -> tuple[Path, ...]:
        if not value or value.lower() == "none":
            return ()
        home = str(_home("~"))
        return tuple(_home(name.replace("%d", home)) for name in _words(value, self._path))

    def _jumps(self, spec: str, target: SshTarget, depth: int) -> tuple[Hop, ...]:
        """The hops before the target, nearest to us first; only the first of them has jumps of its own."""
        named = [_jump_target(part) for part in spec.split(",") if part.strip()]
        # `Host *` with ProxyJump is meant for all but the jump host itself.
        if any(jump.host == target.host for jump in named):
            return ()
        hops = [self.hop(jump, depth=depth + 1) for jump in named]
        first = hops[0].jumps if hops else ()
        return (*first, *hops)


def _read(path: Path, depth: int = 0) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _broken(path, str(error.strerror)) from None
    block = "Host *"
    lines: list[str] = []
    for line in text.splitlines():
        keyword, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if keyword.lower() in ("host", "match"):
            block = line.strip()
        if keyword.lower() == "include":
            if depth == _INCLUDE_DEPTH:
                raise _broken(path, "its Includes run in circles")
            # What follows an Include belongs to the block the Include stands in.
            lines += [*(_read(found, depth + 1) for found in _included(rest, path)), block]
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _included(patterns: str, path: Path) -> list[Path]:
    """What is no file is passed over, as by ssh."""
    base = _home("~/.ssh")
    # glob(3) leaves out what begins with a dot, and Path.glob does not.
    found = [sorted(glob.glob(str(base / _home(word)))) for word in _words(patterns, path)]  # noqa: PTH207
    return [Path(one) for names in found for one in names if Path(one).is_file()]


def _words(value: str, path: Path | None) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise _broken(path, f"{error}: {value}") from None


def _home(name: str) -> Path:
    """Without the ~ of a user; of one who is not there it stays, as with ssh, and there is no such file."""
    with suppress(RuntimeError):
        return Path(name).expanduser()
    return Path(name)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A uid without a passwd entry, as in many a container; ssh does not run for one either.
        raise BadRequest(
            "the user of this process has no name, and SSH needs one",
            why="there is no passwd entry for it",
            advice="say it: LOGNAME=NAME jvmdiag …",
        ) from None


def _broken(path: Path | None, why: str) -> BadRequest:
    return BadRequest(
        f"the ssh configuration {path or ''} cannot be read",
        why=why,
        advice="ssh -G HOST shows how ssh itself reads it; -F FILE takes another",
    )


def _jump_target(spec: str) -> SshTarget:
    """One [user@]host[:port] or ssh://... of a ProxyJump line."""
    user, _, place = spec.strip().removeprefix("ssh://").rstrip("/").rpartition("@")
    if place.startswith("["):
        host, _, tail = place[1:].partition("]")
        port = tail.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host or (port and not port.isdigit()):
        raise BadRequest(f"not a ProxyJump: {spec!r}", advice="it is [user@]host[:port], several with commas")
    return SshTarget(host, user or None, int(port) if port else None)


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None  # ConnectTimeout none


def _yes(value: str | None) -> bool:
    return (value or "").lower() in ("yes", "true")
