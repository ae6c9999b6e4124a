"""What a look at the target found before anything is done to it: ok, risky or refused, with the number behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from jvmdiag.errors import JvmdiagError


class Subject(str, Enum):
    """What a finding is about; the names are those of --force."""

    JVM = "jvm"
    DISK = "disk"
    MEMORY = "memory"
    HEALTH = "health"
    PAUSE = "pause"
    OTHERS = "others"
    HERE = "here"


class Level(str, Enum):
    """OK costs nothing worth a word, RISKY is for the user to decide, REFUSED needs --force."""

    OK = "ok"
    RISKY = "risky"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """One line of the preflight: `what` with its number, and `advice` on what to do about it.

    `error` is what a capture ends with where the finding is REFUSED and not overridden.
    """

    subject: Subject
    level: Level
    what: str
    advice: tuple[str, ...] = ()
    error: type[JvmdiagError] | None = None


def ok(subject: Subject, what: str, *advice: str) -> Finding:
    return Finding(subject, Level.OK, what, advice)


def risky(subject: Subject, what: str, *advice: str) -> Finding:
    return Finding(subject, Level.RISKY, what, advice)


def refused(subject: Subject, error: type[JvmdiagError], what: str, *advice: str) -> Finding:
    return Finding(subject, Level.REFUSED, what, advice, error)


def refusals(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(f for f in findings if f.level is Level.REFUSED)


def require_allowed(findings: Iterable[Finding], forced: Iterable[Subject]) -> tuple[Finding, ...]:
    """The refusals that `forced` overrides. Raises the error of the first one that it does not."""
    overridden = refusals(findings)
    for finding in overridden:
        if finding.subject not in forced:
            assert finding.error is not None
            name = finding.subject.value
            raise finding.error(
                finding.what,
                why="refused before anything was done to the JVM",
                advice=(*finding.advice, f"--force {name} goes on all the same; the manifest will say so"),
            )
    return overridden
