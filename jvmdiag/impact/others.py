"""Somebody else's dump of the same JVM: one under way, or one taken a moment ago. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jvmdiag.errors import DumpUnderWay
from jvmdiag.impact.around import DumpThere, Surroundings
from jvmdiag.impact.finding import Finding, Subject, ok, refused, risky
from jvmdiag.impact.history import Measured
from jvmdiag.units import duration, size

# A JVM that writes a dump writes without a stop; this is a disk that holds it up, and clocks of whole seconds.
_GROWING_S = 5.0
_RECENT_S = 900.0
_OURS = "/.jvmdiag-"


def others_findings(around: Surroundings, past: Sequence[Measured], now_s: float) -> tuple[Finding, ...]:
    """`past` holds what was measured on this target before, `now_s` is this machine's clock, in Unix seconds."""
    found = (*_under_way(around), *_recent(around.dumps), *_taken_from_here(past, now_s))
    return found or (ok(Subject.OTHERS, "no other dump under way, and none of the last 15 minutes"),)


def is_under_way(around: Surroundings) -> bool:
    """Whether somebody is dumping the JVM just now: it answers nobody else meanwhile."""
    return any(_under_way(around))


def _under_way(around: Surroundings) -> Iterator[Finding]:
    if around.locked:
        what = "another jvmdiag is taking a heap dump of this JVM"
        yield refused(Subject.OTHERS, DumpUnderWay, what, "wait for it: its file is as good")
        return
    for dump in around.dumps:
        if dump.age_s < _GROWING_S:
            written = f"{size(dump.size_bytes)} so far, last written {duration(dump.age_s)} ago"
            what = f"{dump.path} is being written: {written}"
            yield refused(Subject.OTHERS, DumpUnderWay, what, "wait for it, and fetch it: jvmdiag fetch")


def _recent(dumps: Sequence[DumpThere]) -> Iterator[Finding]:
    for dump in dumps:
        ago = f"{size(dump.size_bytes)}, {duration(dump.age_s)} old"
        if _OURS in dump.path and dump.age_s >= _GROWING_S:
            yield risky(
                Subject.OTHERS,
                f"{dump.path} ({ago}) was left by a run of jvmdiag that was cut off",
                f"bring it here and remove it there: jvmdiag fetch TARGET {dump.path} --remove",
                "or see what runs of this machine left: jvmdiag sweep TARGET",
            )
        elif _GROWING_S <= dump.age_s < _RECENT_S:
            yield risky(
                Subject.OTHERS,
                f"{dump.path} ({ago}) is a fresh dump",
                f"it may be all you need: jvmdiag fetch TARGET {dump.path}",
            )


def _taken_from_here(past: Sequence[Measured], now_s: float) -> Iterator[Finding]:
    fresh = [m for m in past if m.operation == "heap dump" and 0 <= now_s - m.at_s < _RECENT_S]
    if fresh:
        ago = duration(now_s - fresh[-1].at_s)
        yield risky(
            Subject.OTHERS, f"a heap dump of it was brought to this machine {ago} ago", "is one more needed?"
        )
