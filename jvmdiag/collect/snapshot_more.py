"""What is added to a snapshot on request alone: files that are there already, and a heap dump."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jvmdiag.collect.fetch import fetch_file
from jvmdiag.collect.heap import take_heap_dump_at
from jvmdiag.collect.heap_request import HeapDumpRequest, HeapDumpTaken
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.snapshot_run import Run
from jvmdiag.collect.snapshot_taking import Taking
from jvmdiag.errors import Declined, DumpIncomplete, JvmdiagError, PriceError
from jvmdiag.model import Artifact, LeftBehind
from jvmdiag.snapshot.found import Found
from jvmdiag.transfer.bundle import FAILED, INTERRUPTED, SKIPPED, TAKEN, BundledItem, Folder
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.seal import SUFFIX
from jvmdiag.transfer.sink import PARTIAL_SUFFIX, private_directory

HEAP_DUMP = "heap dump"
_ASKED_FOR = "asked for"
# What a summary can show. All of them are in found.txt.
_MOST_NAMED = 100
_DELETED = " (deleted)"


def not_fetched(found: tuple[Found, ...]) -> Iterator[BundledItem]:
    """An entry for each file that was listed and not brought here; of very many for the last written, and one more."""
    named = sorted(found, key=lambda one: one.age_s)[:_MOST_NAMED]
    entry = BundledItem(name="", risk=_ASKED_FOR, status=SKIPPED, why="only with --fetch-found")
    for one in named:
        yield replace(entry, name=one.path, about=one.kind.value)
    if more := len(found) - len(named):
        yield replace(entry, name=f"{more:,} more files", about="listed in found.txt")


def fetch_found(
    run: Taking, job: Job, found: tuple[Found, ...], journal: Journal, progress: Progress
) -> None:
    """Bring each file here, as `jvmdiag fetch` does. Raises KeyboardInterrupt alone."""
    taken: set[str] = set()
    around = run.at.files if isinstance(run, Run) else None
    for number, one in enumerate(found, 1):
        directory = "found" if one.name not in taken else f"found/{number}"
        taken.add(one.name)
        clock = time.monotonic()
        entry = BundledItem(
            name=one.path,
            about=one.kind.value,
            risk=_ASKED_FOR,
            status=FAILED,
            began_s=clock - run.began_at_s,
        )
        try:
            if run.gone or one.path.endswith(_DELETED):
                run.keep(replace(entry, status=SKIPPED, why=run.gone or "it was removed meanwhile"))
                continue
            output = private_directory(run.folder.path / directory)
            # What is encrypted is compressed with the archive that it goes to.
            seal = run.folder.seal
            into = replace(job, output=output, seal=seal, codec=Codec.NONE if seal else Codec.GZIP)
            kept = fetch_file(into, one.path, journal, progress, remove=False, around=around).artifact
            run.keep(
                _opened(entry, kept, directory, clock) if seal else _stored(entry, kept, directory, clock)
            )
        except KeyboardInterrupt:
            run.keep(replace(entry, status=INTERRUPTED, why="the run was interrupted while it was fetched"))
            raise
        except DumpIncomplete as error:
            why = f"{error}; its copy is {_kept_aside(run.folder, output, one.name, into.suffix, number)}"
            run.keep(replace(entry, why=why, took_s=time.monotonic() - clock))
        except (JvmdiagError, TimeoutError) as error:
            run.keep(replace(entry, why=str(error), took_s=time.monotonic() - clock))


def _kept_aside(folder: Folder, output: Path, name: str, suffix: str, number: int) -> str:
    """Where the copy stays of a dump that is not whole: it is no item, and may be all there is of it."""
    # One that was packed there is not packed once more.
    ends = (suffix, SUFFIX if folder.seal else "")
    copy = next(one for end in ends if (one := output / f"{name}{end}{PARTIAL_SUFFIX}").exists())
    if not folder.seal:
        return copy.relative_to(folder.path).as_posix()
    # What is encrypted is an archive, and the folder goes.
    aside = folder.for_heap_dump / f"{folder.final.name}-{number}-{copy.name}"
    copy.rename(aside)
    return f"{aside.name} beside the archive"


def not_yet() -> BundledItem:
    """The heap dump, in the manifest that is written before it is asked for."""
    why = "the snapshot was written before it, and the run ended before the manifest could be written again"
    return BundledItem(
        name=HEAP_DUMP, about="everything on the heap", risk=_ASKED_FOR, status=INTERRUPTED, why=why
    )


def take_heap(
    run: Run, job: Job, request: HeapDumpRequest, journal: Journal, progress: Progress
) -> tuple[LeftBehind, ...]:
    """A heap dump into the folder, with its preflight and its question; what it left on the target is returned.

    Raises KeyboardInterrupt alone.
    """
    clock = time.monotonic()
    entry = replace(not_yet(), began_s=clock - run.began_at_s)
    try:
        if run.gone:
            run.keep(replace(entry, status=SKIPPED, why=run.gone, began_s=None))
            return ()
        taken = take_heap_dump_at(
            run.at.scene, replace(job, output=run.folder.for_heap_dump), request, journal, progress
        )
    except KeyboardInterrupt:
        run.keep(
            replace(entry, why="the run was interrupted while it was taken", took_s=time.monotonic() - clock)
        )
        raise
    except (PriceError, Declined) as error:
        run.keep(replace(entry, status=SKIPPED, why="; ".join((str(error), *error.advice[:1])), began_s=None))
        return ()
    except (JvmdiagError, TimeoutError) as error:
        why = "; ".join((str(error), *getattr(error, "advice", ())))
        run.keep(replace(entry, status=FAILED, why=why, took_s=time.monotonic() - clock))
        return ()
    stored = _of_heap(entry, taken, clock)
    run.keep(replace(stored, file="", beside=stored.file) if job.seal else stored)
    return taken.left_behind


def _of_heap(entry: BundledItem, taken: HeapDumpTaken, clock: float) -> BundledItem:
    stored = _stored(entry, taken.artifact, "", clock)
    return replace(stored, why="", pause=taken.pause, forecast=taken.forecast)


def _stored(entry: BundledItem, kept: Artifact, directory: str, clock: float) -> BundledItem:
    name = kept.path.rpartition("/")[2]
    return replace(
        entry,
        status=TAKEN,
        why="",
        file=f"{directory}/{name}" if directory else name,
        size_bytes=kept.stored_bytes,
        sha256=kept.stored_sha256,
        took_s=round(time.monotonic() - clock, 3),
        note=f"{kept.raw_bytes:,} bytes before compressing; its own manifest stands beside it",
    )


def _opened(entry: BundledItem, kept: Artifact, directory: str, clock: float) -> BundledItem:
    """The same of a file that is encrypted here, as it is in the archive."""
    name = kept.path.rpartition("/")[2].removesuffix(SUFFIX)
    stored = _stored(entry, kept, directory, clock)
    return replace(
        stored, file=f"{directory}/{name}", size_bytes=kept.raw_bytes, sha256=kept.raw_sha256, note=""
    )
