"""The preflight of a capture: what is known of the target and of this machine, put together and weighed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from jvmdiag.attach.rung import Scene, Speaker, reach_of
from jvmdiag.capture.spool import spool_bytes
from jvmdiag.collect.job import Job
from jvmdiag.errors import CommandRefused, Declined, JvmHung
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.impact.around import look_around
from jvmdiag.impact.disk import candidates, writes_parts
from jvmdiag.impact.finding import Finding, Subject, require_allowed
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.history import History, Measured, default_path
from jvmdiag.impact.others import is_under_way
from jvmdiag.impact.preflight import Intent, Known, Local, Preflight, weigh
from jvmdiag.impact.watch import UNWATCHED, Watching
from jvmdiag.impact.way import way_of
from jvmdiag.jvm.heap_info import heap_used_bytes
from jvmdiag.model import HealthProbe, Jvm, Pause
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.sink import free_bytes

# gzip -1 makes heap dumps a third to a half of their size; a full disk here is worth a pessimist.
_STORED_SHARE = 0.6
# Names and layouts of the classes come on top of the objects.
_CLASSES_BYTES = 10 << 20
# It waits for a collection that is under way, and for nothing else.
_ESTIMATE_S = 30.0


@dataclass(frozen=True)
class Offer:
    """What is about to happen and what it will cost, for the one who has to say yes."""

    jvm: Jvm
    where: str
    method: str
    price: Preflight
    overridden: tuple[Finding, ...] = ()

    @property
    def forced(self) -> tuple[str, ...]:
        """What was overridden, as the manifest says it."""
        return tuple(f"{f.subject.value}: {f.what}" for f in self.overridden)


@dataclass(frozen=True)
class Terms:
    """What may be paid: `max_pause_s` refuses by forecast, `forced` names the refusals to go on in spite of,
    `agreed` is asked where the price is worth a word. `watching` is what sees how much it was."""

    max_pause_s: float | None = None
    forced: frozenset[Subject] = frozenset()
    agreed: Callable[[Offer], bool] = lambda _: True
    watching: Watching = UNWATCHED
    begins: Callable[[], None] = lambda: None
    """Called once everybody has said yes."""


NO_TERMS = Terms()


def agree(
    job: Job, scene: Scene, speaker: Speaker, intent: Intent, terms: Terms, dump_dir: str | None = None
) -> Offer:
    """The preflight of `intent`, and everybody's yes to it. Raises the error of a refusal, or Declined."""
    price = preflight(job, scene, intent, ((speaker.method, ""),), speaker, dump_dir)
    overridden = require_allowed(price.findings, terms.forced)
    offer = Offer(scene.jvm, scene.place.name, speaker.method, price, overridden)
    if price.worth_asking and not terms.agreed(offer):
        raise Declined(f"no {intent.operation.value} was taken", why="it was not confirmed")
    terms.begins()
    return offer


def preflight(
    job: Job,
    scene: Scene,
    intent: Intent,
    methods: tuple[tuple[str, str], ...],
    speaker: Speaker | None,
    dump_dir: str | None = None,
) -> Preflight:
    """What `intent` will cost, and every finding. With a `speaker` the JVM is asked for its heap, which costs
    no safepoint; without one its performance data must do. Raises what looking at the target raises."""
    jvm, hung = scene.jvm, ""
    reach = (speaker.reach if speaker else None) or reach_of(scene.view, jvm)
    writes = intent.operation is Operation.HEAP_DUMP
    around = look_around(reach, jvm, candidates(jvm, dump_dir) if writes else ())
    try:
        # A question would wait in the JVM's queue behind that dump.
        estimate = estimate_bytes(None if is_under_way(around) else speaker, jvm, job.timeout_s)
    except JvmHung as error:
        estimate, hung = _published_bytes(jvm), str(error)
    return weigh(
        intent,
        Known(
            jvm=jvm,
            around=around,
            methods=methods,
            estimate_bytes=estimate,
            probes=_probes(scene),
            past=History(default_path()).of(str(job.target), jvm.main),
            now_s=time.time(),
            hung=hung,
            local=_local(job, estimate, twice=intent.no_disk and writes_parts(jvm)) if writes else None,
            way=way_of(reach, jvm, spool_bytes()) if intent.no_disk else None,
        ),
    )


def _probes(scene: Scene) -> tuple[HealthProbe, ...]:
    return scene.place.facts.probes if isinstance(scene.place, ContainerPlace) else ()


def _local(job: Job, estimate: int, *, twice: bool) -> Local:
    """`twice`: the largest part of it waits here for the rest."""
    share = (1 if job.codec is Codec.NONE else _STORED_SHARE) * (2 if twice else 1)
    return Local(str(job.output.resolve()), int(estimate * share), free_bytes(job.output))


def estimate_bytes(speaker: Speaker | None, jvm: Jvm, timeout_s: float) -> int:
    """What the dump will be, from the heap's use now; hprof is about as wide as the heap it shows.

    GC.heap_info costs no safepoint and is fresher than perfdata, which G1 refreshes only at a collection.
    """
    # A JVM that refuses this one may know the dump all the same.
    with contextlib.suppress(CommandRefused):
        if speaker is not None:
            text = speaker.ask("GC.heap_info", min(timeout_s, _ESTIMATE_S)).decode("utf-8", "replace")
            if used := heap_used_bytes(text):
                return used + _CLASSES_BYTES
    return _published_bytes(jvm)


def _published_bytes(jvm: Jvm) -> int:
    return jvm.heap.used_bytes if jvm.heap else jvm.rss_bytes


def remember(job: Job, offer: Offer, pause: Pause | None) -> None:
    """Keep what it did cost, where that is known exactly, for the next forecast on this target."""
    weighed = offer.price
    # Without disk it is the way's, and says nothing of the next dump.
    if pause is None or not pause.exact or weighed.intent.no_disk:
        return
    measured = Measured(
        at_s=time.time(),
        target=str(job.target),
        main=offer.jvm.main,
        operation=weighed.intent.operation.value,
        live=weighed.intent.live,
        heap_used_bytes=weighed.estimate_bytes,
        pause_s=pause.seconds,
        forecast_low_s=weighed.forecast.low_s,
        forecast_high_s=weighed.forecast.high_s,
    )
    History(default_path()).add(measured)
