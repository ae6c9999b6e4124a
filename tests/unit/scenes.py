"""Scenes for the rungs: recorded JVMs, on a machine or in a container, whose hosts are fakes."""

from __future__ import annotations

from typing import Any

from jvmdiag.attach.rung import ImageChoice, Scene
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.docker import ContainerFacts, Engine
from jvmdiag.hosts.place import ContainerPlace, Machine, View, ViewKind
from jvmdiag.model import Jvm
from tests.fakes import FakeHost

CONTAINER = "c0ffee"


def facts(
    *, log_driver: str = "json-file", log_kept: bool = True, env: tuple[str, ...] = ()
) -> ContainerFacts:
    return ContainerFacts(
        CONTAINER, "web", "tomcat:10", True, False, "running", 4711, False, log_driver, env, log_kept
    )


class EngineClient:
    """Stands where docker-py's APIClient does: images that are there, and a log that a signal fills."""

    def __init__(self, images: tuple[str, ...] = (), log: tuple[bytes, ...] = ()) -> None:
        self.images = images
        self.log = list(log)
        self.killed: list[tuple[str, str]] = []
        self.since: list[float] = []

    def inspect_image(self, image: str) -> dict[str, Any]:
        import docker
        import requests

        if image not in self.images:
            missing = requests.Response()
            missing.status_code = 404
            raise docker.errors.ImageNotFound(f"no such image: {image}", response=missing)
        return {}

    def logs(
        self,
        container: str,
        *,
        tail: int = 0,
        timestamps: bool = False,
        stderr: bool = True,
        since: float = 0,
    ) -> bytes:
        assert container == CONTAINER
        if tail:
            return b"2026-03-01T12:00:00.250000000Z the last line so far\n"
        self.since.append(since)
        return self.log.pop(0) if len(self.log) > 1 else self.log[0]

    def kill(self, container: str, signal: str) -> None:
        self.killed.append((container, signal))


def on_a_machine(jvm: Jvm, host: Host | None = None) -> Scene:
    host = host or FakeHost(name="local://")
    return Scene(Machine(host.name, host), View(host, ViewKind.MACHINE), jvm, ImageChoice())


def in_a_container(
    jvm: Jvm,
    *,
    kind: ViewKind = ViewKind.INSIDE,
    host: Host | None = None,
    client: EngineClient | None = None,
    about: ContainerFacts | None = None,
    image: ImageChoice | None = None,
) -> Scene:
    """A JVM of the container web, seen by `host`; inside of it is another fake where the view is not inside."""
    host = host or FakeHost(name="the view")
    inside = host if kind is ViewKind.INSIDE else FakeHost(name="docker://web")
    around = View(host, kind, 4711) if kind is ViewKind.ENGINE_HOST else None
    engine = Engine(where="here")
    engine.client = client or EngineClient()
    place = ContainerPlace("docker://web", engine, about or facts(), inside, around, lambda _: None)
    return Scene(place, around or View(host, kind), jvm, image or ImageChoice())
