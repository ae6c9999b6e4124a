"""Where a JVM lives, and the views from which it can be seen and spoken to, cheapest first.

A view is a Host that can reach the JVM's PID namespace: the machine itself, the inside of a
container (exec), the engine's host (whose /proc holds the container's processes) or a sidecar.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from jvmdiag.errors import NoSuchFile
from jvmdiag.hosts.base import Host, Recorder
from jvmdiag.model import CommandRecord

if TYPE_CHECKING:
    from jvmdiag.hosts.docker import ContainerFacts, Engine
    from jvmdiag.hosts.sidecars import Sidecar


class ViewKind(str, Enum):
    """From where; the names are those of --view."""

    MACHINE = "machine"
    ENGINE_HOST = "host"
    INSIDE = "inside"
    SIDECAR = "sidecar"


@dataclass(frozen=True)
class View:
    """A Host and what it sees. `pid1` restricts it to the PID namespace of that process."""

    host: Host
    kind: ViewKind
    pid1: int | None = None


@dataclass(frozen=True)
class Machine:
    """A place without containers: this machine or an SSH host."""

    name: str
    host: Host

    @property
    def host_key_checked(self) -> bool | None:
        return self.host.host_key_checked

    def views(self) -> Iterator[View]:
        yield View(self.host, ViewKind.MACHINE)


@dataclass(frozen=True)
class ContainerPlace:
    """A running container. `around` is the engine's host where its /proc can be read from here."""

    name: str
    engine: Engine
    facts: ContainerFacts
    inside: Host
    around: View | None
    record: Recorder
    only: ViewKind | None = None
    host_key_checked: bool | None = None

    def views(self) -> Iterator[View]:
        """Views that cost nothing to open; a sidecar is asked for by `sidecar`."""
        for view in (self.around, View(self.inside, ViewKind.INSIDE)):
            if view is not None and self.only in (None, view.kind):
                yield view

    @contextmanager
    def sidecar(self, image: str, capabilities: tuple[str, ...]) -> Iterator[View]:
        """A sidecar of `image` that is removed when the context is left, or when this process dies."""
        from jvmdiag.hosts.docker_exec import DockerHost
        from jvmdiag.hosts.sidecars import create_sidecar, hold_sidecar, remove_sidecar

        # Named before it is made: what is interrupted while the engine makes it can be found again.
        name = f"jvmdiag-{secrets.token_hex(6)}"
        ready = False
        try:
            self._tell("create", f"--pid=container:{self.facts.name}", *_given(capabilities), image)
            create_sidecar(self.engine, name, self.facts, image, capabilities=capabilities)
            ready = True
            held = hold_sidecar(self.engine, name)
            try:
                label = f"sidecar of {self.name} ({image})"
                yield View(DockerHost(self.engine, name, label, self.record), ViewKind.SIDECAR)
            finally:
                held.close()
        finally:
            self._tell("rm", "--force", name)
            remove_sidecar(self.engine, name, may_be_coming=not ready)

    def has_image(self, image: str) -> bool:
        """Whether the engine has it already."""
        from jvmdiag.hosts.images import has_image

        return has_image(self.engine, image)

    def pull(self, image: str, advance: Callable[[str, int, int], None]) -> None:
        """As images.pull does."""
        from jvmdiag.hosts.images import pull

        pull(self.engine, image, advance)

    def remove_sidecar(self, name: str) -> None:
        """As sidecars.remove_sidecar does."""
        from jvmdiag.hosts.sidecars import remove_sidecar

        remove_sidecar(self.engine, name)

    def sidecars(self) -> tuple[Sidecar, ...]:
        """Those on the engine that were put beside this container, by whichever run."""
        from jvmdiag.hosts.sidecars import sidecars_on

        return tuple(one for one in sidecars_on(self.engine) if one.of == self.facts.id)

    def archived_bytes(self, path: str) -> int | None:
        """The size of a file, also where the container does not run; None where there is none. A tmpfs is not seen."""
        try:
            return self.engine.archive_stat(self.facts.id, path).size_bytes
        except NoSuchFile:
            return None

    def signal(self, number: str) -> None:
        """Send a signal to PID 1 of the container, through the engine."""
        self._tell("kill", f"--signal={number}", self.facts.name)
        self.engine.kill(self.facts.id, number)

    def _tell(self, *argv: str) -> None:
        self.record(CommandRecord(self.name, ("docker", *argv), None, None, 0.0, "over the engine"))


def _given(capabilities: tuple[str, ...]) -> tuple[str, ...]:
    return ("--cap-drop=ALL", *(f"--cap-add={one}" for one in capabilities))


Place = Machine | ContainerPlace
