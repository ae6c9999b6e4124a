"""Items that are the end of a log: of the server, and of the container."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.snapshot.found import Found
from jvmdiag.snapshot.item import At, Item, NotTaken, Risk, Taken
from jvmdiag.snapshot.kernel import run_script
from jvmdiag.units import size

_TIMEOUT_S = 20.0
_MOST_FILES = 12
_DAY_S = 86400.0
_LINES = 20_000
_PLAIN = re.compile(r"[^\w.@+-]", re.ASCII)
# A file system's bound is 255 bytes, and what is before a name and behind it takes some.
_NAME_CHARACTERS = 160


@dataclass(frozen=True)
class Log(Item):
    """The last `most_bytes` of a file, from the beginning of a line. It is read by `reach`."""

    found: Found | None = None
    reach: Reach | None = None
    most_bytes: int = 0

    def take(self, at: At) -> Taken:
        assert self.found and self.reach
        found, reach = self.found, self.reach
        path = found.path if found.descriptor is None else f"/proc/{at.pid}/fd/{found.descriptor}"
        data = run_script(reach, "tail.sh", (reach.prefix, path, str(self.most_bytes)), self.timeout_s)
        return end_of_log(data, self.most_bytes, found)


def _from_a_line(data: bytes) -> bytes:
    return data.partition(b"\n")[2] or data


@dataclass(frozen=True)
class ContainerLog(Item):
    """What the container wrote to its stdout and stderr, where its engine kept that."""

    most_bytes: int = 0

    def take(self, at: At) -> Taken:
        assert isinstance(at.scene.place, ContainerPlace)
        return container_log_of(at.scene.place, self.most_bytes)


def container_log_of(place: ContainerPlace, most_bytes: int) -> Taken:
    """The end of its log, by its engine, which tells it of a container that stands still or has ended too."""
    if not place.facts.log_kept:
        raise NotTaken(f"the log driver {place.facts.log_driver} can't be read back, and no copy is kept")
    pieces = Timely(place.engine.log_end(place.facts.id, _LINES), _TIMEOUT_S)
    data = end_of(pieces, most_bytes + 1)
    cut = len(data) > most_bytes
    part = f"the last {size(most_bytes)} of it" if cut else f"its last {_LINES:,} lines at most"
    if pieces.cut:
        part = f"{size(len(data))} of its last {_LINES:,} lines"
    missing = f"its end: {pieces.cut}" if pieces.cut else ""
    return Taken(_from_a_line(data[-most_bytes:]) if cut else data, part, missing=missing)


class Timely:
    """Pieces of a stream, to be gone through once, until `bound_s` are over or its way breaks: what came, came.

    `came_bytes` are those so far. `cut` says why no more was waited for; empty where the stream came to its end.
    """

    def __init__(self, pieces: Iterable[bytes], bound_s: float) -> None:
        self._pieces = pieces
        self._bound_s = bound_s
        self.came_bytes = 0
        self.cut = ""

    def __iter__(self) -> Iterator[bytes]:
        """Raises what the stream raises where nothing came before."""
        until = time.monotonic() + self._bound_s
        try:
            for piece in self._pieces:
                self.came_bytes += len(piece)
                yield piece
                if time.monotonic() > until:
                    self.cut = f"only what came within {self._bound_s:g} s was read"
                    break
        except JvmdiagError as error:
            if not self.came_bytes:
                raise
            self.cut = str(error)
        finally:
            if isinstance(self._pieces, Generator):
                self._pieces.close()


def end_of(pieces: Iterable[bytes], most_bytes: int) -> bytes:
    """Their last bytes, with no more than those and one piece in memory."""
    kept: deque[bytes] = deque()
    size_bytes = 0
    for piece in pieces:
        kept.append(piece)
        size_bytes += len(piece)
        while size_bytes - len(kept[0]) >= most_bytes:
            size_bytes -= len(kept.popleft())
    return b"".join(kept)[-most_bytes:]


def log_items(found: Sequence[Found], reach: Reach, most_bytes: int, *, of: str) -> list[Item]:
    """An item for each log that was written to within a day or is open; a dozen at most, the last written first."""
    fresh = [one for one in found if one.descriptor is not None or one.age_s <= _DAY_S]
    return [
        Log(f"{of} log {name}", f"logs/{of}-{name}", Risk.LIGHT, _TIMEOUT_S, one.path, one, reach, most_bytes)
        for one, name in named_logs(fresh)
    ]


def named_logs(found: Sequence[Found]) -> list[tuple[Found, str]]:
    """The first dozen, each with a name that no other has."""
    taken: set[str] = set()
    return [
        (one, _free_name(_PLAIN.sub("_", one.name)[-_NAME_CHARACTERS:], taken)) for one in found[:_MOST_FILES]
    ]


def part_of_log(data: bytes, came_bytes: int, most_bytes: int, found: Found, why: str) -> Taken:
    """Of a log that comes from its beginning and was cut behind `came_bytes`: the last of them, in `data`, from the
    beginning of a line. They are the nearest to its end, which is missing, and `why`."""
    data = data[-most_bytes:]
    kept = _from_a_line(data) if len(data) < came_bytes else data
    note = f"bytes {came_bytes - len(kept):,} to {came_bytes:,} of {found.size_bytes:,}: {found.path}"
    return Taken(kept, note, missing=f"its last {size(found.size_bytes - came_bytes)}: {why}")


def end_of_log(data: bytes, most_bytes: int, found: Found) -> Taken:
    """The last bytes of a log, from the beginning of a line where something is before them."""
    cut = len(data) > most_bytes or found.size_bytes > most_bytes
    data = data[-most_bytes:] if most_bytes else b""
    part = f"the last {size(len(data))} of {size(found.size_bytes)}: " if cut else ""
    return Taken(_from_a_line(data) if cut else data, f"{part}{found.path}")


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with a number before it where it was taken already."""
    free = next(
        n
        for count in range(1, len(taken) + 2)
        if (n := name if count == 1 else f"{count}-{name}") not in taken
    )
    taken.add(free)
    return free


def container_log(most_bytes: int) -> ContainerLog:
    return ContainerLog(
        "container log", "logs/container.log", Risk.LIGHT, _TIMEOUT_S, "its stdout and stderr", most_bytes
    )
