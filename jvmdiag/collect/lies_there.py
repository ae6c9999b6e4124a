"""A file that lies on a target: looked at by the way that reads it fastest, and read to the length that it had then."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach
from jvmdiag.collect.job import Job, Journal
from jvmdiag.errors import BadRequest, NoSuchFile, TargetNotRunning, TargetPaused, TransferCut
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.opening import open_place, stopped_container
from jvmdiag.hosts.place import ContainerPlace, Place, ViewKind
from jvmdiag.model import Owner
from jvmdiag.target import DockerTarget, SshDockerTarget

ROOT = Owner(0, 0)
# $1 a path, $2 whether its sum is wanted, $3 what it is behind, $4 the path without links, where none may be in it.
# Behind a prefix a link leads out of that mount namespace, into ours; as root it leads wherever its maker likes. What
# was opened is looked at, and named by the kernel: its name may lead elsewhere a moment later.
_LOOK = """
part=$1
while [ -n "$4" ] && [ -n "$part" ]; do
    [ -L "$3$part" ] && { echo "link $(readlink -f "$3$1" 2>/dev/null)"; exit 0; }
    part=${part%/*}
done
root=$3
[ -z "$root" ] || root=$(readlink "$root" || echo "$root")
real=${root%/}$4
strict=$4
set -- "$3$1" "$2"
# What lies in a directory that is closed to us looks as if it were not there.
dir=${1%/*}
while [ -n "$dir" ] && [ ! -e "$dir" ]; do dir=${dir%/*}; done
[ -x "${dir:-/}" ] || { echo closed; exit 0; }
[ -e "$1" ] || { echo missing; exit 0; }
[ -f "$1" ] || { echo other; exit 0; }
[ -r "$1" ] || { echo closed; exit 0; }
exec 3<"$1"
file=/proc/self/fd/3
[ -e "$file" ] || file=$1
if [ -n "$strict" ]; then
    name=$(readlink "$file" 2>/dev/null) || { name=$(ls -l "$file"); name=${name#* -> }; }
    [ "$name" = "$real" ] || { echo changed; exit 0; }
fi
same=$(stat -L -c %d:%i "$file" 2>/dev/null) || same=-
# The sum is that of the bytes that are taken: a log may grow meanwhile.
size=$(($(wc -c <"$file")))
[ "$2" = sum ] || { echo "file $size $same"; exit 0; }
echo "file $size $same $(head -c "$size" <"$file" | sha256sum 2>/dev/null)"
"""
# The file that was looked at, or none.
_READ = """
[ -f "$1" ] || { echo "it is no regular file any more" >&2; exit 4; }
exec 3<"$1"
[ "$2" = - ] || [ "$(stat -L -c %d:%i /proc/self/fd/3)" = "$2" ] || { echo "it is another file by now" >&2; exit 4; }
exec cat <&3
"""
UNKNOWN = "-"
"""Of which file it was, where the target has no stat to say so."""
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
    identity: str = UNKNOWN


@dataclass(frozen=True)
class Seen:
    """What `look` saw: `identity` is device and inode, by which a reader knows the file again."""

    size_bytes: int
    sha256: str | None
    identity: str


@contextmanager
def find_file(
    job: Job, path: str, journal: Journal, *, summed: bool, around: Reach | None = None
) -> Iterator[Found]:
    """Look at `path` and leave it as it is; its place stays open with the context. `summed` reads all of it.

    `around` is how the files of a JVM are reached where it is one of those, and somebody else said its name: it is read
    as that JVM's user, and no link is followed. Raises NoSuchFile, and BadRequest for a path that does not begin at
    the root.
    """
    if not path.startswith("/"):
        raise BadRequest(f"{path!r} is no absolute path", advice="name it from the target's root: /tmp/FILE")
    with ExitStack() as stack:
        try:
            place = stack.enter_context(open_place(job.target, job.access, journal))
        except (TargetNotRunning, TargetPaused):
            if not isinstance(job.target, DockerTarget | SshDockerTarget):
                raise
            stopped = stack.enter_context(stopped_container(job.target, job.access, journal))
            # Into one that is paused root can look from the engine's host.
            host_view = _around(stopped, path, around.user if around else None, summed=summed)
            yield host_view or Found(stopped, stopped.inside, path, None, None)
            return
        host_view = _around(place, path, around.user if around else None, summed=summed)
        yield host_view or _inside(place, path, job, around, summed=summed)


def _around(place: Place, path: str, user: Owner | None, *, summed: bool) -> Found | None:
    """Through /proc of the engine's host, past the engine; None where that does not lead to it."""
    if not isinstance(place, ContainerPlace):
        return None
    for view in place.views():
        if view.kind is not ViewKind.ENGINE_HOST:
            continue
        prefix = f"/proc/{view.pid1}/root"
        try:
            seen = look(view.host, path, user, summed=summed, prefix=prefix, strict=True)
        except NoSuchFile:
            return None
        return _found(place, view.host, f"{prefix}{path}", user, seen) if seen else None
    return None


def _inside(place: Place, path: str, job: Job, around: Reach | None, *, summed: bool) -> Found:
    host, in_container = host_of(place), isinstance(place, ContainerPlace)
    user = ROOT if in_container or job.access.sudo else None
    prefix = ""
    if around:
        user, prefix = around.user, "" if in_container else around.prefix
    # Whoever makes links in a container makes none out of it.
    strict = around is not None or (job.access.sudo and not in_container)
    seen = look(host, path, user, summed=summed, prefix=prefix, strict=strict)
    if seen is None and not in_container:
        raise NoSuchFile(f"no POSIX shell at {place.name} to read {path} with")
    return _found(place, host, f"{prefix}{path}", user, seen)


def _found(place: Place, host: Host, file: str, user: Owner | None, seen: Seen | None) -> Found:
    return (
        Found(place, host, file, user, seen.size_bytes, seen.sha256, seen.identity)
        if seen
        else Found(place, host, file, user, None)
    )


def host_of(place: Place) -> Host:
    """Where paths of the target are its own."""
    return place.inside if isinstance(place, ContainerPlace) else place.host


def look(
    host: Host, path: str, user: Owner | None, *, summed: bool, prefix: str = "", strict: bool = False
) -> Seen | None:
    """What is there; its sum with `summed`; None where there is no shell to look with. `strict`: no link is followed.

    Raises NoSuchFile.
    """
    # Where there are no links, dots and double slashes mean what they seem to.
    real = f"/{posixpath.normpath(path).lstrip('/')}" if strict or prefix else ""
    words = ("sum" if summed else "", prefix, real)
    done = host.run(["sh", "-c", _LOOK, "sh", path, *words], user=user, timeout_s=LOOK_TIMEOUT_S)
    if done.exit_code in (126, 127):
        return None
    match done.text.split():
        case ["missing"]:
            raise NoSuchFile(
                f"no {path} on {host.name}", advice="the path is that of the target, from its root"
            )
        case ["other"]:
            raise NoSuchFile(f"{path} on {host.name} is no regular file")
        case ["link", *leads]:
            # Behind a prefix it was followed from our own root.
            there = "" if prefix else " ".join(leads)
            advice = f"name what it leads to: {there}" if there else ()
            raise NoSuchFile(f"{path} is behind a link, which leads elsewhere on {host.name}", advice=advice)
        case ["changed"]:
            raise NoSuchFile(f"{path} on {host.name} was exchanged while it was opened", advice="try again")
        case ["closed"]:
            raise NoSuchFile(
                f"{path} on {host.name} is not for this user to read",
                advice="add --sudo" if user is None else (),
            )
        case ["file", size, identity, *rest]:
            return Seen(int(size), rest[0] if rest else None, identity)
    raise NoSuchFile(f"{path} on {host.name} could not be looked at", why=done.complaint)


@contextmanager
def read_file(
    host: Host, file: str, user: Owner | None, size_bytes: int, identity: str = UNKNOWN
) -> Iterator[Iterator[bytes]]:
    """The first `size_bytes` of it, or what there is, where it still is the file of that identity.

    The iterator raises TransferCut, ConnectionLost.
    """
    # cat reads 128 KiB at a time, and head -c 8: an engine makes a frame of each.
    with host.stream(["sh", "-c", _READ, "sh", file, identity], user=user) as stream:

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
