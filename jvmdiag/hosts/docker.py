"""A Docker Engine: its containers, their logs and files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from jvmdiag.errors import (
    NoSuchFile,
    NoSuchTarget,
    TargetNotRunning,
    TargetPaused,
)
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.docker_client import open_client
from jvmdiag.hosts.docker_context import Endpoint, named_endpoint
from jvmdiag.hosts.docker_errors import engine_errors, engine_stream, opening_errors, status_of
from jvmdiag.hosts.docker_health import health_probes
from jvmdiag.hosts.glance import glance
from jvmdiag.model import HealthProbe

# Go's os.ModeType: what has one of these bits is a link, a directory, a device.
_NOT_REGULAR = 0x8F280000
# Log drivers that can be read back by themselves.
_READABLE_DRIVERS = ("json-file", "local", "journald")
_STATES = {
    "exited": "has exited",
    "created": "was never started",
    "restarting": "is restarting",
    "removing": "is being removed",
    "dead": "is dead",
}


@dataclass(frozen=True)
class ContainerFacts:
    """What `docker inspect` says, as far as it matters here. `pid` is PID 1's on the engine's host."""

    id: str
    name: str
    image: str
    running: bool
    paused: bool
    status: str
    pid: int
    tty: bool
    log_driver: str
    env: tuple[str, ...]
    log_kept: bool = True
    """Whether the engine keeps a log that can be read back, as it does by itself for remote drivers since 20.10."""
    probes: tuple[HealthProbe, ...] = ()
    """Who watches over it from outside, by what the engine says."""


@dataclass(frozen=True)
class ArchiveStat:
    """What an engine says of a file of a container; `changed_s` is in Unix seconds."""

    size_bytes: int
    changed_s: float
    is_regular: bool


class Engine:
    """The engine at `base_url` (called `where` in messages), or the one that DOCKER_HOST, DOCKER_CONTEXT
    or the current context names. Opening costs nothing: whether it answers is seen when it is asked.

    Every method raises EngineUnreachable or ConnectionLost where it is gone, EngineRefused where it says no.
    """

    def __init__(self, base_url: str | None = None, where: str = "") -> None:
        """Raises BadRequest for a context that is not there and a file of Docker's that is broken."""
        self._endpoint = Endpoint(base_url) if base_url else named_endpoint()
        self._relayed = base_url is not None
        self.where = where or str(self._endpoint)
        """What to call it in a message."""

    @property
    def is_here(self) -> bool:
        """Whether it answers on a socket of this machine itself, with no network in between."""
        return not self._relayed and self._endpoint.socket_path is not None

    @property
    def is_guarded(self) -> bool:
        """As `Host.is_guarded`."""
        return self._relayed or self._endpoint.socket_path is not None or self._endpoint.tls is not None

    @cached_property
    def client(self) -> Any:
        """docker-py's client. Raises EngineUnreachable, EngineRefused."""
        with opening_errors(self.where):
            return open_client(self._endpoint, relayed=self._relayed)

    def asked(self, doing: str, container: str = "it") -> AbstractContextManager[None]:
        """Around what is asked of the client, and the reading of its answer: nothing foreign leaves it."""
        return engine_errors(self.where, doing, container)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def containers(self, *, all_states: bool = False) -> list[str]:
        """Names of the running containers, or of all."""
        with self.asked("list its containers"):
            found = [one["Names"] or () for one in self.client.containers(all=all_states)]
            return [_own_name(names) for names in found if names]

    def inspect(self, name: str) -> ContainerFacts:
        """Raises NoSuchTarget with near names."""
        socket = None if self._relayed else self._endpoint.socket_path
        raw = (glance(socket, name) if socket else None) or self._inspect(name)
        with self.asked(f"inspect {name}"):
            state, config = raw["State"], raw["Config"]
            return ContainerFacts(
                id=raw["Id"],
                name=raw["Name"].lstrip("/"),
                image=config["Image"],
                running=state["Running"],
                paused=state.get("Paused", False),
                status=state["Status"],
                pid=state["Pid"],
                tty=config["Tty"],
                log_driver=raw["HostConfig"]["LogConfig"]["Type"],
                env=tuple(config.get("Env") or ()),
                log_kept=_keeps_log(raw["HostConfig"]["LogConfig"]),
                probes=health_probes(raw),
            )

    def _inspect(self, name: str) -> Any:
        try:
            with self.asked(f"inspect {name}", repr(name)):
                return self.client.inspect_container(name)
        except NoSuchTarget as error:
            # Else it is the beginning of several ids.
            if status_of(error) == 404:
                raise self._no_such(name) from None
            raise

    def _no_such(self, name: str) -> NoSuchTarget:
        names = self.containers(all_states=True)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [n for n in names if name in n][:3]
        advice = (
            f"did you mean: {', '.join(near)}"
            if near
            else f"running here: {', '.join(self.containers()) or 'none'}"
        )
        return NoSuchTarget(f"no container {name!r} on the engine at {self.where}", advice=advice)

    def running(self, name: str) -> ContainerFacts:
        """Its facts. Raises NoSuchTarget, TargetNotRunning, TargetPaused."""
        facts = self.inspect(name)
        # One that is waited with before it is started again has Running as well.
        if not facts.running or facts.status == "restarting":
            raise TargetNotRunning(
                f"the container {facts.name} {_STATES.get(facts.status, facts.status)}",
                why="a JVM can only be asked while it runs; jvmdiag never starts a container",
                advice="what it left can still be had: jvmdiag snapshot TARGET, or jvmdiag fetch TARGET PATH",
            )
        if facts.paused:
            raise TargetPaused(
                f"the container {facts.name} is paused",
                why="its JVM cannot answer, and would print what it was asked as soon as it goes on",
                advice=f"go on with: docker unpause {facts.name}",
            )
        return facts

    def how_it_ended(self, container_id: str) -> str | None:
        """In words, why the container no longer runs; None while it runs, and of one that never did."""
        try:
            with self.asked("say how the container ended"):
                state = self.client.inspect_container(container_id)["State"]
                runs = state["Running"] and not state.get("Restarting")
                if runs or (state.get("Status") == "created" and not state["ExitCode"]):
                    return None
                killed = ", killed for want of memory (OOMKilled)" if state.get("OOMKilled") else ""
                return f"exit code {state['ExitCode']}{killed}"
        except NoSuchTarget:
            return "it was removed"

    def last_log_stamp(self, container_id: str) -> float:
        """When the engine wrote the last line of the container's log, in its own clock; 0 where there is none.

        Raises AttachRefused where there is no log to be read back: an engine before 20.10 keeps none of its own.
        """
        with self.asked("read the container's log", "the container"):
            line = self.client.logs(container_id, tail=1, timestamps=True)
        stamp = line.rstrip(b"\n").rpartition(b"\n")[2].partition(b" ")[0].decode("ascii", "replace")
        return parse_stamp(stamp)

    def log_since(self, container_id: str, stamp: float) -> bytes:
        """What the container wrote to stdout after `stamp`."""
        with self.asked("read the container's log", "the container"):
            return bytes(self.client.logs(container_id, stderr=False, since=stamp + 1e-6))

    def log_end(self, container_id: str, lines: int) -> Iterator[bytes]:
        """The last lines that the container wrote to stdout and stderr, each with the engine's stamp, in pieces.

        The iterator raises as this does.
        """
        doing, container = "read the container's log", "the container"
        with self.asked(doing, container):
            pieces: Any = self.client.logs(
                container_id, tail=lines, timestamps=True, stream=True, follow=False
            )
        return engine_stream(pieces, self.where, doing, container)

    def kill(self, container_id: str, signal: str) -> None:
        """Send a signal to PID 1 of the container."""
        with self.asked(f"send {signal}", "the container"):
            self.client.kill(container_id, signal)

    def archive(self, container_id: str, path: str) -> Iterator[bytes]:
        """A tar of `path`, also from a stopped container. It locks the container meanwhile.

        Raises NoSuchFile; what follows raises as this does.
        """
        doing, container = f"hand out {_in_utf8(path)}", "the container"
        with self.asked(doing, container):
            stream, _stat = self.client.get_archive(container_id, path)
        return engine_stream(stream, self.where, doing, container)

    def archive_stat(self, container_id: str, path: str) -> ArchiveStat:
        """The engine's word of a file. Raises NoSuchFile."""
        with self.asked(f"look at {_in_utf8(path)}", "the container"):
            stream, stat = self.client.get_archive(container_id, path)
            stream.close()
            regular = not int(stat["mode"]) & _NOT_REGULAR
            return ArchiveStat(int(stat["size"]), parse_stamp(str(stat["mtime"])), regular)

    def said_of(self, container_id: str) -> Mapping[str, Any]:
        """All that it says of a container."""
        with self.asked("inspect the container", "the container"):
            return dict(self.client.inspect_container(container_id))

    def changed_in(self, container_id: str) -> tuple[str, ...]:
        """Paths in a container that its image does not have, or has otherwise; what is on volumes is not among them."""
        with self.asked("say what changed in the container", "the container"):
            return tuple(one["Path"] for one in self.client.diff(container_id) or () if one["Kind"] != 2)


def _in_utf8(path: str) -> str:
    """`path`, where an engine can give out a file of that name: of others it knows only with their directory.

    Raises NoSuchFile.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise NoSuchFile(
            f"no engine gives out {shown}",
            why="its name is no UTF-8",
            advice="docker cp brings its directory, and it with it",
        ) from None
    return path


def _keeps_log(config: Mapping[str, Any]) -> bool:
    # The engine reads it as Go's ParseBool does, and takes what that does not know for true.
    disabled = (config.get("Config") or {}).get("cache-disabled", "")
    return config["Type"] in _READABLE_DRIVERS or (
        config["Type"] != "none" and disabled.lower() in ("", "0", "f", "false")
    )


def _own_name(names: Sequence[str]) -> str:
    """Of a container that others link to: `/web`, and not the `/app/db` by which they know it."""
    return min(names, key=lambda name: name.count("/")).lstrip("/")


def parse_stamp(text: str) -> float:
    """Unix seconds of the engine's RFC 3339 stamps with nanoseconds; 0 where it is none."""
    said = _STAMP.fullmatch(text)
    if said is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(f"{said[1]}{said[3] if said[3] not in ('', 'Z') else '+00:00'}")
    except ValueError:
        return 0.0
    return moment.timestamp() + float(said[2] or 0)


_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d|)", re.ASCII)


# The cgroup or a mount of the container's PID 1 names its id; elsewhere the pid is somebody else's.
_IS_THE_CONTAINER = (
    'cat "/proc/$1/cgroup" "/proc/$1/mountinfo" 2>/dev/null | grep -q "$2" && [ -d "/proc/$1/root/." ]'
)


def host_process(machine: Host, facts: ContainerFacts) -> int | None:
    """The container's PID 1 as `machine` numbers it, where that is the engine's host and may look into it;
    None elsewhere: another machine, a VM of Docker Desktop, or not root."""
    if facts.pid <= 0:
        return None
    done = machine.run(["sh", "-c", _IS_THE_CONTAINER, "sh", str(facts.pid), facts.id])
    return facts.pid if done.ok else None
