"""The record of a run: on this machine before anything is made on the target, and away when that is clean again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from jvmdiag.attach.rung import Scene
from jvmdiag.collect.job import Job
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.hosts.runner import Life, life_of, this_run
from jvmdiag.impact.around import lock_path
from jvmdiag.impact.runs import LOCK, TRIGGER, Made, RecordedJvm, RunRecord, Runs, fresh_id, why_not_gone
from jvmdiag.model import Jvm

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class OnTarget(Protocol):
    """A dump on the target: where, and whether nothing of it is there."""

    @property
    def path(self) -> str: ...

    @property
    def cleaned(self) -> bool: ...


@contextmanager
def recorded(
    job: Job, scene: Scene, kind: str, dump: OnTarget, partial: Path, warn: Callable[[str], None]
) -> Iterator[None]:
    """Around everything that is done for `dump`, which is a HEAP_DUMP or PIPES there; its record stays where
    something of it does."""
    runs, lock = Runs(), lock_path(scene.jvm)
    record = _record(
        job,
        scene.place,
        scene.jvm,
        (Made(kind, dump.path), Made(LOCK, lock)),
        boot=boot_of(scene.view.host) if not isinstance(scene.place, ContainerPlace) else "",
        partial=str(partial.absolute()),
    )
    if not runs.keep(record):
        warn(
            f"no record of this run can be kept in {runs.directory}: jvmdiag sweep will not know what it leaves"
        )
    try:
        yield
    finally:
        if dump.cleaned:
            runs.drop(record.id)


@contextmanager
def attaching(job: Job, place: Place) -> Iterator[Callable[[Jvm], None]]:
    """Around whatever may attach or start a sidecar. The JVM is told to it once that is known.

    Every way out of it but a kill removes what was made, so that the record goes too.
    """
    runs, record_id = Runs(), fresh_id()
    if isinstance(place, ContainerPlace):
        runs.keep(_record(job, place, None, (), record_id=record_id))

    def tell(jvm: Jvm) -> None:
        if made := _triggers(jvm):
            runs.keep(_record(job, place, jvm, made, record_id=record_id))

    try:
        yield tell
    finally:
        runs.drop(record_id)


@contextmanager
def recorded_here(job: Job, made: tuple[Made, ...], warn: Callable[[str], None]) -> Iterator[None]:
    """Around everything that makes `made` on this machine; its record stays where something of it does."""
    runs = Runs()
    record = RunRecord(
        id=fresh_id(),
        target=str(job.target),
        here=made,
        here_in=_inode_of(made),
        run=this_run(),
        at_s=time.time(),
    )
    if not runs.keep(record):
        warn(
            f"no record of this run can be kept in {runs.directory}: jvmdiag sweep will not know what it leaves"
        )
    try:
        yield
    finally:
        if not any(why_not_gone(record, one) for one in made):
            runs.drop(record.id)


def _inode_of(made: tuple[Made, ...]) -> int:
    """Of the directory that all of it is in."""
    with suppress(OSError):
        return Path(made[0].path).parent.stat().st_ino
    return 0


def take_over(target: str, path: str, partial: Path) -> None:
    """Make what another run wrote down of the dump at `path` this run's word: a sweep leaves alone what is gone on
    with. Where that other run lives, it stays its."""
    runs = Runs()
    for record in _of_dump(runs, target, path):
        if life_of(record.run) is not Life.ALIVE:
            mine = replace(record, partial=str(partial.absolute()), run=this_run(), at_s=time.time())
            runs.keep(mine)


def forget(target: str, path: str) -> None:
    """Take away what runs wrote down of the dump at `path`: it is clean there now."""
    runs = Runs()
    for record in _of_dump(runs, target, path):
        runs.drop(record.id)


def _of_dump(runs: Runs, target: str, path: str) -> list[RunRecord]:
    return [
        record
        for record in runs.all()[0]
        if record.target == target and any(made.path == path for made in record.made)
    ]


def boot_of(host: Host) -> str:
    """Which boot of the machine it is; empty where that is not to be had. Costs one command."""
    with suppress(JvmdiagError, TimeoutError):
        done = host.run(["cat", _BOOT_ID])
        return done.text.strip() if done.ok else ""
    return ""


def _triggers(jvm: Jvm) -> tuple[Made, ...]:
    """The files that make a JVM listen: none where it does. One that lies there before is not ours."""
    if jvm.attach_listening:
        return ()
    folders = [folder for folder in ("/tmp", jvm.cwd) if folder.startswith("/") and "\n" not in folder]
    paths = dict.fromkeys(f"{folder.rstrip('/')}/.attach_pid{jvm.nspid}" for folder in folders)
    return tuple(Made(TRIGGER, path) for path in paths if path != jvm.stale_trigger)


def _record(
    job: Job,
    place: Place,
    jvm: Jvm | None,
    made: tuple[Made, ...],
    *,
    record_id: str = "",
    boot: str = "",
    partial: str = "",
) -> RunRecord:
    engine, container = "", ""
    if isinstance(place, ContainerPlace):
        engine, container = place.engine.where, place.facts.id
    return RunRecord(
        id=record_id or fresh_id(),
        target=str(job.target),
        engine=engine,
        container=container,
        boot=boot,
        jvm=_recorded_jvm(jvm, inside=bool(container)) if jvm else None,
        made=made,
        partial=partial,
        run=this_run(),
        at_s=time.time(),
    )


def _recorded_jvm(jvm: Jvm, *, inside: bool) -> RecordedJvm:
    # Seen from an engine's host no container shares the mounts of the one who looks.
    return RecordedJvm(
        jvm.nspid, jvm.start_ticks, str(jvm.owner), jvm.main, not (jvm.shares_mnt_ns or inside)
    )
