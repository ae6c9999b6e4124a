"""What an engine gives out of a volume: read no further than is agreed."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from jvmdiag.collect.archived import packed_in
from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.place import ContainerPlace
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container

NEVER = float("inf")


class Volume:
    """Stands where an Engine does: an archive of empty files that has no end, unless it is told to."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.given = 0
        self.closed = False

    def archive(self, container_id: str, path: str) -> Iterator[bytes]:
        try:
            while self.most is None or self.given < self.most:
                head = tarfile.TarInfo(f"data/{self.given}.log")
                head.mtime = 7
                self.given += 1
                yield head.tobuf()
            yield bytes(2 * tarfile.BLOCKSIZE)
        finally:
            self.closed = True


def the_place(volume: Volume) -> ContainerPlace:
    place = in_a_container(the_jvm_of("tomcat-inside")).place
    assert isinstance(place, ContainerPlace)
    return replace(place, engine=cast(Engine, volume))


def test_its_files_are_named_by_their_path_in_the_container() -> None:
    found, whole = packed_in(
        the_place(Volume(3)),
        "/srv/data",
        lambda path: path != "/srv/data/1.log",
        most_bytes=1 << 20,
        until_s=NEVER,
    )
    assert ([(one.path, one.size_bytes, one.changed_s) for one in found], whole) == (
        [("/srv/data/0.log", 0, 7.0), ("/srv/data/2.log", 0, 7.0)],
        True,
    )


def test_one_of_empty_files_without_end_is_left_after_so_many_bytes() -> None:
    volume = Volume()
    found, whole = packed_in(the_place(volume), "/data", bool, most_bytes=1 << 20, until_s=NEVER)
    assert (whole, volume.closed) == (False, True)
    assert 0 < len(found) <= (1 << 20) // tarfile.BLOCKSIZE + 1


def test_one_that_comes_slowly_is_left_when_its_time_is_over() -> None:
    volume = Volume()
    found, whole = packed_in(the_place(volume), "/data", bool, most_bytes=1 << 40, until_s=time.monotonic())
    assert (whole, volume.closed, volume.given <= 2, len(found) <= 2) == (False, True, True, True)
