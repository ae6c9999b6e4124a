"""The ends of logs: which are taken, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.docker import Engine
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.snapshot.found import Found, Kind
from jvmdiag.snapshot.logs import Timely, container_log_of, end_of, log_items, part_of_log
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container

HERE = Reach(LocalHost(), "", None)


def files_of(*names: str) -> list[str]:
    found = [Found(Kind.LOG, f"/logs/{name}", 7, 1.0) for name in names]
    return [item.file for item in log_items(found, HERE, 10, of="tomcat")]


def test_the_name_of_a_log_is_one_that_every_file_system_takes() -> None:
    assert files_of("a b.log", "a'b.log", "ü.log") == [
        "logs/tomcat-a_b.log",
        "logs/tomcat-2-a_b.log",
        "logs/tomcat-_.log",
    ]
    [long] = files_of("x" * 251 + ".log")
    assert len(long) < 200 and long.endswith("xxx.log")


def test_of_a_long_log_its_end_alone_is_held() -> None:
    pieces = [bytes([65 + n]) * 10 for n in range(20)]
    assert end_of(pieces, 25) == b"".join(pieces)[-25:]
    assert end_of(pieces, 1000) == b"".join(pieces)
    assert end_of([], 5) == b""


def slowly(pieces: int, then: Exception | None = None) -> Iterator[bytes]:
    for number in range(pieces):
        yield b"line %d\n" % number
    if then:
        raise then


def test_of_a_stream_that_comes_too_late_what_came_is_kept() -> None:
    late = Timely(slowly(9), bound_s=-1.0)
    assert b"".join(late) == b"line 0\n"
    assert (late.came_bytes, "came within" in late.cut) == (7, True)
    whole = Timely(slowly(9), bound_s=60.0)
    assert (len(b"".join(whole)), whole.came_bytes, whole.cut) == (63, 63, "")


def test_of_a_stream_that_breaks_what_came_is_kept_and_of_nothing_the_error_is_all() -> None:
    broken = Timely(slowly(2, ConnectionLost("it is gone")), bound_s=60.0)
    assert (b"".join(broken), broken.cut) == (b"line 0\nline 1\n", "it is gone")
    with pytest.raises(ConnectionLost):
        list(Timely(slowly(0, ConnectionLost("it is gone")), bound_s=60.0))


@pytest.mark.parametrize(
    ("came", "kept", "note"),
    [
        (b"one\ntwo\nthree\nfo", b"three\nfo", "bytes 8 to 16 of 100: /l/a.log"),
        (b"one\ntwo", b"one\ntwo", "bytes 0 to 7 of 100: /l/a.log"),
    ],
)
def test_of_a_log_that_was_cut_it_is_said_which_bytes_these_are(came: bytes, kept: bytes, note: str) -> None:
    found = Found(Kind.LOG, "/l/a.log", 100, 1.0)
    part = part_of_log(end_of([came], 11), len(came), 10, found, "late")
    assert (part.data, part.note, part.missing) == (kept, note, f"its last {100 - len(came)} B: late")


class Logged:
    """Stands where an Engine does: a container's log, and nothing else."""

    def __init__(self, then: Exception | None) -> None:
        self.then = then

    def log_end(self, container_id: str, lines: int) -> Iterator[bytes]:
        return slowly(3, self.then)


@pytest.mark.parametrize(
    ("then", "missing"), [(None, ""), (ConnectionLost("it is gone"), "its end: it is gone")]
)
def test_of_a_containers_log_what_came_is_kept_as_well(then: Exception | None, missing: str) -> None:
    place = in_a_container(the_jvm_of("tomcat-inside")).place
    assert isinstance(place, ContainerPlace)
    taken = container_log_of(replace(place, engine=cast(Engine, Logged(then))), 1000)
    assert (taken.data, taken.missing) == (b"line 0\nline 1\nline 2\n", missing)
