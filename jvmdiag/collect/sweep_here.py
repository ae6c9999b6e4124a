"""What runs that were killed left on this machine itself: snapshots in the making, and documents on their way."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from jvmdiag.collect.leftover import Leftover, State
from jvmdiag.collect.sweep import Broom, Swept
from jvmdiag.hosts.runner import this_run
from jvmdiag.impact.runs import ARCHIVE, SNAPSHOT, Made, RunRecord, Runs, why_not_gone
from jvmdiag.target import parse_target
from jvmdiag.transfer.bundle import MANIFEST
from jvmdiag.transfer.bundle_sealed import SEALED_SUFFIX
from jvmdiag.transfer.manifest import manifest_path
from jvmdiag.transfer.seal import SUFFIX
from jvmdiag.transfer.sink import PARTIAL_SUFFIX
from jvmdiag.transfer.unfinished import journal_path
from jvmdiag.transfer.whole import stem_of

THIS_MACHINE = "this machine"
DOCUMENT = "document"


def sweep_here(targets: Collection[str], broom: Broom) -> tuple[Swept, ...]:
    """What records say was made here, and on a yes its removal; of `targets`, or of all where none is named.

    Empty where there is nothing to say. Raises BadRequest for what is no target.
    """
    named = {str(parse_target(target)) for target in targets}
    # A home directory may be that of other machines too, whose disks nobody can see from here.
    mine = [one for one in broom.runs.all()[0] if one.run.machine == this_run().machine]
    records = [one for one in mine if not named or one.target in named]
    now_s = time.time()
    found = [one for record in records for one in _of(record, broom.runs, now_s)]
    chosen: Sequence[Leftover] = ()
    if not broom.only_look and any(one.state.removable for one in found):
        chosen = [one for one in broom.choose(found) if one.state.removable]
    after = tuple(_removed(one) if one in chosen else one for one in found)
    dropped = () if broom.only_look else tuple(_drop(broom, records, after, now_s))
    return (Swept(THIS_MACHINE, after, dropped),) if after or dropped else ()


def _of(record: RunRecord, runs: Runs, now_s: float) -> Iterator[Leftover]:
    if record.under_way(now_s):
        for made in record.here:
            if os.path.lexists(made.path):
                yield replace(_leftover(record, made), state=State.UNDER_WAY, note="its run goes on")
        return
    seen = False
    for made in (*record.here, *_documents(record)):
        try:
            status = os.lstat(made.path)
        except OSError:
            continue
        seen = True
        yield _judged(_leftover(record, made), Path(made.path), status, now_s)
    # All of it is in one directory.
    if not seen and record.here and (why := why_not_gone(record, record.here[0])):
        by_hand = f"rm -- {shlex.quote(str(runs.path(record.id)))}"
        note = f"{why}: is its disk mounted? Where it is gone for good, so may its record be: {by_hand}"
        yield replace(_leftover(record, record.here[0]), state=State.UNSURE, note=note)


def _documents(record: RunRecord) -> Iterator[Made]:
    """Of the dump that a record speaks of, where the file system gave them a name before they were whole."""
    if not record.partial:
        return
    final = Path(record.partial.removesuffix(PARTIAL_SUFFIX))
    for document in (manifest_path(final), journal_path(final.parent, final.name)):
        yield Made(DOCUMENT, str(document.with_name(stem_of(document, record.run.pid) + PARTIAL_SUFFIX)))


def _leftover(record: RunRecord, made: Made) -> Leftover:
    what = f"{made.kind} of {record.target}"
    return Leftover(
        target=THIS_MACHINE, what=what, where=made.path, state=State.LEFT, by=f"record {record.id}"
    )


def _judged(one: Leftover, place: Path, status: os.stat_result, now_s: float) -> Leftover:
    found = replace(one, uid=status.st_uid, age_s=max(now_s - status.st_mtime, 0.0))
    is_folder = one.what.startswith(f"{SNAPSHOT} ")
    fits = stat.S_ISDIR(status.st_mode) if is_folder else stat.S_ISREG(status.st_mode)
    if not fits or status.st_uid != os.geteuid():
        return replace(found, state=State.UNSURE, note="what is there now is not what the run made")
    if not is_folder:
        used = _is_locked(place)
        note = "somebody writes it" if used else "not whole" if one.what.startswith(ARCHIVE) else ""
        return replace(
            found, size_bytes=status.st_size, state=State.IN_USE if used else State.LEFT, note=note
        )
    files = [path for path in place.rglob("*") if path.is_file() and not path.is_symlink()]
    sized = replace(found, size_bytes=sum(path.lstat().st_size for path in files))
    whole = [path for path in files if path.suffix != PARTIAL_SUFFIX]
    return replace(sized, state=State.EVIDENCE, note=_evidence(place, whole)) if whole else sized


def _evidence(place: Path, files: Sequence[Path]) -> str:
    names = {path.name for path in files}
    if MANIFEST in names:
        mend = f"mv -n -- {shlex.quote(str(place))} {shlex.quote(str(place).removesuffix(PARTIAL_SUFFIX))}"
        return f"all of it but its name: {mend}"
    whole = place.with_name(place.name.removesuffix(PARTIAL_SUFFIX) + SEALED_SUFFIX)
    if MANIFEST + SUFFIX in names and whole.is_file():
        return f"what it had taken before its heap dump is in {whole} as well"
    many = f"{len(files)} files that were taken, each of them whole" if len(files) > 1 else "one file, whole"
    sealed = any(name.endswith(SUFFIX) for name in names)
    return f"{many}{', and encrypted: age -d opens it' if sealed else ''}; look before it goes"


def _is_locked(place: Path) -> bool:
    try:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _removed(one: Leftover) -> Leftover:
    try:
        if one.what.startswith(f"{SNAPSHOT} "):
            # It follows no link, on the way in either.
            shutil.rmtree(one.where)
        else:
            Path(one.where).unlink()
    except FileNotFoundError:
        return replace(one, state=State.REMOVED, note="somebody else removed it")
    except OSError as error:
        return replace(one, state=State.UNSURE, note=(error.strerror or str(error)).lower())
    return replace(one, state=State.REMOVED, note="")


def _drop(
    broom: Broom, records: Sequence[RunRecord], after: Sequence[Leftover], now_s: float
) -> Iterator[str]:
    """Records of which nothing is here any more go; those of a target are for its own sweep."""
    stay = {one.by for one in after if one.state is not State.REMOVED}
    shown = {one.by for one in after}
    for record in records:
        named = f"record {record.id}"
        if record.here and named not in stay and not record.under_way(now_s):
            broom.runs.drop(record.id)
            if named not in shown:
                yield f"{named}: nothing of it is there any more"
