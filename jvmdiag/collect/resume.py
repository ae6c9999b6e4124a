"""Going on with a dump that another run of jvmdiag left half copied: by its journal, from its last whole member."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from jvmdiag.collect.going_on import GoingOn, Resumed, rules_of
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.recording import forget
from jvmdiag.errors import JvmdiagError, NoSuchFile, NotADump
from jvmdiag.model import owner_of
from jvmdiag.target import parse_target
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.seal import seal_for
from jvmdiag.transfer.sink import PartialFile
from jvmdiag.transfer.unfinished import Unfinished, journals, read_unfinished, remove_unfinished


@dataclass(frozen=True)
class Found:
    """A dump to go on with: its journal, what that says, and the job that it makes."""

    journal_file: Path
    unfinished: Unfinished
    job: Job

    @property
    def partial(self) -> Path:
        return PartialFile(self.job.output, self.unfinished.manifest.file).partial


@dataclass(frozen=True)
class Unreadable:
    """A journal by which nothing can be gone on with, and why."""

    journal_file: Path
    error: JvmdiagError


def unfinished_in(place: Path, way: Job) -> Iterator[Found | Unreadable]:
    """Those in a directory, or the one that a file belongs to; `way` says how their targets are reached.

    Raises BadRequest where `place` is nothing of this.
    """
    for path in journals(place):
        try:
            yield _found(path, way)
        except JvmdiagError as error:
            yield Unreadable(path, error)


def _found(path: Path, way: Job) -> Found:
    unfinished = read_unfinished(path)
    known = unfinished.manifest
    try:
        codec = Codec(known.codec)
        rules_of(unfinished)
        owner_of(known.jvm.owner if known.jvm else "0:0")
    except ValueError as error:
        raise NotADump(f"{path} is not understood", why=str(error)) from None
    seal = seal_for(unfinished.sealed_for) if unfinished.sealed_for else None
    job = replace(way, target=parse_target(known.target), output=path.parent, codec=codec, seal=seal)
    return Found(path, unfinished, job)


def resume_dump(found: Found, journal: Journal, progress: Progress) -> Resumed:
    """Bring the rest here, verify all of it, give it its name, and remove it there unless it was to be kept.

    What is here and what is there both stay on every error.
    """
    try:
        with ExitStack() as stack:
            resumed = GoingOn(found.job, found.unfinished, journal, progress, stack).done()
    except NoSuchFile as error:
        if error.advice or found.unfinished.reclaimed_bytes:
            raise
        useless = shlex.join([str(found.partial), str(found.journal_file)])
        raise NoSuchFile(
            error.what,
            why=error.why,
            advice=(
                "is it the same way in as before: user, --sudo?",
                f"if so, nothing can go on with what is here: rm -f -- {useless}",
            ),
        ) from None
    remove_unfinished(found.journal_file)
    if not resumed.left_behind:
        forget(found.unfinished.manifest.target, found.unfinished.path)
    return resumed
