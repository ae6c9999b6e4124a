"""A file that lies on a target: looked at by the way that reads it fastest, and read to the length that it had then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from jvmdiag.collect.job import Job, Journal
from jvmdiag.errors import BadRequest, NoSuchFile, TargetNotRunning, TransferCut
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.opening import open_place, stopped_container
from jvmdiag.hosts.place import ContainerPlace, Place, ViewKind
from jvmdiag.model import Owner
from jvmdiag.target import DockerTarget, SshDockerTarget

ROOT = Owner(0, 0)
# Behind a prefix a link leads out of that mount namespace, into ours.
_LOOK = """
part=$1
while [ -n "$3" ] && [ -n "$part" ]; do
    [ -L "$3$part" ] && { echo link; exit 0; }
    part=${part%/*}
done
set -- "$3$1" "$2"
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
# A sum is taken there, which reads the file once more before a byte moves: 3.5 s a GB by Debian's sha256sum.
LOOK_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Found:
    """A file that is there, and how it is read: as `file` of `host`. `size_bytes` is None where only the archive
    can tell."""

    place: Place
    host: Host
    file: str
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
            stopped = stack.enter_context(stopped_container(job.target, job.access, journal))
            yield Found(stopped, stopped.inside, path, None, None)
            return
        yield _around(place, path, summed=summed) or _inside(place, path, job, summed=summed)


def _around(place: Place, path: str, *, summed: bool) -> Found | None:
    """Through /proc of the engine's host, past the engine; None where that does not lead to it."""
    if not isinstance(place, ContainerPlace):
        return None
    for view in place.views():
        if view.kind is not ViewKind.ENGINE_HOST:
            continue
        prefix = f"/proc/{view.pid1}/root"
        try:
            seen = look(view.host, path, None, summed=summed, prefix=prefix)
        except NoSuchFile:
            return None
        return Found(place, view.host, f"{prefix}{path}", None, *seen) if seen else None
    return None


def _inside(place: Place, path: str, job: Job, *, summed: bool) -> Found:
    host = host_of(place)
    user = ROOT if isinstance(place, ContainerPlace) or job.access.sudo else None
    seen = look(host, path, user, summed=summed)
    if seen is None and not isinstance(place, ContainerPlace):
        raise NoSuchFile(f"no POSIX shell at {place.name} to read {path} with")
    return Found(place, host, path, user, *(seen or (None,)))


def host_of(place: Place) -> Host:
    """Where paths of the target are its own."""
    return place.inside if isinstance(place, ContainerPlace) else place.host


def look(
    host: Host, path: str, user: Owner | None, *, summed: bool, prefix: str = ""
) -> tuple[int, str | None] | None:
    """Size and, with `summed`, sum; None where there is no shell to look with. Raises NoSuchFile."""
    wanted = "sum" if summed else ""
    done = host.run(["sh", "-c", _LOOK, "sh", path, wanted, prefix], user=user, timeout_s=LOOK_TIMEOUT_S)
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
        case ["link"]:
            raise NoSuchFile(f"{path} is behind a link, which leads elsewhere on {host.name}")
        case ["closed"]:
            raise NoSuchFile(f"{path} on {host.name} is not for this user to read", advice="add --sudo")
        case ["file", size, *rest]:
            return int(size), rest[0] if rest else None
    raise NoSuchFile(f"{path} on {host.name} could not be looked at", why=done.complaint)


@contextmanager
def read_file(host: Host, file: str, user: Owner | None, size_bytes: int) -> Iterator[Iterator[bytes]]:
    """The first `size_bytes` of it, or what there is. The iterator raises TransferCut, ConnectionLost."""
    # cat reads 128 KiB at a time, and head -c 8: an engine makes a frame of each.
    with host.stream(["cat", file], user=user) as stream:

        def chunks() -> Iterator[bytes]:
            left = size_bytes
            for chunk in stream:
                yield chunk[:left]
                left -= len(chunk)
                if left < 0:
                    return  # it has grown
            end = stream.finish()
            if end.exit_code != 0:
                raise TransferCut(
                    f"the stream of {file} was cut",
                    why=end.complaint or f"exit code {end.exit_code}",
                    advice="try again",
                )

        yield chunks()
