"""Text to Target and back: which container, SSH host or machine a command is about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from jvmdiag.errors import BadRequest

FORMS = (
    "NAME or docker://NAME       a container of the local Docker Engine",
    "ssh://[user@]host[:port]    a host, as ssh knows it (~/.ssh/config)",
    "ssh://host/docker/NAME      a container on that host",
    "local://                    this machine",
)
# Docker's own rule for names; an id is a special case of it.
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
_PASSWORD = re.compile(r"(\A|//)([^/@:]*):.*@", re.DOTALL)


@dataclass(frozen=True)
class LocalTarget:
    """This machine."""

    def __str__(self) -> str:
        return "local://"


@dataclass(frozen=True)
class DockerTarget:
    """A container, by name or id, of the engine that DOCKER_HOST or the Docker context names."""

    container: str

    def __str__(self) -> str:
        return f"docker://{self.container}"


@dataclass(frozen=True)
class SshTarget:
    """A host. `user` and `port` are None where ~/.ssh/config or the defaults decide.

    `host` may be an alias of ~/.ssh/config. IPv6 addresses are held without brackets.
    """

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='@')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"ssh://{user}{host}{port}"


@dataclass(frozen=True)
class SshDockerTarget:
    """A container of the engine on an SSH host."""

    ssh: SshTarget
    container: str

    def __str__(self) -> str:
        return f"{self.ssh}/docker/{self.container}"


Target = LocalTarget | DockerTarget | SshTarget | SshDockerTarget


def parse_target(text: str) -> Target:
    """The Target that `text` names. Raises BadRequest that lists the forms."""
    if "://" not in text:
        return DockerTarget(_container(text, text))
    scheme, _, rest = text.partition("://")
    if scheme == "local" and rest.strip("/") in ("", "localhost"):
        return LocalTarget()
    if scheme == "docker":
        return DockerTarget(_container(rest.rstrip("/"), text))
    if scheme == "ssh":
        return _ssh(text)
    raise _bad(text, f"no such kind of target: {scheme}://")


def _ssh(text: str) -> Target:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # Its own words quote what it took for the port: a part of a password, maybe.
        raise _bad(text, "its port is no number up to 65535, or an IPv6 address lacks its brackets") from None
    if not parts.hostname:
        raise _bad(text, "it names no host")
    if parts.password is not None:
        raise _bad(
            text, "a password does not belong in a target: use a key or the agent, or you will be asked"
        )
    if parts.query or parts.fragment:
        raise _bad(text, "there is something behind the host that is no container")
    # urlsplit lowers the host's letters, and aliases of ~/.ssh/config have their case.
    host = parts.netloc.rpartition("@")[2]
    host = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
    if host.startswith("-"):
        raise _bad(text, "a host's name does not begin with a dash")
    ssh = SshTarget(host=host, user=unquote(parts.username) if parts.username else None, port=port)
    path = parts.path.strip("/")
    if not path:
        return ssh
    kind, _, name = path.partition("/")
    if kind != "docker" or not name:
        raise _bad(text, "behind the host only /docker/NAME can stand")
    return SshDockerTarget(ssh, _container(name, text))


def _container(name: str, text: str) -> str:
    if not _CONTAINER.match(name):
        raise _bad(text, f"{_shown(name)!r} can't be a container's name" if name else "it names no container")
    return name


def _bad(text: str, why: str) -> BadRequest:
    return BadRequest(
        f"not a target: {_shown(text)!r}",
        why=why,
        advice=("a target is one of", *(f"  {form}" for form in FORMS)),
    )


def _shown(text: str) -> str:
    """The text of a mistake without the password that may stand in it."""
    return _PASSWORD.sub(r"\1\2:***@", text)


def file_stem(target: Target) -> str:
    """The target as the beginning of a file's name: letters, digits, dot, dash and underscore."""
    match target:
        case LocalTarget():
            return "local"
        case DockerTarget(container):
            return container
        case SshTarget(host):
            return re.sub(r"[^a-zA-Z0-9._-]", "_", host)
        case SshDockerTarget(ssh, container):
            return f"{file_stem(ssh)}-{container}"
