"""Sidecars: made, held, removed, and found: one whose run was killed before it was held stays for good."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from jvmdiag.errors import ConnectError, JvmdiagError, NoImage
from jvmdiag.hosts.docker import ContainerFacts, Engine
from jvmdiag.hosts.docker_client import import_docker
from jvmdiag.hosts.docker_errors import status_of
from jvmdiag.hosts.runner import Runner, parse_runner, this_run

SIDECAR_LABEL = "io.github.jvmdiag.sidecar-of"
RUN_LABEL = "io.github.jvmdiag.run"
_CREATING_S = 2.0


@dataclass(frozen=True)
class Sidecar:
    """A container with our label. `of` is the id of the container beside which it was put; `run` is None where
    the label does not say who made it. `created_s` is by the engine's clock, in Unix seconds."""

    name: str
    of: str
    state: str
    created_s: float
    run: Runner | None


def sidecar_labels(target_id: str) -> dict[str, str]:
    """Beside whom, and by which run."""
    return {SIDECAR_LABEL: target_id, RUN_LABEL: str(this_run())}


def sidecars_on(engine: Engine) -> tuple[Sidecar, ...]:
    """All of the engine, in whatever state. Raises as the engine's methods do."""
    with engine.asked("list its sidecars"):
        found = engine.client.containers(all=True, filters={"label": SIDECAR_LABEL})
        return tuple(
            Sidecar(
                name=min(one["Names"], key=lambda name: name.count("/")).lstrip("/"),
                of=one["Labels"][SIDECAR_LABEL],
                state=one["State"],
                created_s=float(one["Created"]),
                run=parse_runner(one["Labels"].get(RUN_LABEL, "")),
            )
            for one in found
            if one["Names"]
        )


def create_sidecar(
    engine: Engine, name: str, target: ContainerFacts, image: str, *, capabilities: tuple[str, ...]
) -> None:
    """Create a container of `image` in the PID namespace of `target`; `hold` starts it. Raises NoImage.

    It has no network, no log, 512 MiB of memory and just `capabilities`; the engine removes it when it
    ends, which it does when the connection that holds it goes away.
    """
    with engine.asked(f"create a sidecar of {image}", target.name):
        settings = engine.client.create_host_config(
            pid_mode=f"container:{target.id}",
            network_mode="none",
            auto_remove=True,
            mem_limit="512m",
            pids_limit=256,
            cap_drop=["ALL"],
            cap_add=list(capabilities),
            security_opt=["no-new-privileges"],
            # json-file would copy every byte of a dump into a file of the engine's host.
            log_config=import_docker().types.LogConfig(type="none"),
        )
        engine.client.create_container(
            image,
            name=name,
            entrypoint=["cat"],
            command=[],
            user="0:0",
            stdin_open=True,
            host_config=settings,
            labels=sidecar_labels(target.id),
            environment={"JAVA_TOOL_OPTIONS": ""},
        )


def hold_sidecar(engine: Engine, container_id: str) -> Any:
    """Attach to the stdin of a created container and start it; the container lives as long as this socket.

    Raises NoImage where the image has nothing to hold it with.
    """
    try:
        with engine.asked("start the sidecar", "the container beside which it starts"):
            held = engine.client.attach_socket(container_id, params={"stdin": 1, "stream": 1})
            engine.client.start(container_id)
    except ConnectError as error:
        if "executable file not found" not in error.why:
            raise
        raise NoImage(
            "the JDK image has no cat, so no sidecar of it can be held",
            why=error.why,
            advice="name a JDK image with a shell: --jdk-image NAME",
        ) from None
    return held


def remove_sidecar(engine: Engine, name: str, *, may_be_coming: bool = False) -> None:
    """Remove a container that this program made, running or not; one that is gone is fine.

    `may_be_coming`: the engine goes on creating what was asked for by a connection that is gone.
    """
    until = time.monotonic() + (_CREATING_S if may_be_coming else 0)
    while True:
        try:
            with engine.asked(f"remove {name}", name):
                engine.client.remove_container(name, force=True)
            return
        except JvmdiagError as error:
            status = status_of(error)
            if status is None:
                raise
            # 409: the engine is removing it already (auto_remove).
            if status != 404 or time.monotonic() >= until:
                return
        time.sleep(0.1)
