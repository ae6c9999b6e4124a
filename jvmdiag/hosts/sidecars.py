"""The labels of a sidecar, and the sidecars there are: one whose run was killed before it was held stays for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jvmdiag.hosts.runner import Runner, parse_runner, this_run

if TYPE_CHECKING:
    from jvmdiag.hosts.docker import Engine

SIDECAR_LABEL = "io.github.jvmdiag.sidecar-of"
RUN_LABEL = "io.github.jvmdiag.run"


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
