"""A file that is already on the target: brought here, counted, and walked where it is a heap dump."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from jvmdiag.attach.rung import Reach
from jvmdiag.collect.archived import archived
from jvmdiag.collect.job import Job, Journal, Progress, now
from jvmdiag.collect.keep import Origin, artifact, require_agreement, write_account
from jvmdiag.collect.lies_there import LOOK_TIMEOUT_S, ROOT, Found, find_file, host_of, look, read_file
from jvmdiag.errors import DumpIncomplete, JvmdiagError, TransferCut
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.model import Artifact, LeftBehind, Witness
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory
from jvmdiag.transfer.verify import verify_file

_PACKED = (".gz", ".zst", ".zip", ".xz", ".bz2", ".lz4", ".jfr")
_REMOVE = """
command -v sha256sum >/dev/null || exit 3
# What is compared and what is removed are of one directory, wherever its name leads by then.
cd -P -- "${1%/*}/" || exit 1
name=./${1##*/}
sum=$(sha256sum <"$name") || exit 1
[ "${sum%% *}" = "$2" ] || exit 4
rm -f -- "$name"
"""
_NOT_REMOVED = {
    3: "the target has no sha256sum to compare it with its copy",
    4: "it is no longer what was copied",
}
# A heap dump vouches for itself by its structure: no sum of it is taken there.
_VOUCHES_FOR_ITSELF = ".hprof"
_PACKED_DUMP = (".hprof.gz", ".hprof.zst")


@dataclass(frozen=True)
class Fetched:
    """The verified copy; `warnings` say why the file was not removed there, where it should have been."""

    artifact: Artifact
    method: str
    warnings: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]


@dataclass(frozen=True)
class _Source:
    """A file to be read: its size now, its sum where the target could tell, and its bytes. `look` looks again."""

    size_bytes: int
    sha256: str | None
    chunks: Iterator[bytes]
    method: str
    host_key_checked: bool | None
    look: Callable[[], tuple[int, str | None] | None] = lambda: None


def fetch_file(
    job: Job, path: str, journal: Journal, progress: Progress, *, remove: bool, around: Reach | None = None
) -> Fetched:
    """Bring `path` here; with `remove` it is removed there once the copy is verified, if it still is the same. `around`
    is as that of `find_file`.

    A file that grows is taken as long as it was when it was looked at. A heap dump that is not whole there is copied
    to NAME.partial and raises DumpIncomplete. Raises NoSuchFile, TransferCut and more.
    """
    private_directory(job.output)
    job = replace(job, codec=Codec.NONE) if path.endswith(_PACKED) else job
    started, walk = now(), StructureWalk()
    with _source(job, path, journal, around) as source:
        progress.expect(source.size_bytes)
        name = PurePosixPath(path).name + job.suffix
        with PartialFile(job.output, name) as sink:
            pumped = pump(source.chunks, sink, job.codec, walk=walk, advance=progress.advance, seal=job.seal)
            witnesses = [_counted(source.size_bytes, pumped.raw_bytes), *_summed(source.sha256, pumped)]
            require_agreement(witnesses)
            # What was packed there is read from the disk, where nobody here can open it.
            readable = job.seal is None or not path.endswith(_PACKED_DUMP)
            if structure := _structure(path, walk, sink) if readable else None:
                if not structure.agrees:
                    raise _not_whole(source, pumped, structure, sink, path)
                witnesses.append(structure)
            final = sink.commit()
    warnings, left = _remove(job, path, pumped.raw_sha256, journal) if remove else ((), ())
    kept = artifact(final, "file", job, pumped, tuple(witnesses))
    origin = Origin(
        "file",
        source.method,
        path,
        started,
        left_behind=left,
        notes=warnings,
        host_key_checked=source.host_key_checked,
    )
    write_account(kept, origin, job, None, journal)
    return Fetched(kept, source.method, warnings, left)


def _summed(there: str | None, pumped: Pumped) -> tuple[Witness, ...]:
    detail = f"{there} there, {pumped.raw_sha256} here"
    return (Witness("sha256", there == pumped.raw_sha256, detail),) if there else ()


def _structure(path: str, walk: StructureWalk, sink: PartialFile) -> Witness | None:
    """What a heap dump says of itself; None for any other file. One that was packed there is read once more here."""
    if path.endswith(_PACKED_DUMP):
        verdict = verify_file(sink.partial)
        said = [w for w in verdict.witnesses if w.agrees is verdict.ok]
        return Witness("structure", verdict.ok, "; ".join(w.detail for w in said))
    structure = walk.finish()
    if not structure.starts_as_hprof and not path.endswith(_VOUCHES_FOR_ITSELF):
        return None
    return Witness("structure", structure.complete, structure.detail)


def _not_whole(
    source: _Source, pumped: Pumped, structure: Witness, sink: PartialFile, path: str
) -> JvmdiagError:
    """Its structure vouches for nothing, so the sum of the target has to. The copy stays if that agrees."""
    size_bytes, sha256 = (source.look() if source.sha256 is None else None) or (pumped.raw_bytes, None)
    grows = size_bytes != pumped.raw_bytes
    if not grows:
        require_agreement(_summed(sha256, pumped))
    copy = sink.keep_partial()
    later = "it is growing: fetch it again when the JVM is done" if grows else "what is there is all there is"
    return DumpIncomplete(
        f"the heap dump {path} is not whole on the target",
        why=structure.detail,
        advice=(later, f"its copy is {copy}; remove that with: rm -- {shlex.quote(str(copy))}"),
    )


def _counted(there: int, here: int) -> Witness:
    if here < there:
        raise TransferCut(
            f"the copy ended after {here:,} of {there:,} bytes", advice="try again; nothing was removed"
        )
    return Witness("byte count", here == there, f"{there:,} bytes there, {here:,} here")


@contextmanager
def _source(job: Job, path: str, journal: Journal, around: Reach | None) -> Iterator[_Source]:
    with ExitStack() as stack:
        summed = not path.endswith(_VOUCHES_FOR_ITSELF)
        found = stack.enter_context(find_file(job, path, journal, summed=summed, around=around))
        if found.size_bytes is None:
            assert isinstance(found.place, ContainerPlace)
            file = stack.enter_context(archived(found.place, path))
            yield _Source(file.size_bytes, None, file.chunks, "archive", found.place.host_key_checked)
        else:
            reader = read_file(found.host, found.file, found.user, found.size_bytes, found.identity)
            chunks = stack.enter_context(reader)
            again = partial(_look_again, found)
            checked = found.place.host_key_checked
            yield _Source(found.size_bytes, found.sha256, chunks, "stream", checked, again)


def _look_again(found: Found) -> tuple[int, str | None] | None:
    seen = look(found.host, found.file, found.user, summed=True)
    return (seen.size_bytes, seen.sha256) if seen and seen.identity == found.identity else None


def _remove(
    job: Job, path: str, sha256: str, journal: Journal
) -> tuple[tuple[str, ...], tuple[LeftBehind, ...]]:
    """Why it was not removed there, and what is left: both empty where it was."""
    try:
        with open_place(job.target, job.access, journal) as place:
            user = ROOT if isinstance(place, ContainerPlace) or job.access.sudo else None
            argv = ["sh", "-c", _REMOVE, "sh", path, sha256]
            done = host_of(place).run(argv, user=user, timeout_s=LOOK_TIMEOUT_S)
        if done.ok:
            return (), ()
        why = _NOT_REMOVED.get(done.exit_code or 0, done.complaint or f"exit code {done.exit_code}")
    except (JvmdiagError, TimeoutError) as error:
        why = str(error)
    left = LeftBehind("file", path, f"rm {shlex.quote(path)}  (there)")
    return (f"{path} was not removed there: {why}",), (left,)
