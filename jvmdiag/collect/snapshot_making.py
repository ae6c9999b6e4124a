"""A snapshot while it is made: its timeline, its pages, its manifest, its name and its archive."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property

from jvmdiag.attach.rung import Scene
from jvmdiag.collect.heap_request import HeapDumpRequest
from jvmdiag.collect.job import Journal, file_name, now
from jvmdiag.collect.keep import Origin, artifact, write_account
from jvmdiag.collect.snapshot_more import fetch_found, not_fetched, not_yet, take_heap
from jvmdiag.collect.snapshot_request import SUMMARY, Order, SnapshotTaken
from jvmdiag.collect.snapshot_run import Run, where
from jvmdiag.collect.snapshot_still import StillTimeline, seen_from_outside
from jvmdiag.collect.snapshot_taking import Taking
from jvmdiag.collect.snapshot_timeline import Timeline
from jvmdiag.errors import JvmdiagError, RoomError
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.impact.watch import UNWATCHED
from jvmdiag.jvm.options import mask_option
from jvmdiag.model import LeftBehind
from jvmdiag.snapshot.digest import Digest
from jvmdiag.transfer.bundle import SKIPPED, TAKEN, Bundle, BundledItem, Folder, write_archive
from jvmdiag.transfer.bundle_sealed import SealedFolder
from jvmdiag.transfer.bundle_verify import SNAPSHOT
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.manifest import jvm_facts, utc


@dataclass
class Making:
    """A snapshot that is being made: `run` holds what was taken so far."""

    order: Order
    run: Taking
    digest: Digest = field(default_factory=Digest)
    standing: str = ""
    """Why nothing of it can be asked or executed; empty where it can."""
    place: ContainerPlace | None = None
    interrupted: bool = False
    stands: bool = False
    left_behind: tuple[LeftBehind, ...] = ()

    @cached_property
    def timeline(self) -> Timeline | StillTimeline:
        request, logs_bytes = self.order.request, int(self.order.request.logs_mb * 1e6)
        if not isinstance(self.run, Run):
            assert self.place
            return StillTimeline(
                self.run, self.place, self.standing, logs_bytes, request.redact, request.servers
            )
        return Timeline(
            self.run,
            self.digest,
            self.order.pages.metrics,
            request.count,
            request.interval_s,
            logs_bytes,
            request.redact,
            self.order.job.access.sudo,
            self.standing,
            request.servers,
        )

    @property
    def scene(self) -> Scene | None:
        return self.run.at.scene if isinstance(self.run, Run) else None

    def more(self) -> None:
        """What was asked for by name. A heap dump may be gone on with, so the folder has its final name before it."""
        lying = self.timeline.lying.left
        if self.order.request.fetch_found:
            fetch_found(self.run, self.order.job, lying, self.order.journal, self.order.progress)
        else:
            self.run.entries += not_fetched(lying)
        if self.order.request.heap and self.standing:
            self.run.keep(replace(not_yet(), status=SKIPPED, why=self.standing))
        elif self.order.request.heap:
            assert isinstance(self.run, Run)
            self.run.keep(not_yet())
            self.run.folder.stand(self._write())
            # What it does to the traffic shows in the figures before and after.
            heap = HeapDumpRequest(terms=replace(self.order.request.terms, watching=UNWATCHED))
            self.left_behind = take_heap(
                self.run, self.order.job, heap, self.order.journal, self.order.progress
            )

    def finish(self) -> SnapshotTaken:
        """Pages, manifest, name, archive. Raises RoomError but for the archive's."""
        folder = self.run.folder
        try:
            bundle = self._write()
            if isinstance(folder, SealedFolder):
                return self._sealed(folder, bundle)
            folder.stand(bundle)
        except RoomError as error:
            sealed = ", each file encrypted: age -d opens one" if self.order.job.seal else ""
            there = f"what was taken is in {folder.path}{sealed}"
            raise type(error)(error.what, why=error.why, advice=(*error.advice, there)) from None
        self.stands = True
        archive = None
        if self.order.request.archive:
            try:
                archive, _ = write_archive(folder.path, bundle)
            except JvmdiagError as error:
                self.order.progress.warn(f"{folder.path} stands; its archive could not be written: {error}")
        return SnapshotTaken(folder.path, archive, bundle, self.digest)

    def _sealed(self, folder: SealedFolder, bundle: Bundle) -> SnapshotTaken:
        archive, pumped = folder.archive(bundle)
        kept = artifact(archive, SNAPSHOT, replace(self.order.job, codec=Codec.GZIP), pumped, ())
        origin = Origin(SNAPSHOT, bundle.method, bundle.method_detail, self.order.started)
        # Its commands are in it, and not for everybody.
        write_account(kept, origin, self.order.job, self.scene, Journal())
        self.stands = True
        folder.remove()
        return SnapshotTaken(None, archive, bundle, self.digest)

    def stop(self) -> None:
        """It was interrupted: what is there takes its name. Raises RoomError."""
        if self.stands:
            folder = self.run.folder
            whole = folder.archived if isinstance(folder, SealedFolder) else folder.path
            less = "" if whole != folder.path else ", without its archive"
            self.order.progress.warn(f"{whole} is all there{less}")
            return
        self.interrupted = True
        self.run.give_up("the run was interrupted before its turn")
        self.order.progress.warn(f"what was taken until then is in {self.finish().path}")

    def _write(self) -> Bundle:
        bundle = self._bundle()
        files = (
            ("page", "index.html", "this snapshot to look at", self.order.pages.html),
            ("summary", SUMMARY, "this snapshot to paste", self.order.pages.markdown),
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
            target=str(self.order.job.target),
            host_key_checked=place.host_key_checked if place else None,
            jvm=jvm_facts(jvm, tuple(mask_option(option) for option in jvm.options)) if jvm else None,
            risk=self.order.request.risk.value,
            redacted=self.order.request.redact,
            interrupted=self.interrupted,
            method=run.method,
            method_detail=run.method_detail,
            started_at=utc(self.order.started),
            ended_at=utc(now()),
            took_s=round(time.monotonic() - run.began_at_s, 3),
            items=tuple(run.entries),
            left_behind=self.left_behind,
            notes=tuple(run.notes),
            commands=tuple(self.order.journal.commands),
        )


def _folder(order: Order) -> Folder:
    job = order.job
    name = file_name(job.target, "snapshot", order.started, "")
    return SealedFolder(job.output, name, job.seal) if job.seal else Folder(job.output, name)


def of_scene(order: Order, scene: Scene, clock: float) -> Making:
    """Of a JVM that can be asked, or at least looked at; begun at `clock` of this machine's monotonic clock."""
    return Making(order, _run(order, scene, clock))


def of_still(order: Order, place: ContainerPlace, why: JvmdiagError) -> Making:
    """Of a container in which nothing can be executed: by its JVM where that is seen from outside, else by its engine
    alone. Raises SeveralJvms, NoJvm."""
    clock = time.monotonic()
    scene = seen_from_outside(place, order.job)
    ended = place.engine.how_it_ended(place.facts.id)
    run = (
        _run(order, scene, clock)
        if scene
        else Taking(order.job, order.request.risk, order.progress, _folder(order), clock)
    )
    standing = f"{why.what} ({ended}): {why.why}" if ended else str(why)
    return Making(order, run, standing=standing, place=place)


def _run(order: Order, scene: Scene, clock: float) -> Run:
    at = where(order.job, scene, redact=order.request.redact)
    folder = _folder(order)
    return Run(order.job, order.request.risk, order.progress, folder, clock, terms=order.request.terms, at=at)
