"""Answers that are shown and not stored: a histogram, or any diagnostic command."""

from __future__ import annotations

from dataclasses import dataclass

from jvmdiag.attach.rung import Speaker
from jvmdiag.capture.choose import with_speaker
from jvmdiag.capture.histogram import Histogram, histogram_line, parse_histogram
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.price import Offer, Terms, agree, remember
from jvmdiag.collect.scene import open_scene
from jvmdiag.collect.watching import cost_so_far, watch
from jvmdiag.errors import BadRequest
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.impact.preflight import Intent
from jvmdiag.impact.watch import Watch
from jvmdiag.jvm.masking import can_mask, mask_answer, maskable
from jvmdiag.model import Cost, Forecast, Pause


@dataclass(frozen=True)
class HistogramTaken:
    """The histogram, the method that gave it, and how long the application stood still (None: not known)."""

    histogram: Histogram
    method: str
    pause: Pause | None
    forecast: Forecast
    cost: Cost | None = None
    """What it did to the traffic; None where that was not watched, or could not be."""


def take_histogram(job: Job, journal: Journal, terms: Terms, *, live: bool) -> HistogramTaken:
    """Raises DumpIncomplete where the JVM's answer does not add up, and what `terms` do not bear."""
    intent = Intent(Operation.HISTOGRAM, live, terms.max_pause_s)
    line = histogram_line(live=live)
    with open_scene(job, journal) as scene:

        def ask(speaker: Speaker) -> HistogramTaken:
            with watch(scene, terms.watching) as over:
                offer = agree(job, scene, speaker, intent, terms)
                over.begin()
                return _histogram(job, MeteredSpeaker(speaker, scene.jvm, over.mark), line, offer, over)

        return with_speaker(scene, line, job.method, ask)


def _histogram(job: Job, metered: MeteredSpeaker, line: str, offer: Offer, over: Watch) -> HistogramTaken:
    text = metered.ask(line, job.timeout_s).decode("utf-8", "replace")
    remember(job, offer, metered.pause)
    histogram, forecast = parse_histogram(text), offer.price.forecast
    return HistogramTaken(histogram, metered.method, metered.pause, forecast, cost_so_far(over, metered))


def ask_anything(job: Job, line: str, journal: Journal, *, redact: bool = False) -> tuple[str, str]:
    """The JVM's answer to `line`, and the method that gave it.

    Where it is to be redacted, raises BadRequest for commands whose answers may hold secrets anywhere.
    """
    if redact and not can_mask(line):
        raise BadRequest(
            f"what {line.split(maxsplit=1)[0]} answers can't be redacted",
            advice=f"--redact knows the answers of: {', '.join(maskable())}",
        )
    with open_scene(job, journal) as scene:
        answer, method = with_speaker(
            scene,
            line,
            job.method,
            lambda speaker: (speaker.ask(line, job.timeout_s).decode("utf-8", "replace"), speaker.method),
        )
    return (mask_answer(line, answer) if redact else answer), method
