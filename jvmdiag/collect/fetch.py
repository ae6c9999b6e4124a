"""A file that is already on the target: brought here, counted, and walked where it is a heap dump."""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from jvmdiag.collect.job import Job, Journal, Progress, now
from jvmdiag.collect.keep import Origin, artifact, require_agreement, write_account
from jvmdiag.errors import BadRequest, JvmdiagError, NoSuchFile, TargetNotRunning, TransferCut
from jvmdiag.hosts.base import CHUNK, Host
from jvmdiag.hosts.chunks import ChunkReader
from jvmdiag.hosts.opening import open_place, stopped_container
from jvmdiag.hosts.place import ContainerPlace, Machine, Place
from jvmdiag.model import Artifact, LeftBehind, Owner, Witness
from jvmdiag.target import DockerTarget, SshDockerTarget
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import pump
from jvmdiag.transfer.sink import PartialFile, private_directory

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
_REMOVE = '[ "$(($(wc -c <"$1")))" -eq "$2" ] && rm -f -- "$1"'
# The sum is taken there, which reads the file once more before a byte moves: 3.5 s a GB by Debian's
# sha256sum. A heap dump vouches for itself by its structure.
_LOOK_TIMEOUT_S = 1800.0
_VOUCHES_FOR_ITSELF = ".hprof"


@dataclass(frozen=True)
class Fetched:
    """The copy, and what was noticed: a heap dump that is not whole on the target is not whole here either."""

    artifact: Artifact
    method: str
    warnings: tuple[str, ...]
    left_behind: tuple[LeftBehind, ...]


@dataclass(frozen=True)
class _Source:
    """A file to be read: its size now, its sum where the target could tell, and its bytes."""

    size_bytes: int
    sha256: str | None
    chunks: Iterator[bytes]
    method: str
    host_key_checked: bool | None


def fetch_file(job: Job, path: str, journal: Journal, progress: Progress, *, remove: bool) -> Fetched:
    """Bring `path` here; with `remove` it is removed there once the copy is verified, unless it grew since.

    A file that grows is taken as long as it was when it was looked at. Raises NoSuchFile, TransferCut and more.
    """
    private_directory(job.output)
    job = replace(job, codec=Codec.NONE) if path.endswith(_PACKED) else job
    started, walk = now(), StructureWalk()
    with _source(job, path, journal) as source:
        progress.expect(source.size_bytes)
        name = PurePosixPath(path).name + job.codec.suffix
        with PartialFile(job.output, name) as sink:
            pumped = pump(source.chunks, sink, job.codec, walk=walk, advance=progress.advance)
            witnesses = [_counted(source.size_bytes, pumped.raw_bytes)]
            if source.sha256:
                witnesses.append(
                    Witness(
                        "sha256",
                        source.sha256 == pumped.raw_sha256,
                        f"{source.sha256} there, {pumped.raw_sha256} here",
                    )
                )
            require_agreement(witnesses)
            final = sink.commit()
    structure = walk.finish()
    warnings: tuple[str, ...] = ()
    if structure.starts_as_hprof:
        witnesses.append(Witness("structure", structure.complete, structure.detail))
        warnings = (
            () if structure.complete else (f"the heap dump is not whole on the target: {structure.detail}",)
        )
    # A dump that is not whole there may still be written.
    left = _remove(job, path, pumped.raw_bytes, journal) if remove and not warnings else ()
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
def find_file(job: Job, path: str, journal: Journal) -> Iterator[Found]:
    """Look at `path` and leave it as it is; its place stays open with the context.

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
        found = _look(_host_of(place), path, user)
        if found is None and not isinstance(place, ContainerPlace):
            raise NoSuchFile(f"no POSIX shell at {place.name} to read {path} with")
        yield Found(place, user, *(found or (None,)))


def _host_of(place: Place) -> Host:
    return place.inside if isinstance(place, ContainerPlace) else place.host


@contextmanager
def _source(job: Job, path: str, journal: Journal) -> Iterator[_Source]:
    with ExitStack() as stack:
        found = stack.enter_context(find_file(job, path, journal))
        if found.size_bytes is None:
            assert isinstance(found.place, ContainerPlace)
            yield stack.enter_context(_archived(found.place, path))
        else:
            host = _host_of(found.place)
            yield stack.enter_context(_streamed(host, path, found.user, found.size_bytes, found.sha256))


def _look(host: Host, path: str, user: Owner | None) -> tuple[int, str | None] | None:
    """Size and sum; None where there is no shell to look with."""
    wanted = "" if path.endswith(_VOUCHES_FOR_ITSELF) else "sum"
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

        yield _Source(size, sha256, chunks(), "stream", host.host_key_checked)


@contextmanager
def _archived(place: ContainerPlace, path: str) -> Iterator[_Source]:
    """Through the engine's archive: the way for stopped containers and those without a shell."""
    raw, _stat = place.engine.archive(place.facts.id, path)
    with closing(ChunkReader(raw)) as reader:
        try:
            tar = tarfile.open(fileobj=reader, mode="r|", bufsize=CHUNK)  # noqa: SIM115 - closed below
            member = tar.next()
        except tarfile.TarError as error:
            raise TransferCut(f"the engine's archive of {path} is damaged", why=str(error)) from None
        if member is None or not member.isfile():
            raise NoSuchFile(
                f"{path} in {place.facts.name} is no regular file", why="a link, a directory or a device"
            )
        with closing(tar):
            file = tar.extractfile(member)
            assert file is not None

            def chunks() -> Iterator[bytes]:
                try:
                    while chunk := file.read(CHUNK):
                        yield chunk
                except (tarfile.ReadError, EOFError) as error:
                    raise TransferCut(f"the engine's archive of {path} was cut", why=str(error)) from None

            yield _Source(member.size, None, chunks(), "archive", place.host_key_checked)


def _remove(job: Job, path: str, size: int, journal: Journal) -> tuple[LeftBehind, ...]:
    left = (LeftBehind("file", path, f"rm {shlex.quote(path)}  (there)"),)
    try:
        with open_place(job.target, job.access, journal) as place:
            host = place.host if isinstance(place, Machine) else place.inside
            user = None if isinstance(place, Machine) and not job.access.sudo else _ROOT
            argv = ["sh", "-c", _REMOVE, "sh", path, str(size)]
            return () if host.run(argv, user=user).ok else left
    except (JvmdiagError, TimeoutError):
        return left
