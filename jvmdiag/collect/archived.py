"""A file of a container that is no more running: the engine still gives it out, as an archive, and nothing else."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from jvmdiag.errors import NoSuchFile, TransferCut
from jvmdiag.hosts.base import CHUNK
from jvmdiag.hosts.chunks import ChunkReader
from jvmdiag.hosts.place import ContainerPlace


@dataclass(frozen=True)
class Archived:
    """Its size, and its bytes, which can be read once."""

    size_bytes: int
    chunks: Iterator[bytes]


@contextmanager
def archived(place: ContainerPlace, path: str, piece_bytes: int = CHUNK) -> Iterator[Archived]:
    """Its chunks are of `piece_bytes`, each of which comes whole or not at all.

    Raises NoSuchFile, TransferCut. While it is open the engine holds back all else of the container."""
    with closing(ChunkReader(place.engine.archive(place.facts.id, path))) as reader:
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
                    while chunk := file.read(piece_bytes):
                        yield chunk
                except (tarfile.ReadError, EOFError) as error:
                    raise TransferCut(f"the engine's archive of {path} was cut", why=str(error)) from None

            yield Archived(member.size, chunks())


@dataclass(frozen=True)
class Packed:
    """A regular file of an archive, by its path in the container; `changed_s` is in Unix seconds."""

    path: str
    size_bytes: int
    changed_s: float


def packed_in(
    place: ContainerPlace,
    directory: str,
    wanted: Callable[[str], bool],
    *,
    most_bytes: int,
    until_s: float,
) -> tuple[list[Packed], bool]:
    """The files of a directory whose path is wanted, in the order of its archive, and whether that was read to its end:
    it holds what is in them too, and no more than `most_bytes` of it are read, nor later than `until_s` (monotonic).
    Raises NoSuchFile."""
    above = directory.rstrip("/").rpartition("/")[0]
    found: list[Packed] = []
    passed = 0
    chunks = _timely(place.engine.archive(place.facts.id, directory), until_s)
    with closing(ChunkReader(chunks)) as reader:
        try:
            with tarfile.open(fileobj=reader, mode="r|", bufsize=CHUNK) as tar:
                while (member := tar.next()) is not None:
                    # It would remember each, a KiB and more.
                    tar.members.clear()  # type: ignore[attr-defined]
                    passed += tarfile.BLOCKSIZE
                    path = f"{above}/{member.name}"
                    if member.isfile():
                        passed += member.size
                        found += [Packed(path, member.size, float(member.mtime))] if wanted(path) else []
                    if passed > most_bytes:
                        return found, False
        except (tarfile.TarError, EOFError, TimeoutError):
            return found, False
    return found, True


def _timely(chunks: Iterator[bytes], until_s: float) -> Iterator[bytes]:
    """Them; raises TimeoutError behind the first that came later."""
    try:
        for chunk in chunks:
            yield chunk
            if time.monotonic() > until_s:
                raise TimeoutError("the engine's archive comes slowly")
    finally:
        if isinstance(chunks, Generator):
            chunks.close()


@dataclass(frozen=True)
class ArchivedDump:
    """A dump that the container still holds; see capture.far_file.Dump."""

    place: ContainerPlace
    path: str

    @property
    def is_guarded(self) -> bool:
        return self.place.engine.is_guarded

    def written(self, timeout_s: float) -> int:
        with archived(self.place, self.path) as file:
            return file.size_bytes

    def sums(self, parts: list[tuple[int, int]]) -> list[str] | None:
        return None

    def chunks(self, offset: int) -> Iterator[bytes]:
        """From `offset` on: what is before it is read and dropped."""
        with archived(self.place, self.path) as file:
            for chunk in file.chunks:
                if offset < len(chunk):
                    yield chunk[offset:]
                offset = max(0, offset - len(chunk))

    def remove(self) -> bool:
        """Nothing can be removed from a container that does not run."""
        return False
