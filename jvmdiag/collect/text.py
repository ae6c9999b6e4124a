"""Answers that are shown and not stored: a histogram, or any diagnostic command."""

from __future__ import annotations

from jvmdiag.capture.choose import with_speaker
from jvmdiag.capture.histogram import Histogram, histogram_line, parse_histogram
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import open_scene


def take_histogram(job: Job, journal: Journal, *, live: bool) -> tuple[Histogram, str]:
    """The histogram and the method that gave it. Raises DumpIncomplete where it does not add up."""
    line = histogram_line(live=live)
    with open_scene(job, journal) as scene:
        return with_speaker(
            scene,
            line,
            job.method,
            lambda speaker: (
                parse_histogram(speaker.ask(line, job.timeout_s).decode("utf-8", "replace")),
                speaker.method,
            ),
        )


def ask_anything(job: Job, line: str, journal: Journal) -> tuple[str, str]:
    """The JVM's answer to `line`, and the method that gave it."""
    with open_scene(job, journal) as scene:
        return with_speaker(
            scene,
            line,
            job.method,
            lambda speaker: (speaker.ask(line, job.timeout_s).decode("utf-8", "replace"), speaker.method),
        )
