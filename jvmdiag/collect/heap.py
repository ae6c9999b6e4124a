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
from jvmdiag.capture.heap import HeapDump
from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.capture.piped import PipedDump
from jvmdiag.collect.again import reopen, same_sum, sought
from jvmdiag.collect.heap_request import HeapDumpRequest, HeapDumpTaken
from jvmdiag.collect.job import Job, Journal, Progress, file_name, moment_of, now
from jvmdiag.collect.keep import (
    Origin,
    account,
    add_cost,
    artifact,
    nothing_yet,
    require_agreement,
    write_account,
)
from jvmdiag.collect.ledger import Ledger
from jvmdiag.collect.no_disk import account_witness, piped_dump, require_pipe
from jvmdiag.collect.price import Offer, agree, remember
from jvmdiag.collect.recording import recorded
from jvmdiag.collect.redacting import Redacting, redaction_notes
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.watching import cost_of_all, watch
from jvmdiag.errors import BadRequest, HangUp, ReadOnlyTarget, RoomError, Stopped
from jvmdiag.impact.disk import scratch_path, writes_parts
from jvmdiag.impact.finding import Subject
from jvmdiag.impact.lock import dump_lock
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.impact.runs import HEAP_DUMP, PIPES
from jvmdiag.jvm.discovery import require_still_there
from jvmdiag.model import LeftBehind, Witness
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.manifest import Manifest
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory
from jvmdiag.transfer.unfinished import Unfinished

Dump = HeapDump | PipedDump


def take_heap_dump(job: Job, request: HeapDumpRequest, journal: Journal, progress: Progress) -> HeapDumpTaken:
    """One heap dump, brought here and verified. Raises every error there is; the final name is never taken then."""
    if request.reclaim and job.seal:
        why = "what is encrypted cannot be gone on with, so the target has to keep all of it"
        raise BadRequest("--reclaim and --encrypt-to exclude each other", why=why)
    private_directory(job.output)
    with open_scene(job, journal) as scene:
        return take_heap_dump_at(scene, job, request, journal, progress)


def take_heap_dump_at(
    scene: Scene, job: Job, request: HeapDumpRequest, journal: Journal, progress: Progress
) -> HeapDumpTaken:
    """The same of a JVM that is found already; the output directory is there."""
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
            ledger = self._ledger(metered, offer, scratch_path(offer.price.room), started)
            taken = self._take(metered, offer, ledger, started)
            remember(self.job, offer, taken.pause)
            manifest = self._account(taken, started, offer, speaker.notes)
            ledger.end()
            # The file stands and is accounted for, whatever happens while this waits.
            cost = cost_of_all(over, metered, self.progress, taken.artifact.path)
        if cost:
            add_cost(taken.artifact, manifest, cost, self.journal, self.progress.warn)
        return replace(taken, cost=cost)

    def _ledger(self, metered: MeteredSpeaker, offer: Offer, path: str, started: datetime) -> Ledger:
        name = file_name(self.job.target, "heap", started, ".hprof") + self.job.suffix
        origin = self._origin(metered.method, metered.detail, started, offer)
        so_far = account(nothing_yet(name, "heap dump", self.job), origin, self.job, self.scene, self.journal)
        rules = self.request.redaction
        unfinished = Unfinished(
            path=path,
            nspid=self.scene.jvm.nspid,
            start_ticks=self.scene.jvm.start_ticks,
            keep=self.request.keep is True,
            sealed_for=self.job.seal.recipients if self.job.seal else (),
            redaction=rules.text if rules else None,
            redacts_fields=bool(rules and rules.fields),
            redacts_names=bool(rules and rules.names),
            manifest=so_far,
        )
        return Ledger(self.job.output, name, unfinished)

    def _take(
        self, metered: MeteredSpeaker, offer: Offer, ledger: Ledger, started: datetime
    ) -> HeapDumpTaken:
        clock = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._lock(metered))
            sink = stack.enter_context(PartialFile(self.job.output, ledger.name))
            dump = self._dump(metered, ledger, stack)
            kind = PIPES if self.request.no_disk else HEAP_DUMP
            stack.enter_context(recorded(self.job, self.scene, kind, dump, sink.partial, self.progress.warn))
            metered.read_ahead()
            with self._cleaning(dump, sink, ledger):
                if not self.request.no_disk:
                    ledger.begin()
                self.progress.expect(offer.price.estimate_bytes)
                pumped, says, witnesses = self._copy(dump, sink, ledger, offer.price.estimate_bytes)
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
            redacted=self.request.intent.redacted,
        )

    def _dump(self, metered: MeteredSpeaker, ledger: Ledger, stack: ExitStack) -> Dump:
        job, scene, request, progress = self.job, self.scene, self.request, self.progress

        def anew() -> Reach:
            return reopen(job, self.journal, sought(scene.jvm), stack)

        if request.no_disk:
            return piped_dump(
                job, scene, metered, ledger, request, reopen=anew, progress=progress, stack=stack
            )
        return HeapDump(
            metered,
            ledger.dump_path,
            live=request.live,
            timeout_s=job.timeout_s,
            reopen=anew,
            retry_s=job.retry_s,
            tell=progress.warn,
            told=ledger.told,
            written=progress.written if writes_parts(scene.jvm) else None,
        )

    def _lock(self, speaker: Speaker) -> AbstractContextManager[bool]:
        assert speaker.reach is not None
        return dump_lock(speaker.reach, self.scene.jvm, forced=Subject.OTHERS in self.request.terms.forced)

    def _copy(
        self, dump: Dump, sink: PartialFile, ledger: Ledger, size_bytes: int
    ) -> tuple[Pumped, JvmSays, tuple[Witness, ...]]:
        def stored(whole_bytes: int) -> None:
            if isinstance(dump, HeapDump) and dump.can_give_back():
                sink.sync()
                ledger.reclaims(whole_bytes)
                dump.give_back(whole_bytes)

        walk = StructureWalk()
        redacting = Redacting(self.request.redaction, size_bytes, summed=not dump.is_guarded)
        # Closed here and now: a stream that is left to the garbage collector leaves its far end running.
        with contextlib.closing(dump.chunks()) as chunks:
            pumped = pump(
                redacting.through(chunks),
                sink,
                self.job.codec,
                walk=walk,
                advance=self.progress.advance,
                stored=stored if self.request.reclaim else None,
                seal=self.job.seal,
            )
        says, structure = dump.says(), walk.finish()
        witnesses = (
            Witness("exit status", True, "the far end read the file to its end"),
            account_witness(dump, says, pumped.raw_bytes, sink.partial),
            Witness("structure", structure.complete, structure.detail),
            *self._summed(dump, pumped, redacting.sha256),
        )
        require_agreement(witnesses)
        return pumped, says, witnesses

    def _summed(self, dump: Dump, pumped: Pumped, came: str | None) -> tuple[Witness, ...]:
        """The file's sum on the target, where its bytes came in pieces or by a way that does not guard them. That of
        what was redacted since is `came`, or not known."""
        whole_way = dump.is_guarded and not dump.resumed
        here = pumped.raw_sha256 if self.request.redaction is None else came
        if whole_way or self.request.reclaim or here is None:
            return ()
        return same_sum(dump.sums, pumped.raw_bytes, here)

    @contextmanager
    def _cleaning(self, dump: Dump, sink: PartialFile, ledger: Ledger) -> Iterator[None]:
        """On failure all of it goes, except where the dump is whole there, or may be: then it can be gone on with."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Stopped | KeyboardInterrupt) and not isinstance(error, HangUp):
                self._discard_after(dump, ledger, kept=self.request.keep is True)
                raise
            try:
                whole = self.request.keep is not False and dump.may_be_whole()
            except HangUp:
                whole = self.request.keep is not False
            except (Stopped, KeyboardInterrupt):
                # Waiting for the JVM's word can take as long as the dump.
                self._discard_after(dump, ledger, kept=self.request.keep is True)
                raise
            if whole:
                self._leave(dump, sink)
            else:
                self._discard_after(dump, ledger, kept=False)
            raise

    def _leave(self, dump: Dump, sink: PartialFile) -> None:
        """Both ends of a dump that is not here yet, and what goes on with it."""
        with contextlib.suppress(RoomError):
            sink.keep_partial()
        self._tell_of(dump.kept())
        self.progress.warn(f"go on with it: jvmdiag resume {shlex.quote(str(sink.partial))}")

    def _discard_after(self, dump: Dump, ledger: Ledger, *, kept: bool) -> None:
        left = dump.kept() if kept else dump.discard()
        ledger.end()
        if left is None:
            return
        self._tell_of(left)
        # Fetched as it is it would hold what was not to come here.
        if kept and self.request.redaction is None:
            fetch = f"jvmdiag fetch {self.job.target} {shlex.quote(left.where)} --remove"
            self.progress.warn(f"fetch it when it is whole: {fetch}")

    def _tell_of(self, left: LeftBehind) -> None:
        self.progress.warn(f"left on {self.scene.place.name}: {left.what} {left.where}")
        self.progress.warn(f"remove it with: {left.remove}")

    def _after(self, dump: Dump) -> tuple[LeftBehind, ...]:
        left = dump.kept() if self.request.keep else dump.discard()
        return (left,) if left else ()

    def _account(
        self, taken: HeapDumpTaken, started: datetime, offer: Offer, notes: tuple[str, ...]
    ) -> Manifest:
        piped = ("without disk: through a FIFO",) if self.request.no_disk else ()
        resumed = (f"the stream was cut and continued {taken.resumed} times",) if taken.resumed else ()
        origin = replace(
            self._origin(taken.method, taken.detail, started, offer),
            jvm_reported_bytes=taken.says.size_bytes if taken.says.told else None,
            durations_s=(
                ("dump", taken.says.seconds),
                ("on target disk", taken.on_disk_s),
                ("total", taken.total_s),
            ),
            left_behind=taken.left_behind,
            notes=(*notes, *piped, *resumed, *redaction_notes(self.request.redaction)),
            pause=taken.pause,
        )
        return write_account(taken.artifact, origin, self.job, self.scene, self.journal)

    def _origin(self, method: str, detail: str, started: datetime, offer: Offer) -> Origin:
        """What is known of it before the JVM is asked."""
        return Origin(
            kind="heap dump",
            method=method,
            detail=detail,
            started=started,
            host_key_checked=self.scene.place.host_key_checked,
            forecast=offer.price.forecast,
            forced=offer.forced,
        )
