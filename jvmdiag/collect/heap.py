"""A heap dump: room on the target, room here, the price and the word of the user, the dump, its copy, its witnesses."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from jvmdiag.attach.rung import Reach, Scene, Speaker, reach_of
from jvmdiag.capture.choose import with_speaker
from jvmdiag.capture.heap import HeapDump, JvmSays
from jvmdiag.capture.piped import PipedDump
from jvmdiag.collect.job import Job, Journal, Progress, file_name, moment_of, now
from jvmdiag.collect.keep import Origin, add_cost, artifact, require_agreement, write_account
from jvmdiag.collect.no_disk import account_witness, piped_dump, require_pipe
from jvmdiag.collect.price import NO_TERMS, Offer, Terms, agree, remember
from jvmdiag.collect.scene import open_scene, see
from jvmdiag.collect.watching import cost_of_all, watch
from jvmdiag.errors import BadRequest, ReadOnlyTarget, Stopped
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.impact.disk import scratch_path, writes_parts
from jvmdiag.impact.finding import Subject
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.lock import dump_lock
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.impact.preflight import Intent
from jvmdiag.jvm.discovery import require_still_there
from jvmdiag.model import Artifact, Cost, Forecast, LeftBehind, Pause, Witness
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory

Dump = HeapDump | PipedDump


@dataclass(frozen=True)
class HeapDumpRequest:
    """`live` forces a full collection first and leaves unreachable objects out.

    `keep`: True leaves the file on the target, False removes it even where its copy failed; None
    removes it once its copy is verified, and keeps it where the dump is whole and its copy is not.
    `no_disk`: there is no file; raises BadRequest where it is to be kept.
    """

    live: bool = False
    dump_dir: str | None = None
    keep: bool | None = None
    terms: Terms = NO_TERMS
    no_disk: bool = False

    def __post_init__(self) -> None:
        if self.no_disk and self.keep:
            raise BadRequest("--no-disk leaves no file on the target that --keep could keep")

    @property
    def intent(self) -> Intent:
        return Intent(Operation.HEAP_DUMP, self.live, self.terms.max_pause_s, self.no_disk)


@dataclass(frozen=True)
class HeapDumpTaken:
    """The verified file and how it came to be."""

    artifact: Artifact
    says: JvmSays
    method: str
    detail: str
    total_s: float
    asked_at: datetime
    """When the JVM was asked, by the clock of this machine."""
    took_s: float
    """How long it took to answer."""
    on_disk_s: float
    """How long the target's disk held the file; it still does where that is among `left_behind`."""
    resumed: int
    left_behind: tuple[LeftBehind, ...]
    forecast: Forecast
    pause: Pause | None = None
    """How long the application stood still; None where the JVM publishes no counters."""
    cost: Cost | None = None
    """What it did to the traffic; None where that was not watched, or could not be."""


def take_heap_dump(job: Job, request: HeapDumpRequest, journal: Journal, progress: Progress) -> HeapDumpTaken:
    """One heap dump, brought here and verified. Raises every error there is; the final name is never taken then."""
    private_directory(job.output)
    with open_scene(job, journal) as scene:
        taking = _Taking(job, request, journal, progress, scene)
        return with_speaker(scene, "GC.heap_dump", job.method, taking.with_)


@dataclass(frozen=True)
class _Taking:
    job: Job
    request: HeapDumpRequest
    journal: Journal
    progress: Progress
    scene: Scene

    def with_(self, speaker: Speaker) -> HeapDumpTaken:
        request = self.request
        if request.no_disk:
            require_pipe(speaker, self.scene.jvm, self.job.timeout_s)
        with watch(self.scene, request.terms.watching) as over:
            offer = agree(self.job, self.scene, speaker, request.intent, request.terms, request.dump_dir)
            if offer.price.room is None:
                raise ReadOnlyTarget("there is no directory to write a dump to, and no --force makes one")
            require_still_there(
                self.scene.view.host, self.scene.jvm, reach_of(self.scene.view, self.scene.jvm).user
            )
            over.begin()
            started, metered = now(), MeteredSpeaker(speaker, self.scene.jvm, over.mark)
            taken = self._take(metered, offer, scratch_path(offer.price.room), started)
            remember(self.job, offer, taken.pause)
            manifest = self._account(taken, started, offer, speaker.notes)
            # The file stands and is accounted for, whatever happens while this waits.
            cost = cost_of_all(over, metered, self.progress, taken.artifact.path)
        if cost:
            add_cost(taken.artifact, manifest, cost, self.journal, self.progress.warn)
        return replace(taken, cost=cost)

    def _take(self, metered: MeteredSpeaker, offer: Offer, path: str, started: datetime) -> HeapDumpTaken:
        clock = time.monotonic()
        name = file_name(self.job.target, "heap", started, ".hprof") + self.job.codec.suffix
        with ExitStack() as stack:
            stack.enter_context(self._lock(metered))
            sink = stack.enter_context(PartialFile(self.job.output, name))
            dump = self._dump(metered, path, name, stack)
            metered.read_ahead()
            with self._cleaning(dump):
                self.progress.expect(offer.price.estimate_bytes)
                pumped, says, witnesses = self._copy(dump, sink)
                kept = artifact(sink.commit(), "heap dump", self.job, pumped, witnesses)
                left = self._after(dump)
            on_disk_s = 0.0 if self.request.no_disk else time.monotonic() - metered.asked_at_s
        return HeapDumpTaken(
            artifact=kept,
            says=says,
            method=metered.method,
            detail=metered.detail,
            total_s=time.monotonic() - clock,
            asked_at=moment_of(metered.asked_at_s),
            took_s=metered.asked_s,
            on_disk_s=on_disk_s,
            resumed=dump.resumed,
            left_behind=left,
            forecast=offer.price.forecast,
            pause=metered.pause,
        )

    def _dump(self, metered: MeteredSpeaker, path: str, name: str, stack: ExitStack) -> Dump:
        job, scene, live, progress = self.job, self.scene, self.request.live, self.progress

        def anew() -> Reach:
            return reopen(job, self.journal, scene, stack)

        if self.request.no_disk:
            return piped_dump(
                job, scene, metered, path, name, live=live, reopen=anew, progress=progress, stack=stack
            )
        written = progress.written if writes_parts(scene.jvm) else None
        return HeapDump(metered, path, live=live, timeout_s=job.timeout_s, reopen=anew, written=written)

    def _lock(self, speaker: Speaker) -> AbstractContextManager[bool]:
        assert speaker.reach is not None
        return dump_lock(speaker.reach, self.scene.jvm, forced=Subject.OTHERS in self.request.terms.forced)

    def _copy(self, dump: Dump, sink: PartialFile) -> tuple[Pumped, JvmSays, tuple[Witness, ...]]:
        walk = StructureWalk()
        # Closed here and now: a stream that is left to the garbage collector leaves its far end running.
        with contextlib.closing(dump.chunks()) as chunks:
            pumped = pump(chunks, sink, self.job.codec, walk=walk, advance=self.progress.advance)
        says, structure = dump.says(), walk.finish()
        witnesses = (
            Witness("exit status", True, "the far end read the file to its end"),
            account_witness(dump, says, pumped.raw_bytes, sink.partial),
            Witness("structure", structure.complete, structure.detail),
        )
        require_agreement(witnesses)
        return pumped, says, witnesses

    @contextmanager
    def _cleaning(self, dump: Dump) -> Iterator[None]:
        """On failure the file goes, except where it is whole and nobody said that it should."""
        try:
            yield
        except (Stopped, KeyboardInterrupt):
            self._discard_after(dump, kept=self.request.keep is True)
            raise
        except BaseException:
            try:
                whole = self.request.keep is not False and dump.whole_on_target()
            except (Stopped, KeyboardInterrupt):
                # Waiting for the JVM's word can take as long as the dump.
                self._discard_after(dump, kept=self.request.keep is True)
                raise
            self._discard_after(dump, kept=whole)
            raise

    def _discard_after(self, dump: Dump, *, kept: bool) -> None:
        left = dump.kept() if kept else dump.discard()
        if left is None:
            return
        self.progress.warn(f"left on {self.scene.place.name}: {left.what} {left.where}")
        if kept:
            self.progress.warn(
                f"it is whole; fetch it with: jvmdiag fetch {self.job.target} {shlex.quote(left.where)} --remove"
            )
        self.progress.warn(f"remove it with: {left.remove}")

    def _after(self, dump: Dump) -> tuple[LeftBehind, ...]:
        left = dump.kept() if self.request.keep else dump.discard()
        return (left,) if left else ()

    def _account(
        self, taken: HeapDumpTaken, started: datetime, offer: Offer, notes: tuple[str, ...]
    ) -> Manifest:
        piped = ("without disk: through a FIFO",) if self.request.no_disk else ()
        resumed = (f"the stream was cut and continued {taken.resumed} times",) if taken.resumed else ()
        origin = Origin(
            kind="heap dump",
            method=taken.method,
            detail=taken.detail,
            started=started,
            jvm_reported_bytes=taken.says.size_bytes,
            durations_s=(
                ("dump", taken.says.seconds),
                ("on target disk", taken.on_disk_s),
                ("total", taken.total_s),
            ),
            left_behind=taken.left_behind,
            notes=(*notes, *piped, *resumed),
            host_key_checked=self.scene.place.host_key_checked,
            pause=taken.pause,
            forecast=taken.forecast,
            forced=offer.forced,
        )
        return write_account(taken.artifact, origin, self.job, self.scene, self.journal)


def reopen(job: Job, journal: Journal, scene: Scene, stack: ExitStack) -> Reach:
    """A new connection to the same JVM; it closes with `stack`. Raises what connecting raises.

    Of a JVM that is gone the files are reached that it left in its container.
    """
    place = stack.enter_context(open_place(job.target, job.access, journal))
    sight = see(place, scene.image, stack, job.jvm, sudo=job.access.sudo)
    same = [j for j in sight.jvms if (j.nspid, j.start_ticks) == (scene.jvm.nspid, scene.jvm.start_ticks)]
    if not same and isinstance(place, ContainerPlace):
        return Reach(place.inside, "", scene.jvm.owner)
    return reach_of(sight.view, same[0] if same else scene.jvm)
