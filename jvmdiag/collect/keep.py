"""One artefact on its way to its final name: pumped, witnessed, committed, and its manifest beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from jvmdiag.attach.rung import Scene
from jvmdiag.collect.job import Job, Journal, now
from jvmdiag.errors import RoomError, VerificationFailed
from jvmdiag.jvm.options import mask_option
from jvmdiag.model import Artifact, Cost, Forecast, LeftBehind, Pause, Witness
from jvmdiag.transfer.manifest import Manifest, jvm_facts, manifest_path, utc, write_manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile


@dataclass(frozen=True)
class Origin:
    """Where an artefact came from, for its manifest."""

    kind: str
    method: str
    detail: str
    started: datetime
    jvm_reported_bytes: int | None = None
    durations_s: tuple[tuple[str, float], ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    notes: tuple[str, ...] = ()
    host_key_checked: bool | None = None
    pause: Pause | None = None
    cost: Cost | None = None
    forecast: Forecast | None = None
    forced: tuple[str, ...] = ()


def require_agreement(witnesses: Iterable[Witness]) -> None:
    """Raises VerificationFailed where one of them disagrees."""
    against = [w for w in witnesses if not w.agrees]
    if against:
        raise VerificationFailed(
            "the copy is not what the JVM wrote",
            why="; ".join(f"{w.name}: {w.detail}" for w in against),
            advice="nothing was given its final name",
        )


def keep_text(job: Job, name: str, text: bytes) -> Artifact:
    """Store a text that came whole, as NAME plus the codec's suffix. Raises RoomError."""
    with PartialFile(job.output, name + job.suffix) as sink:
        pumped = pump([text], sink, job.codec, walk=None, advance=lambda _: None, seal=job.seal)
        path = sink.commit()
    return artifact(path, "thread dump", job, pumped, ())


def artifact(path: Path, kind: str, job: Job, pumped: Pumped, witnesses: tuple[Witness, ...]) -> Artifact:
    return Artifact(
        path=str(path),
        kind=kind,
        codec=job.codec.value,
        raw_bytes=pumped.raw_bytes,
        stored_bytes=pumped.stored_bytes,
        raw_sha256=pumped.raw_sha256,
        stored_sha256=pumped.stored_sha256,
        witnesses=witnesses,
    )


def nothing_yet(name: str, kind: str, job: Job) -> Artifact:
    """An artefact of which no byte is here."""
    return Artifact(str(job.output / name), kind, job.codec.value, 0, 0, "", "")


def write_account(
    kept: Artifact, origin: Origin, job: Job, scene: Scene | None, journal: Journal
) -> Manifest:
    """Write the manifest beside the artefact, and return it."""
    manifest = account(kept, origin, job, scene, journal)
    write_manifest(manifest_path(kept.path), manifest)
    return manifest


def account(kept: Artifact, origin: Origin, job: Job, scene: Scene | None, journal: Journal) -> Manifest:
    """What the manifest of `kept` says."""
    return Manifest(
        kind=kept.kind,
        file=Path(kept.path).name,
        target=str(job.target),
        host_key_checked=origin.host_key_checked,
        jvm=jvm_facts(scene.jvm, tuple(mask_option(o) for o in scene.jvm.options)) if scene else None,
        method=origin.method,
        method_detail=origin.detail,
        started_at=utc(origin.started),
        ended_at=utc(now()),
        durations_s=dict(origin.durations_s),
        codec=kept.codec,
        encrypted_to=job.seal.recipients if job.seal else (),
        raw_bytes=kept.raw_bytes,
        stored_bytes=kept.stored_bytes,
        raw_sha256=kept.raw_sha256,
        stored_sha256=kept.stored_sha256,
        jvm_reported_bytes=origin.jvm_reported_bytes,
        pause=origin.pause,
        cost=origin.cost,
        forecast=origin.forecast,
        forced=origin.forced,
        witnesses=kept.witnesses,
        left_behind=origin.left_behind,
        notes=origin.notes,
        commands=tuple(journal.commands),
    )


def add_cost(
    kept: Artifact, manifest: Manifest, cost: Cost, journal: Journal, warn: Callable[[str], None]
) -> None:
    """Write the manifest anew, with what is known of the cost only after the artefact stands. Where that fails
    the first one stands, and `warn` hears of it: the artefact is not worse for it."""
    complete = replace(manifest, cost=cost, commands=tuple(journal.commands))
    try:
        write_manifest(manifest_path(kept.path), complete)
    except RoomError as error:
        warn(f"the manifest of {kept.path} lacks what it cost: {error.what}")
