"""Thread dumps: one or several, each a verified file with its manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jvmdiag.attach.rung import Scene, Speaker
from jvmdiag.capture.choose import with_speaker
from jvmdiag.capture.threads import count_threads, has_deadlock, thread_line
from jvmdiag.collect.job import Job, Journal, file_name, now
from jvmdiag.collect.keep import Origin, add_cost, keep_text, write_account
from jvmdiag.collect.price import NO_TERMS, Offer, Terms, agree, remember
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.watching import cost_so_far, watch
from jvmdiag.errors import BadRequest, DumpIncomplete
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.impact.preflight import Intent
from jvmdiag.impact.watch import UNWATCHED, Watch, Watching
from jvmdiag.jvm.thread_names import ThreadNames, mask_bytes
from jvmdiag.model import Artifact, Cost, Forecast, Pause, Witness
from jvmdiag.transfer.sink import private_directory
from jvmdiag.transfer.threads import ThreadDumpWalk

_DAY_S = 86400.0
REDACTED = "redacted: names of threads replaced, what is no line of a thread dump hidden"


@dataclass(frozen=True)
class ThreadDumpRequest:
    """`interval_s` lies between the beginnings of two samples. `locks` costs a scan of the heap in a safepoint.
    `redact` replaces the names of threads, by the same ones in all samples."""

    count: int = 1
    interval_s: float = 5.0
    locks: bool = False
    redact: bool = False
    terms: Terms = NO_TERMS

    @property
    def has_a_price(self) -> bool:
        """Whether it is worth a preflight: a plain dump costs about a millisecond."""
        return self.locks or self.terms.max_pause_s is not None or self.terms.watching.probe is not None

    @property
    def watching(self) -> Watching:
        """A plain dump is over before anybody could see a difference; who probes wants to see none."""
        probes = self.terms.watching.probe is not None
        return self.terms.watching if self.locks or probes else UNWATCHED

    @property
    def intent(self) -> Intent:
        operation = Operation.LOCKS if self.locks else Operation.THREADS
        return Intent(operation, max_pause_s=self.terms.max_pause_s)


@dataclass(frozen=True)
class ThreadDump:
    """One sample: its file, and what stands out in it at first sight."""

    artifact: Artifact
    threads: int
    deadlock: bool
    method: str
    detail: str
    seconds: float
    pause: Pause | None = None
    """How long the application stood still; None where it was not measured."""
    forecast: Forecast | None = None
    cost: Cost | None = None
    """What it did to the traffic; None where that was not watched, or could not be."""


def take_thread_dumps(
    job: Job,
    request: ThreadDumpRequest,
    journal: Journal,
    taken: Callable[[ThreadDump], None],
    warn: Callable[[str], None] = lambda _: None,
) -> tuple[ThreadDump, ...]:
    """All samples that were asked for; `taken` hears of each. A rung that is refused between two samples leaves
    the rest to the next one. What was taken before an error stays."""
    if request.count < 1 or not 0 <= request.interval_s <= _DAY_S:
        raise BadRequest("--count is at least 1, and --interval from 0 to a day")
    private_directory(job.output)
    with open_scene(job, journal) as scene:
        sampler = _Sampler(job, request, journal, taken, scene, warn)
        return with_speaker(scene, thread_line(locks=request.locks), job.method, sampler.all_of)


@dataclass(frozen=True)
class _Sampler:
    job: Job
    request: ThreadDumpRequest
    journal: Journal
    taken: Callable[[ThreadDump], None]
    scene: Scene
    warn: Callable[[str], None]
    dumps: list[ThreadDump] = field(default_factory=list)
    names: ThreadNames = field(default_factory=ThreadNames)

    def all_of(self, speaker: Speaker) -> tuple[ThreadDump, ...]:
        """Those that `speaker` could not be asked for any more are left to the next one."""
        if not self.request.has_a_price:
            return self._samples(speaker, None, None)
        with watch(self.scene, self.request.watching) as over:
            offer = agree(self.job, self.scene, speaker, self.request.intent, self.request.terms)
            over.begin()
            return self._samples(speaker, offer, over)

    def _samples(self, speaker: Speaker, offer: Offer | None, over: Watch | None) -> tuple[ThreadDump, ...]:
        while len(self.dumps) < self.request.count:
            due = time.monotonic() + self.request.interval_s
            self.dumps.append(self._one(speaker, len(self.dumps) + 1, offer, over))
            self.taken(self.dumps[-1])
            if len(self.dumps) < self.request.count:
                time.sleep(max(due - time.monotonic(), 0))
        return tuple(self.dumps)

    def _one(self, speaker: Speaker, number: int, offer: Offer | None, over: Watch | None) -> ThreadDump:
        # Two more commands in a container or over SSH cost more than what they would measure.
        metered = (
            MeteredSpeaker(speaker, self.scene.jvm, over.mark if over else lambda: None)
            if speaker.reach and (offer or speaker.reach.host.is_here)
            else None
        )
        started, clock = now(), time.monotonic()
        text = (metered or speaker).ask(thread_line(locks=self.request.locks), self.job.timeout_s)
        seconds = metered.asked_s if metered else time.monotonic() - clock
        pause = metered.pause if metered else None
        _require_whole(text)
        if self.request.redact:
            text = mask_bytes(text, self.names)
        suffix = f"-{number}.txt" if self.request.count > 1 else ".txt"
        whole = Witness("structure", True, f"{count_threads(text)} threads, to the last line")
        kept = replace(
            keep_text(self.job, file_name(self.job.target, "threads", started, suffix), text),
            witnesses=(whole,),
        )
        origin = Origin(
            "thread dump",
            speaker.method,
            speaker.detail,
            started,
            durations_s=(("dump", seconds),),
            notes=(*speaker.notes, *((REDACTED,) if self.request.redact else ())),
            host_key_checked=self.scene.place.host_key_checked,
            pause=pause,
            forecast=offer.price.forecast if offer else None,
            forced=offer.forced if offer else (),
        )
        if offer:
            remember(self.job, offer, pause)
        manifest = write_account(kept, origin, self.job, self.scene, self.journal)
        cost = cost_so_far(over, metered) if over and metered else None
        if cost:
            add_cost(kept, manifest, cost, self.journal, self.warn)
        return ThreadDump(
            artifact=kept,
            threads=count_threads(text),
            deadlock=has_deadlock(text),
            method=speaker.method,
            detail=speaker.detail,
            seconds=seconds,
            pause=pause,
            forecast=origin.forecast,
            cost=cost,
        )


def _require_whole(text: bytes) -> None:
    """By the rule of `jvmdiag verify`. Raises DumpIncomplete."""
    walk = ThreadDumpWalk()
    walk.feed(text)
    found = walk.finish()
    if not found.dumps:
        raise DumpIncomplete("the JVM's answer is no thread dump", why=repr(text[:80]))
    if not found.complete:
        raise DumpIncomplete("the thread dump is not whole", why=found.detail)
