"""A snapshot: everything that is worth having of a JVM in trouble, in one folder with one manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from jvmdiag.capture.choose import check_method
from jvmdiag.collect.job import Job, Journal, Progress, file_name, now
from jvmdiag.collect.recording import recorded_here
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.snapshot_making import Making, of_scene, of_still
from jvmdiag.collect.snapshot_request import Order, Pages, SnapshotRequest, SnapshotTaken
from jvmdiag.errors import BadRequest, JvmdiagError, TargetNotRunning, TargetPaused
from jvmdiag.hosts.opening import stopped_container
from jvmdiag.impact.runs import ARCHIVE, Made
from jvmdiag.impact.runs import SNAPSHOT as SNAPSHOT_FOLDER
from jvmdiag.target import DockerTarget, SshDockerTarget
from jvmdiag.transfer.bundle import ARCHIVE_SUFFIX
from jvmdiag.transfer.bundle_sealed import SEALED_SUFFIX
from jvmdiag.transfer.sink import PARTIAL_SUFFIX, private_directory


def take_snapshot(
    job: Job, request: SnapshotRequest, journal: Journal, progress: Progress, pages: Pages
) -> SnapshotTaken:
    """All that could be had, under its final name. Interrupted, it keeps what is there and raises KeyboardInterrupt.

    Raises what opening the scene raises, and RoomError where the folder itself cannot be written.
    """
    check_method(job.method)
    if job.seal and not request.archive:
        raise BadRequest(
            "--encrypt-to and --no-archive exclude each other", why="the archive is all there is"
        )
    private_directory(job.output)
    started = now()
    name = file_name(job.target, "snapshot", started, "")
    order = Order(job, request, journal, progress, pages, started)
    with recorded_here(job, made_here(job.output, name, sealed=job.seal is not None), progress.warn):
        return _take(order)


def _take(order: Order) -> SnapshotTaken:
    clock, job, journal = time.monotonic(), order.job, order.journal

    def begun(stack: ExitStack) -> Making:
        try:
            scene = stack.enter_context(open_scene(job, journal))
        except (TargetPaused, TargetNotRunning) as why:
            # The same of a container that is paused or has ended: what is seen of it from outside.
            assert isinstance(job.target, DockerTarget | SshDockerTarget)
            order.progress.warn(f"{why.what}: what can be had without it is taken")
            place = stack.enter_context(stopped_container(job.target, job.access, journal))
            return of_still(order, place, why)
        return of_scene(order, scene, clock)

    return run_through(begun)


def run_through(begun: Callable[[ExitStack], Making]) -> SnapshotTaken:
    """All of the snapshot that is begun, whose target stays open with the stack. See take_snapshot."""
    snapshot: Making | None = None
    try:
        with ExitStack() as stack:
            snapshot = begun(stack)
            snapshot.timeline.all()
            snapshot.more()
    except KeyboardInterrupt:
        if snapshot:
            snapshot.stop()
        raise
    except JvmdiagError as error:
        # Everything was taken, and what was opened did not close well.
        if snapshot is None or snapshot.run.waiting:
            raise
        snapshot.run.notes.append(str(error))
    try:
        return snapshot.finish()
    except KeyboardInterrupt:
        snapshot.stop()
        raise


def made_here(directory: Path, name: str, *, sealed: bool) -> tuple[Made, ...]:
    """What a snapshot of that name makes on this machine before it is whole."""
    place = directory.resolve() / name
    suffix = SEALED_SUFFIX if sealed else ARCHIVE_SUFFIX
    archive = f"{place.name}{suffix}{PARTIAL_SUFFIX}"
    made = (Made(SNAPSHOT_FOLDER, f"{place}{PARTIAL_SUFFIX}"), Made(ARCHIVE, str(place.with_name(archive))))
    # It is written once more behind a heap dump.
    return (*made, Made(ARCHIVE, str(place.with_name(f".{archive}")))) if sealed else made
