"""A file that is already on the target: brought here, counted, and walked where it is a heap dump."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from jvmdiag.collect.archived import archived
from jvmdiag.collect.job import Job, Journal, Progress, now
from jvmdiag.collect.keep import Origin, artifact, require_agreement, write_account
from jvmdiag.errors import BadRequest, DumpIncomplete, JvmdiagError, NoSuchFile, TargetNotRunning, TransferCut
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.opening import open_place, stopped_container
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.model import Artifact, LeftBehind, Owner, Witness
from jvmdiag.target import DockerTarget, SshDockerTarget
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import Pumped, pump
from jvmdiag.transfer.sink import PartialFile, private_directory
from jvmdiag.transfer.verify import verify_file

_ROOT = Owner(0, 0)
_PACKED = (".gz", ".zst", ".zip", ".xz", ".bz2", ".lz4", ".jfr")
_LOOK = """
# What lies in a directory that is closed to us looks as if it were not there.
dir=${1%/*}
while [ -n "$dir" ] && [ ! -e "$dir" ]; do dir=${dir%/*}; done
[ -x "${dir:-/}" ] || { echo closed; exit 0; }
[ -e "$1" ] || { echo missing; exit 0; }
[ -f "$1" ] || { echo other; exit 0; }
[ -r "$1" ] || { echo closed; exit 0; }
# The sum is that of the bytes that are taken: a log may grow meanwhile.
size=$(($(wc -c <"$1")))
[ "$2" = sum ] || { echo "file $size"; exit 0; }
echo "file $size $(head -c "$size" "$1" | sha256sum 2>/dev/null)"
"""
_REMOVE = """
command -v sha256sum >/dev/null || exit 3
sum=$(sha256sum <"$1") || exit 1
[ "${sum%% *}" = "$2" ] || exit 4
rm -f -- "$1"
"""
_NOT_REMOVED = {
    3: "the target has no sha256sum to compare it with its copy",
    4: "it is no longer what was copied",
}
# The sum is taken there, which reads the file once more before a byte moves: 3.5 s a GB by Debian's
# sha256sum. A heap dump vouches for itself by its structure.
_LOOK_TIMEOUT_S = 1800.0
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


def fetch_file(job: Job, path: str, journal: Journal, progress: Progress, *, remove: bool) -> Fetched:
    """Bring `path` here; with `remove` it is removed there once the copy is verified, if it still is the same.

    A file that grows is taken as long as it was when it was looked at. A heap dump that is not whole there is copied
    to NAME.partial and raises DumpIncomplete. Raises NoSuchFile, TransferCut and more.
    """
    private_directory(job.output)
    job = replace(job, codec=Codec.NONE) if path.endswith(_PACKED) else job
    started, walk = now(), StructureWalk()
    with _source(job, path, journal) as source:
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


@dataclass(frozen=True)
class Found:
    """A file that is there: how it would be read. `size_bytes` is None where only the archive can tell."""

    place: Place
    user: Owner | None
    size_bytes: int | None
    sha256: str | None = None


@contextmanager
def find_file(job: Job, path: str, journal: Journal, *, summed: bool) -> Iterator[Found]:
    """Look at `path` and leave it as it is; its place stays open with the context. `summed` reads all of it.

    Raises NoSuchFile, and BadRequest for a path that does not begin at the root.
    """
    if not path.startswith("/"):
        raise BadRequest(f"{path!r} is no absolute path", advice="name it from the target's root: /tmp/FILE")
    with ExitStack() as stack:
        try:
            place = stack.enter_context(open_place(job.target, job.access, journal))
        except TargetNotRunning:
            if not isinstance(job.target, DockerTarget | SshDockerTarget):
                raise
            yield Found(stack.enter_context(stopped_container(job.target, job.access, journal)), None, None)
            return
        user = _ROOT if isinstance(place, ContainerPlace) or job.access.sudo else None
        found = _look(_host_of(place), path, user, summed=summed)
        if found is None and not isinstance(place, ContainerPlace):
            raise NoSuchFile(f"no POSIX shell at {place.name} to read {path} with")
        yield Found(place, user, *(found or (None,)))


def _host_of(place: Place) -> Host:
    return place.inside if isinstance(place, ContainerPlace) else place.host


@contextmanager
def _source(job: Job, path: str, journal: Journal) -> Iterator[_Source]:
    with ExitStack() as stack:
        summed = not path.endswith(_VOUCHES_FOR_ITSELF)
        found = stack.enter_context(find_file(job, path, journal, summed=summed))
        if found.size_bytes is None:
            assert isinstance(found.place, ContainerPlace)
            file = stack.enter_context(archived(found.place, path))
            yield _Source(file.size_bytes, None, file.chunks, "archive", found.place.host_key_checked)
        else:
            host = _host_of(found.place)
            yield stack.enter_context(_streamed(host, path, found.user, found.size_bytes, found.sha256))


def _look(host: Host, path: str, user: Owner | None, *, summed: bool) -> tuple[int, str | None] | None:
    """Size and, with `summed`, sum; None where there is no shell to look with."""
    wanted = "sum" if summed else ""
    done = host.run(["sh", "-c", _LOOK, "sh", path, wanted], user=user, timeout_s=_LOOK_TIMEOUT_S)
    if done.exit_code in (126, 127):
        return None
    words = done.text.split()
    match words:
        case ["missing"]:
            raise NoSuchFile(
                f"no {path} on {host.name}", advice="the path is that of the target, from its root"
            )
        case ["other"]:
            raise NoSuchFile(f"{path} on {host.name} is no regular file")
        case ["closed"]:
            raise NoSuchFile(f"{path} on {host.name} is not for this user to read", advice="add --sudo")
        case ["file", size, *rest]:
            return int(size), rest[0] if rest else None
    raise NoSuchFile(f"{path} on {host.name} could not be looked at", why=done.complaint)


@contextmanager
def _streamed(host: Host, path: str, user: Owner | None, size: int, sha256: str | None) -> Iterator[_Source]:
    with host.stream(["head", "-c", str(size), path], user=user) as stream:

        def chunks() -> Iterator[bytes]:
            yield from stream
            end = stream.finish()
            if end.exit_code != 0:
                raise TransferCut(
                    f"the stream of {path} was cut",
                    why=end.complaint or f"exit code {end.exit_code}",
                    advice="try again",
                )

        look = partial(_look, host, path, user, summed=True)
        yield _Source(size, sha256, chunks(), "stream", host.host_key_checked, look)


def _remove(
    job: Job, path: str, sha256: str, journal: Journal
) -> tuple[tuple[str, ...], tuple[LeftBehind, ...]]:
    """Why it was not removed there, and what is left: both empty where it was."""
    try:
        with open_place(job.target, job.access, journal) as place:
            user = _ROOT if isinstance(place, ContainerPlace) or job.access.sudo else None
            argv = ["sh", "-c", _REMOVE, "sh", path, sha256]
            done = _host_of(place).run(argv, user=user, timeout_s=_LOOK_TIMEOUT_S)
        if done.ok:
            return (), ()
        why = _NOT_REMOVED.get(done.exit_code or 0, done.complaint or f"exit code {done.exit_code}")
    except (JvmdiagError, TimeoutError) as error:
        why = str(error)
    left = LeftBehind("file", path, f"rm {shlex.quote(path)}  (there)")
    return (f"{path} was not removed there: {why}",), (left,)
