"""A snapshot: everything that is worth having of a JVM in trouble, in one folder with one manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from jvmdiag.attach.rung import Scene
from jvmdiag.capture.choose import check_method
from jvmdiag.collect.heap_request import HeapDumpRequest
from jvmdiag.collect.job import Job, Journal, Progress, file_name, now
from jvmdiag.collect.keep import Origin, artifact, write_account
from jvmdiag.collect.price import NO_TERMS, Terms
from jvmdiag.collect.recording import recorded_here
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.snapshot_more import fetch_found, not_fetched, not_yet, take_heap
from jvmdiag.collect.snapshot_run import Run, where
from jvmdiag.collect.snapshot_still import StillRun, StillTimeline, seen_from_outside
from jvmdiag.collect.snapshot_timeline import Timeline
from jvmdiag.errors import (
    BadRequest,
    JvmdiagError,
    RoomError,
    SnapshotPartial,
    TargetNotRunning,
    TargetPaused,
)
from jvmdiag.hosts.opening import stopped_container
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.impact.runs import ARCHIVE, Made
from jvmdiag.impact.runs import SNAPSHOT as SNAPSHOT_FOLDER
from jvmdiag.impact.watch import UNWATCHED
from jvmdiag.jvm.options import mask_option
from jvmdiag.metrics.figure import Metrics
from jvmdiag.model import LeftBehind
from jvmdiag.snapshot.digest import Digest
from jvmdiag.snapshot.item import Risk
from jvmdiag.target import DockerTarget, SshDockerTarget
from jvmdiag.transfer.bundle import (
    ARCHIVE_SUFFIX,
    FAILED,
    SKIPPED,
    TAKEN,
    Bundle,
    BundledItem,
    Folder,
    write_archive,
)
from jvmdiag.transfer.bundle_sealed import SEALED_SUFFIX, SealedFolder
from jvmdiag.transfer.bundle_verify import SNAPSHOT
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.manifest import jvm_facts, utc
from jvmdiag.transfer.sink import PARTIAL_SUFFIX, private_directory

SUMMARY = "summary.md"
_HOUR_S = 3600.0
_MOST_DUMPS = 100
_MOST_LOGS_MB = 1000.0


@dataclass(frozen=True)
class SnapshotRequest:
    """`heap` asks for a heap dump too, `fetch_found` for the files that lie around the JVM, `archive` for a .tar.gz.

    Raises BadRequest for what does not go together.
    """

    risk: Risk = Risk.DEFAULT
    count: int = 3
    interval_s: float = 5.0
    logs_mb: float = 2.0
    redact: bool = False
    heap: bool = False
    fetch_found: bool = False
    archive: bool = True
    terms: Terms = NO_TERMS

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MOST_DUMPS or not 0 <= self.interval_s <= _HOUR_S:
            raise BadRequest(f"--count is from 1 to {_MOST_DUMPS}, and --interval from 0 to an hour")
        if not 0 <= self.logs_mb <= _MOST_LOGS_MB:
            raise BadRequest(f"--logs-mb is from 0 to {_MOST_LOGS_MB:g}")
        if self.redact and (self.heap or self.fetch_found):
            raise BadRequest(
                "--redact takes no secrets out of heap dumps and files that are there",
                advice="without --heap and --fetch-found; then jvmdiag heapdump --redact",
            )


@dataclass(frozen=True)
class Pages:
    """What the folder's files for people are made by."""

    html: Callable[[Bundle, Digest], str]
    markdown: Callable[[Bundle, Digest], str]
    metrics: Callable[[Metrics], str]


@dataclass(frozen=True)
class SnapshotTaken:
    """`archive` is None where none was asked for, or it could not be written; `folder` where all is encrypted, and
    the archive is all there is."""

    folder: Path | None
    archive: Path | None
    bundle: Bundle
    digest: Digest

    @property
    def fault(self) -> SnapshotPartial | None:
        """What whoever asked for it has to know, where not all of it could be taken."""
        failed = ", ".join(item.name for item in self.bundle.having(FAILED))
        if not failed:
            return None
        where = self.folder / SUMMARY if self.folder else f"{SUMMARY} of {self.archive}"
        return SnapshotPartial(
            "the snapshot stands, and not all of it could be taken",
            why=f"failed: {failed}",
            advice=f"what each said is in {where}",
        )

    @property
    def path(self) -> Path:
        """What stands."""
        place = self.folder or self.archive
        assert place
        return place


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
    with recorded_here(job, made_here(job.output, name, sealed=job.seal is not None), progress.warn):
        return _take(job, request, journal, progress, pages, started)


def _take(
    job: Job, request: SnapshotRequest, journal: Journal, progress: Progress, pages: Pages, started: datetime
) -> SnapshotTaken:
    clock = time.monotonic()

    def begun(stack: ExitStack) -> _Snapshot:
        try:
            scene = stack.enter_context(open_scene(job, journal))
        except (TargetPaused, TargetNotRunning) as why:
            # The same of a container that is paused or has ended: what is seen of it from outside.
            assert isinstance(job.target, DockerTarget | SshDockerTarget)
            progress.warn(f"{why.what}: what can be had without it is taken")
            place = stack.enter_context(stopped_container(job.target, job.access, journal))
            return _Snapshot.of_still(job, request, journal, progress, pages, place, started, why)
        return _Snapshot.begun(job, request, journal, progress, pages, scene, started, clock)

    return _run_through(begun)


def _run_through(begun: Callable[[ExitStack], _Snapshot]) -> SnapshotTaken:
    """All of the snapshot that is begun, whose target stays open with the stack. See take_snapshot."""
    snapshot: _Snapshot | None = None
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


def _folder(job: Job, started: datetime) -> Folder:
    name = file_name(job.target, "snapshot", started, "")
    return SealedFolder(job.output, name, job.seal) if job.seal else Folder(job.output, name)


@dataclass
class _Snapshot:
    job: Job
    request: SnapshotRequest
    journal: Journal
    progress: Progress
    pages: Pages
    run: Run | StillRun
    started: datetime
    digest: Digest = field(default_factory=Digest)
    standing: str = ""
    """Why nothing of it can be asked or executed; empty where it can."""
    place: ContainerPlace | None = None
    interrupted: bool = False
    stands: bool = False
    left_behind: tuple[LeftBehind, ...] = ()

    @classmethod
    def begun(
        cls,
        job: Job,
        request: SnapshotRequest,
        journal: Journal,
        progress: Progress,
        pages: Pages,
        scene: Scene,
        started: datetime,
        clock: float,
    ) -> _Snapshot:
        folder = _folder(job, started)
        at = where(job, scene, redact=request.redact)
        run = Run(job, request.risk, request.terms, progress, at, folder, clock)
        return cls(job, request, journal, progress, pages, run, started)

    @classmethod
    def of_still(
        cls,
        job: Job,
        request: SnapshotRequest,
        journal: Journal,
        progress: Progress,
        pages: Pages,
        place: ContainerPlace,
        started: datetime,
        why: JvmdiagError,
    ) -> _Snapshot:
        """By its JVM where that is seen from outside, else by its engine alone. Raises SeveralJvms, NoJvm."""
        clock = time.monotonic()
        scene = seen_from_outside(place, job)
        ended = place.engine.how_it_ended(place.facts.id)
        folder = _folder(job, started)
        run: Run | StillRun
        if scene:
            at = where(job, scene, redact=request.redact)
            run = Run(job, request.risk, request.terms, progress, at, folder, clock)
        else:
            run = StillRun(job, request.risk, progress, folder, clock)
        standing = f"{why.what} ({ended}): {why.why}" if ended else str(why)
        return cls(job, request, journal, progress, pages, run, started, standing=standing, place=place)

    @cached_property
    def timeline(self) -> Timeline | StillTimeline:
        request, logs_bytes = self.request, int(self.request.logs_mb * 1e6)
        if isinstance(self.run, StillRun):
            assert self.place
            return StillTimeline(self.run, self.place, self.standing, logs_bytes, request.redact)
        return Timeline(
            self.run,
            self.digest,
            self.pages.metrics,
            request.count,
            request.interval_s,
            logs_bytes,
            request.redact,
            self.job.access.sudo,
            self.standing,
        )

    @property
    def scene(self) -> Scene | None:
        return self.run.at.scene if isinstance(self.run, Run) else None

    def more(self) -> None:
        """What was asked for by name. A heap dump may be gone on with, so the folder has its final name before it."""
        lying = self.timeline.lying.left
        if self.request.fetch_found:
            fetch_found(self.run, self.job, lying, self.journal, self.progress)
        else:
            self.run.entries += not_fetched(lying)
        if self.request.heap and self.standing:
            self.run.keep(replace(not_yet(), status=SKIPPED, why=self.standing))
        elif self.request.heap:
            assert isinstance(self.run, Run)
            self.run.keep(not_yet())
            self.run.folder.stand(self._write())
            # What it does to the traffic shows in the figures before and after.
            heap = HeapDumpRequest(terms=replace(self.request.terms, watching=UNWATCHED))
            self.left_behind = take_heap(self.run, self.job, heap, self.journal, self.progress)

    def finish(self) -> SnapshotTaken:
        """Pages, manifest, name, archive. Raises RoomError but for the archive's."""
        folder = self.run.folder
        try:
            bundle = self._write()
            if isinstance(folder, SealedFolder):
                return self._sealed(folder, bundle)
            folder.stand(bundle)
        except RoomError as error:
            sealed = ", each file encrypted: age -d opens one" if self.job.seal else ""
            there = f"what was taken is in {folder.path}{sealed}"
            raise type(error)(error.what, why=error.why, advice=(*error.advice, there)) from None
        self.stands = True
        archive = None
        if self.request.archive:
            try:
                archive, _ = write_archive(folder.path, bundle)
            except JvmdiagError as error:
                self.progress.warn(f"{folder.path} stands; its archive could not be written: {error}")
        return SnapshotTaken(folder.path, archive, bundle, self.digest)

    def _sealed(self, folder: SealedFolder, bundle: Bundle) -> SnapshotTaken:
        archive, pumped = folder.archive(bundle)
        kept = artifact(archive, SNAPSHOT, replace(self.job, codec=Codec.GZIP), pumped, ())
        origin = Origin(SNAPSHOT, bundle.method, bundle.method_detail, self.started)
        # Its commands are in it, and not for everybody.
        write_account(kept, origin, self.job, self.scene, Journal())
        self.stands = True
        folder.remove()
        return SnapshotTaken(None, archive, bundle, self.digest)

    def stop(self) -> None:
        """It was interrupted: what is there takes its name. Raises RoomError."""
        if self.stands:
            folder = self.run.folder
            whole = folder.archived if isinstance(folder, SealedFolder) else folder.path
            less = "" if whole != folder.path else ", without its archive"
            self.progress.warn(f"interrupted; {whole} is all there{less}")
            return
        self.interrupted = True
        self.run.give_up("the run was interrupted before its turn")
        self.progress.warn(f"interrupted; what was taken is in {self.finish().path}")

    def _write(self) -> Bundle:
        bundle = self._bundle()
        files = (
            ("page", "index.html", "this snapshot to look at", self.pages.html),
            ("summary", SUMMARY, "this snapshot to paste", self.pages.markdown),
        )
        entries = []
        for name, file, about, make in files:
            text = make(bundle, self.digest).encode("utf-8", "backslashreplace")
            stored = self.run.folder.write(file, text)
            page = BundledItem(name=name, about=about, status=TAKEN, file=file)
            entries.append(replace(page, size_bytes=stored.size_bytes, sha256=stored.sha256))
        bundle = replace(bundle, items=(*bundle.items, *entries))
        self.run.folder.write_manifest(bundle)
        return bundle

    def _bundle(self) -> Bundle:
        run, jvm = self.run, self.scene.jvm if self.scene else None
        place = self.scene.place if self.scene else self.place
        return Bundle(
            target=str(self.job.target),
            host_key_checked=place.host_key_checked if place else None,
            jvm=jvm_facts(jvm, tuple(mask_option(option) for option in jvm.options)) if jvm else None,
            risk=self.request.risk.value,
            redacted=self.request.redact,
            interrupted=self.interrupted,
            method=run.method,
            method_detail=run.method_detail,
            started_at=utc(self.started),
            ended_at=utc(now()),
            took_s=round(time.monotonic() - run.began_at_s, 3),
            items=tuple(run.entries),
            left_behind=self.left_behind,
            notes=tuple(run.notes),
            commands=tuple(self.journal.commands),
        )
