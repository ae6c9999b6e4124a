"""A heap dump: room on the target, room here, the word of the user, the dump, its copy, its witnesses."""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from jvmdiag.attach.rung import Reach, Scene, Speaker, reach_of
from jvmdiag.capture.choose import with_speaker
from jvmdiag.capture.heap import HeapDump, JvmSays
from jvmdiag.capture.scratch import Room, candidates, choose_room, look_for_room, scratch_path
from jvmdiag.collect.job import Job, Journal, Progress, file_name, now
from jvmdiag.collect.keep import Origin, artifact, require_agreement, write_account
from jvmdiag.collect.scene import open_scene, see
from jvmdiag.errors import CommandRefused, Declined, LocalDiskFull, Stopped
from jvmdiag.hosts.opening import open_place
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.jvm.discovery import require_still_there
from jvmdiag.model import Artifact, Jvm, LeftBehind, Pause, Witness
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, free_bytes, private_directory

# gzip -1 makes heap dumps a third to a half of their size; a full disk here is worth a pessimist.
_STORED_SHARE = 0.6
# Names and layouts of the classes come on top of the objects.
_CLASSES_BYTES = 10 << 20
# It waits for a collection that is under way, and for nothing else.
_ESTIMATE_S = 30.0
_HEAP_INFO = re.compile(r"used (\d+)K", re.MULTILINE)


@dataclass(frozen=True)
class HeapDumpRequest:
    """`live` forces a full collection first and leaves unreachable objects out.

    `keep`: True leaves the file on the target, False removes it even where its copy failed; None
    removes it once its copy is verified, and keeps it where the dump is whole and its copy is not.
    `force` goes on where there is too little room, there or here.
    """

    live: bool = False
    dump_dir: str | None = None
    keep: bool | None = None
    force: bool = False


@dataclass(frozen=True)
class Plan:
    """What is about to happen, for the one who has to say yes."""

    jvm: Jvm
    where: str
    room: Room
    estimate_bytes: int
    method: str
    live: bool


@dataclass(frozen=True)
class HeapDumpTaken:
    """The verified file and how it came to be."""

    artifact: Artifact
    says: JvmSays
    method: str
    detail: str
    total_s: float
    resumed: int
    left_behind: tuple[LeftBehind, ...]
    pause: Pause | None = None
    """How long the application stood still; None where the JVM publishes no counters."""


def take_heap_dump(
    job: Job, request: HeapDumpRequest, journal: Journal, progress: Progress, confirm: Callable[[Plan], bool]
) -> HeapDumpTaken:
    """One heap dump, brought here and verified. Raises every error there is; the final name is never taken then."""
    private_directory(job.output)
    with open_scene(job, journal) as scene:
        taking = _Taking(job, request, journal, progress, confirm, scene)
        return with_speaker(scene, "GC.heap_dump", job.method, taking.with_)


@dataclass(frozen=True)
class _Taking:
    job: Job
    request: HeapDumpRequest
    journal: Journal
    progress: Progress
    confirm: Callable[[Plan], bool]
    scene: Scene

    def with_(self, speaker: Speaker) -> HeapDumpTaken:
        plan = self._plan(speaker)
        if not self.confirm(plan):
            raise Declined("no heap dump was taken", why="it was not confirmed")
        require_still_there(self.scene.view.host, self.scene.jvm)
        started, clock = now(), time.monotonic()
        path = scratch_path(plan.room)
        name = file_name(self.job.target, "heap", started, ".hprof") + self.job.codec.suffix
        metered = MeteredSpeaker(speaker, self.scene.jvm)
        with ExitStack() as stack:
            sink = stack.enter_context(PartialFile(self.job.output, name))
            dump = HeapDump(
                metered,
                path,
                live=self.request.live,
                timeout_s=self.job.timeout_s,
                reopen=lambda: reopen(self.job, self.journal, self.scene, stack),
            )
            metered.read_ahead()
            with self._cleaning(dump):
                self.progress.expect(plan.estimate_bytes)
                pumped, says, witnesses = self._copy(dump, sink)
                kept = artifact(sink.commit(), "heap dump", self.job, pumped, witnesses)
                left = self._after(dump)
        total_s = time.monotonic() - clock
        taken = HeapDumpTaken(
            kept, says, speaker.method, speaker.detail, total_s, dump.resumed, left, metered.pause
        )
        self._account(taken, started, speaker.notes)
        return taken

    def _plan(self, speaker: Speaker) -> Plan:
        jvm = self.scene.jvm
        estimate = estimate_bytes(speaker, jvm, self.job.timeout_s)
        assert speaker.reach is not None
        rooms = look_for_room(speaker.reach, jvm, candidates(jvm, self.request.dump_dir))
        room = choose_room(rooms, jvm, estimate, force=self.request.force)
        if not self.request.force:
            require_room_here(self.job, estimate)
        return Plan(jvm, self.scene.place.name, room, estimate, speaker.method, self.request.live)

    def _copy(self, dump: HeapDump, sink: PartialFile) -> tuple[Pumped, JvmSays, tuple[Witness, ...]]:
        walk = StructureWalk()
        # Closed here and now: a stream that is left to the garbage collector leaves its far end running.
        with contextlib.closing(dump.chunks()) as chunks:
            pumped = pump(chunks, sink, self.job.codec, walk=walk, advance=self.progress.advance)
        says, structure = dump.says(), walk.finish()
        witnesses = (
            Witness("exit status", True, "the far end read the file to its end"),
            Witness(
                "byte count",
                says.size_bytes == pumped.raw_bytes,
                f"the JVM wrote {says.size_bytes:,} bytes, {pumped.raw_bytes:,} came here",
            ),
            Witness("structure", structure.complete, structure.detail),
        )
        require_agreement(witnesses)
        return pumped, says, witnesses

    @contextmanager
    def _cleaning(self, dump: HeapDump) -> Iterator[None]:
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

    def _discard_after(self, dump: HeapDump, *, kept: bool) -> None:
        left = dump.kept() if kept else dump.discard()
        if left is None:
            return
        self.progress.warn(f"left on {self.scene.place.name}: {left.what} {left.where}")
        if kept:
            self.progress.warn(
                f"it is whole; fetch it with: jvmdiag fetch {self.job.target} {shlex.quote(left.where)} --remove"
            )
        self.progress.warn(f"remove it with: {left.remove}")

    def _after(self, dump: HeapDump) -> tuple[LeftBehind, ...]:
        left = dump.kept() if self.request.keep else dump.discard()
        return (left,) if left else ()

    def _account(self, taken: HeapDumpTaken, started: datetime, notes: tuple[str, ...]) -> None:
        durations = (("dump", taken.says.seconds), ("total", taken.total_s))
        notes = (
            *notes,
            *((f"the stream was cut and continued {taken.resumed} times",) if taken.resumed else ()),
            *(("--force: taken whether there was room or not",) if self.request.force else ()),
        )
        origin = Origin(
            "heap dump",
            taken.method,
            taken.detail,
            started,
            taken.says.size_bytes,
            durations,
            taken.left_behind,
            notes,
            self.scene.place.host_key_checked,
            taken.pause,
        )
        write_account(taken.artifact, origin, self.job, self.scene, self.journal)


def estimate_bytes(speaker: Speaker, jvm: Jvm, timeout_s: float) -> int:
    """What the dump will be, from the heap's use now; hprof is about as wide as the heap it shows.

    GC.heap_info costs no safepoint and is fresher than perfdata, which G1 refreshes only at a collection.
    """
    # A JVM that refuses or hangs here would do so again, and a dump that waits in its queue is taken all the same.
    with contextlib.suppress(CommandRefused):
        text = speaker.ask("GC.heap_info", min(timeout_s, _ESTIMATE_S)).decode("utf-8", "replace")
        heap = text.partition("Metaspace")[0]
        if used := [int(kib) for kib in _HEAP_INFO.findall(heap)]:
            return (sum(used) << 10) + _CLASSES_BYTES
    return jvm.heap.used_bytes if jvm.heap else jvm.rss_bytes


def require_room_here(job: Job, estimate: int) -> None:
    """Raises LocalDiskFull before the JVM is asked for a dump that would find no room here."""
    need = int(estimate * (1 if job.codec.value == "none" else _STORED_SHARE))
    free = free_bytes(job.output)
    if free < need:
        raise LocalDiskFull(
            f"{job.output.resolve()} has {free / 1e6:,.0f} MB free, and the dump may take {need / 1e6:,.0f} MB",
            advice=(
                "choose another directory: -o DIR",
                "nothing was done to the JVM; --force tries all the same",
            ),
        )


def reopen(job: Job, journal: Journal, scene: Scene, stack: ExitStack) -> Reach:
    """A new connection to the same JVM; it closes with `stack`. Raises what connecting raises, and JvmGone."""
    place = stack.enter_context(open_place(job.target, job.access, journal))
    sight = see(place, scene.image, stack, job.jvm, sudo=job.access.sudo)
    same = [j for j in sight.jvms if (j.nspid, j.start_ticks) == (scene.jvm.nspid, scene.jvm.start_ticks)]
    return reach_of(sight.view, same[0] if same else scene.jvm)
