"""A heap dump under way: followed while it grows, continued where it is cut, and never believed unasked."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.heap import HeapDump
from jvmdiag.capture.heap_command import JvmSays, heap_dump_line, parse_created
from jvmdiag.errors import (
    AttachRefused,
    BadRequest,
    CommandRefused,
    ConnectionLost,
    ConnectionRefused,
    DumpIncomplete,
    JvmdiagError,
    JvmGone,
    JvmHung,
    NoSuchFile,
    ReadOnlyTarget,
    TargetDiskFull,
)
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.local import LocalHost
from jvmdiag.model import LeftBehind
from tests.fakes import Answer, Asked, FakeHost, Streamed, done

CONTENT = random.Random(7).randbytes(300_000)
GREETING = "Dumping heap to /tmp/x.hprof ...\n"


def test_unreachable_objects_are_kept_and_no_collection_is_forced_unless_asked() -> None:
    assert heap_dump_line("/tmp/x.hprof", live=False) == 'GC.heap_dump -all "/tmp/x.hprof"'
    assert heap_dump_line("/tmp/x.hprof", live=True) == 'GC.heap_dump "/tmp/x.hprof"'


def test_a_path_with_blanks_is_one_word_for_the_jvm() -> None:
    assert heap_dump_line("/my dumps/x", live=True) == 'GC.heap_dump "/my dumps/x"'


@pytest.mark.parametrize("path", ['/tmp/a"b', "/tmp/a\nb", "/tmp/a\0b"])
def test_a_path_that_a_jvm_cannot_be_told_is_refused_before_it_is_asked(path: str) -> None:
    with pytest.raises(BadRequest):
        heap_dump_line(path, live=True)


# As 11, 17, 21 and 25 say it.
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            f"{GREETING}Heap dump file created [14654049 bytes in 0.203 secs]\n",
            JvmSays(14_654_049, 0.203),
        ),
        ("Heap dump file created [1 bytes in 12.000 secs]", JvmSays(1, 12.0)),
    ],
)
def test_the_jvms_account_is_bytes_and_seconds(answer: str, says: JvmSays) -> None:
    assert parse_created(answer, "/tmp/x.hprof") == says


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Dump file is incomplete: No space left on device\n", TargetDiskFull),
        ("Dump file is incomplete: File too large\n", TargetDiskFull),
        ("Dump file is incomplete: Disk quota exceeded\n", TargetDiskFull),
        ("Unable to create /tmp/x.hprof: No space left on device\n", TargetDiskFull),
        ("Unable to create /tmp/x.hprof: File exists\n", ReadOnlyTarget),
        ("Unable to create /nowhere/x.hprof: No such file or directory\n", ReadOnlyTarget),
        ("Unable to create /tmp/x.hprof: Permission denied\n", ReadOnlyTarget),
        ("Unable to create /tmp/x.hprof: Read-only file system\n", ReadOnlyTarget),
        ("Dump file is incomplete: Broken pipe\n", DumpIncomplete),
        ("Heap dump file created", DumpIncomplete),
        ("", DumpIncomplete),
    ],
)
def test_anything_else_is_a_failure_although_jcmd_ends_with_0(answer: str, kind: type[JvmdiagError]) -> None:
    with pytest.raises(JvmdiagError) as caught:
        parse_created(GREETING + answer, "/tmp/x.hprof")
    assert type(caught.value) is kind


class Jvm(Speaker):
    """Answers a heap dump by what `write` does with the path that it is told."""

    method = "pretended"
    detail = "by a test"

    def __init__(self, reach: Reach, write: Callable[[Path], str]) -> None:
        self.reach = reach
        self.asked: list[str] = []
        self._write = write

    def ask(self, line: str, timeout_s: float) -> bytes:
        self.asked.append(line)
        return (GREETING + self._write(Path(line.split('"')[1]))).encode()


def created(size: int = len(CONTENT)) -> str:
    return f"Heap dump file created [{size} bytes in 0.050 secs]\n"


def write_at_once(path: Path) -> str:
    path.write_bytes(CONTENT)
    return created()


def never_asked_for() -> Reach:
    raise AssertionError("a new connection was not called for")


def dump_of(
    path: Path,
    write: Callable[[Path], str] = write_at_once,
    host: Host | None = None,
    reopen: Callable[[], Reach] = never_asked_for,
    **more: Any,
) -> HeapDump:
    reach = Reach(host or LocalHost(), "", None)
    more = {"pauses_s": (0.01,), **more}
    return HeapDump(Jvm(reach, write), str(path), live=False, timeout_s=5, reopen=reopen, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".jvmdiag-a b.hprof"


def test_a_dump_arrives_byte_for_byte_and_is_counted(path: Path) -> None:
    dump = dump_of(path)
    assert b"".join(dump.chunks()) == CONTENT
    assert (dump.received_bytes, dump.says().size_bytes, dump.resumed) == (len(CONTENT), len(CONTENT), 0)


def test_a_jvm_that_was_never_asked_has_nothing_to_be_waited_for(path: Path) -> None:
    def broken(_argv: object) -> bool:
        raise ConnectionLost("the engine would not run it")

    dump = dump_of(path, host=FakeHost({broken: done("")}))
    with pytest.raises(ConnectionLost):
        list(dump.chunks())
    started = time.monotonic()
    assert not dump.may_be_whole()
    assert time.monotonic() - started < 1


def test_its_first_bytes_come_while_the_jvm_still_writes(path: Path) -> None:
    seen = threading.Event()

    def write(file: Path) -> str:
        with file.open("wb", buffering=0) as out:
            out.write(CONTENT[:1000])
            assert seen.wait(5), "nothing was read before the end"
            out.write(CONTENT[1000:])
        return created()

    dump = dump_of(path, write)
    received = bytearray()
    for chunk in dump.chunks():
        received += chunk
        seen.set()
    assert bytes(received) == CONTENT


def test_a_file_that_appears_late_is_waited_for(path: Path) -> None:
    def write(file: Path) -> str:
        threading.Event().wait(0.15)
        return write_at_once(file)

    assert b"".join(dump_of(path, write).chunks()) == CONTENT


def test_an_empty_file_is_an_empty_dump_and_not_an_error_of_the_way(path: Path) -> None:
    def write(file: Path) -> str:
        file.touch()
        return created(0)

    assert b"".join(dump_of(path, write).chunks()) == b""


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Unable to create /tmp/x.hprof: Permission denied\n", ReadOnlyTarget),
        ("Unable to create /tmp/x.hprof: No space left on device\n", TargetDiskFull),
        ("something else\n", DumpIncomplete),
    ],
)
def test_a_refusal_before_the_first_byte_is_what_is_raised(
    path: Path, answer: str, kind: type[JvmdiagError]
) -> None:
    with pytest.raises(JvmdiagError) as caught:
        list(dump_of(path, lambda _: answer).chunks())
    assert type(caught.value) is kind


def test_a_refusal_after_the_dump_was_asked_for_leads_to_no_second_one(path: Path) -> None:
    def refuse(_: Path) -> str:
        raise AttachRefused("the tool ended with 1")

    # AttachRefused would send the ladder to its next rung.
    with pytest.raises(DumpIncomplete, match="the tool ended with 1"):
        list(dump_of(path, refuse).chunks())


@pytest.mark.parametrize("kind", [JvmHung, JvmGone, CommandRefused])
def test_what_asking_raises_is_raised_to_the_one_who_reads(path: Path, kind: type[JvmdiagError]) -> None:
    def refuse(_: Path) -> str:
        raise kind("the JVM would not")

    dump = dump_of(path, refuse)
    with pytest.raises(kind, match="the JVM would not"):
        list(dump.chunks())
    with pytest.raises(kind):
        dump.says()


def test_a_disk_that_fills_midway_is_told_by_the_jvm_and_not_by_the_stream(path: Path) -> None:
    def write(file: Path) -> str:
        file.write_bytes(CONTENT[:5000])
        return "Dump file is incomplete: No space left on device\n"

    dump = dump_of(path, write)
    assert b"".join(dump.chunks()) == CONTENT[:5000]
    with pytest.raises(TargetDiskFull):
        dump.says()
    assert not dump.may_be_whole()


def test_a_file_that_the_jvm_wrote_and_nobody_finds_is_no_dump(path: Path) -> None:
    dump = dump_of(path, lambda _: created())
    with pytest.raises(NoSuchFile, match="cannot be read from local://"):
        list(dump.chunks())
    assert dump.may_be_whole()


def test_a_file_that_may_not_be_read_is_said_to_be_so(path: Path) -> None:
    host = FakeHost({is_follower: Streamed(exit_code=67)})
    with pytest.raises(NoSuchFile, match="not for this user to read"):
        list(dump_of(path, lambda _: created(), host).chunks())


def is_follower(argv: tuple[str, ...]) -> bool:
    return argv[:2] == ("sh", "-c") and argv[3] == "sh"


def cut_once(how: Streamed) -> FakeHost:
    """The first stream ends in that way, everything else happens on this machine."""
    left = [how]
    return FakeHost(
        {(lambda argv: is_follower(argv) and bool(left)): lambda _: left.pop()}, elsewhere=LocalHost()
    )


def broken(data: bytes) -> Streamed:
    return Streamed((data,), cut=True)


@pytest.mark.parametrize(
    ("ends", "at"),
    [
        (broken, 0),
        (broken, 1),
        (broken, len(CONTENT)),
        (lambda data: Streamed((data,), exit_code=None), 123_457),
        (lambda data: Streamed((data,), exit_code=137), 123_457),
        (lambda data: Streamed((data,), exit_code=68, stderr=b"cat: Input/output error"), 123_457),
    ],
    ids=["lost-at-once", "lost-behind-a-byte", "lost-at-its-end", "end-unknown", "killed", "read-failed"],
)
def test_a_stream_that_is_cut_is_continued_at_the_same_byte(
    path: Path, ends: Callable[[bytes], Streamed], at: int
) -> None:
    host = cut_once(ends(CONTENT[:at]))
    dump = dump_of(path, host=host)
    assert b"".join(dump.chunks()) == CONTENT
    assert (dump.resumed, dump.received_bytes) == (1, len(CONTENT))
    followers = [asked.argv[-1] for asked in host.asked if is_follower(asked.argv)]
    assert followers == ["0", str(at)]


def test_a_stream_that_ends_well_before_the_jvm_has_answered_is_not_taken_for_whole(path: Path) -> None:
    ended = threading.Event()

    def write(file: Path) -> str:
        assert ended.wait(5)
        return write_at_once(file)

    def first(_: Asked) -> Answer:
        threading.Timer(0.05, ended.set).start()
        return Streamed((CONTENT[:10],), exit_code=0)

    streams: list[Callable[[Asked], Answer]] = [first]
    host = FakeHost(
        {(lambda argv: is_follower(argv) and bool(streams)): lambda asked: streams.pop()(asked)},
        elsewhere=LocalHost(),
    )
    dump = dump_of(path, write, host)
    assert b"".join(dump.chunks()) == CONTENT
    assert dump.resumed == 1


def test_a_jvm_that_refuses_while_the_stream_is_cut_is_what_is_raised(path: Path) -> None:
    host = cut_once(Streamed((CONTENT[:100],), cut=True))
    with pytest.raises(TargetDiskFull):
        list(dump_of(path, lambda _: "Dump file is incomplete: No space left on device\n", host).chunks())


def test_where_the_connection_is_gone_the_rest_comes_over_a_new_one(path: Path) -> None:
    gone = FakeHost(
        {is_follower: Streamed((CONTENT[:777],), cut=True), ("true",): ConnectionLost("the network is away")}
    )
    dump = dump_of(path, host=gone, reopen=lambda: Reach(LocalHost(), "", None))
    assert b"".join(dump.chunks()) == CONTENT
    assert dump.resumed == 1


def test_a_jvm_that_is_gone_on_the_new_connection_ends_it(path: Path) -> None:
    def reopen() -> Reach:
        raise JvmGone("the container ended")

    gone = FakeHost({is_follower: Streamed((b"x",), cut=True), ("true",): TimeoutError("no answer")})
    with pytest.raises(JvmGone):
        list(dump_of(path, host=gone, reopen=reopen).chunks())


def test_a_connection_that_breaks_before_the_jvm_was_asked_asks_nothing(path: Path) -> None:
    host = FakeHost({is_follower: ConnectionLost("gone")})
    jvm = Jvm(Reach(host, "", None), write_at_once)
    with pytest.raises(ConnectionLost):
        list(HeapDump(jvm, str(path), live=True, timeout_s=5, reopen=never_asked_for).chunks())
    assert jvm.asked == []


def test_who_stops_reading_midway_ends_the_follower(path: Path) -> None:
    host = FakeHost({is_follower: Streamed((b"a" * 10, b"b"))})
    reading: Iterator[bytes] = dump_of(path, host=host).chunks()
    assert next(reading) == b"a" * 10
    del reading
    assert host.streams[0].closed


def test_nothing_is_said_before_the_jvm_has_answered(path: Path) -> None:
    with pytest.raises(CommandRefused, match="not answered yet"):
        dump_of(path).says()


def test_discarding_removes_the_file_and_the_parts_of_newer_jvms_and_nothing_else(path: Path) -> None:
    neighbour = path.with_name("neighbour.hprof")
    parts = [path.with_name(f"{path.name}.p{number}") for number in (0, 1, 15, 47)]
    for file in (path, neighbour, *parts):
        file.write_bytes(b"x")
    assert dump_of(path).discard() is None
    assert list(path.parent.iterdir()) == [neighbour]
    assert dump_of(path).discard() is None


@pytest.mark.parametrize(("kind", "settled"), [(JvmGone, True), (CommandRefused, True), (JvmHung, False)])
def test_a_dump_that_a_jvm_without_an_answer_may_still_take_is_named(
    path: Path, kind: type[JvmdiagError], settled: bool
) -> None:
    def refuse(_: Path) -> str:
        raise kind("no answer")

    dump = dump_of(path, refuse)
    with pytest.raises(kind):
        list(dump.chunks())
    left = dump.discard()
    assert (left is None) is settled
    assert left is None or "may still write" in left.what


def test_a_word_that_is_lost_is_made_up_for_by_the_file_that_the_jvm_has_closed(path: Path) -> None:
    def write(file: Path) -> str:
        write_at_once(file)
        raise ConnectionLost("the way to the one who asked")

    told: list[JvmSays] = []
    dump = dump_of(path, write, told=told.append)
    assert b"".join(dump.chunks()) == CONTENT
    assert dump.says() == JvmSays(len(CONTENT), 0.0, told=False)
    assert (told, dump.resumed) == ([dump.says()], 1)
    assert dump.may_be_whole()


def test_a_word_that_is_lost_and_no_file_is_no_dump(path: Path) -> None:
    def refuse(_: Path) -> str:
        raise ConnectionLost("the way to the one who asked")

    dump = dump_of(path, refuse)
    with pytest.raises(NoSuchFile):
        list(dump.chunks())
    left = dump.discard()
    assert left is not None
    assert "may still write" in left.what


@pytest.mark.parametrize(("end", "whole"), [(b"\x2c" + bytes(8), True), (b"", False)])
def test_where_the_one_who_asked_was_killed_the_file_says_whether_it_is_worth_keeping(
    path: Path, end: bytes, whole: bool
) -> None:
    def write(file: Path) -> str:
        file.write_bytes(CONTENT + end)
        raise AttachRefused("exit code 137")

    dump = dump_of(path, write, retry_s=0)
    with contextlib.suppress(JvmdiagError):
        list(dump.chunks())
    dump._says = None  # as where patience ended before the JVM closed it
    assert dump.may_be_whole() is whole


def test_a_way_that_stays_broken_is_tried_again_for_so_long_and_no_longer(path: Path) -> None:
    tried: list[str] = []

    def reopen() -> Reach:
        raise ConnectionRefused("nobody listens")

    gone = FakeHost({is_follower: Streamed((b"x",), cut=True), ("true",): TimeoutError("no answer")})
    dump = dump_of(path, host=gone, reopen=reopen, retry_s=1.0, tell=tried.append, pauses_s=(0.2, 1.0))
    with pytest.raises(ConnectionRefused):
        list(dump.chunks())
    assert [line.partition(";")[2] for line in tried][:1] == [" trying again in 0.2 s, for 1 s more"]
    assert dump.may_be_whole()


def test_discarding_makes_a_new_connection_where_the_old_one_is_gone(path: Path) -> None:
    path.write_bytes(b"x")
    gone = FakeHost({lambda argv: True: ConnectionLost("gone")})
    assert dump_of(path, host=gone, reopen=lambda: Reach(LocalHost(), "", None)).discard() is None
    assert not path.exists()


def test_what_could_not_be_removed_is_left_behind_with_the_command_for_it(path: Path) -> None:
    tried: list[str] = []

    def reopen() -> Reach:
        tried.append("anew")
        raise ConnectionLost("still away")

    host = FakeHost({lambda argv: "rm -f" in argv[2]: done("", 1, "rm: Read-only file system")})
    left = dump_of(path, host=host, reopen=reopen, pauses_s=(0.01, 0.01, 60.0)).discard()
    assert tried == ["anew"] * 3
    assert left == LeftBehind("heap dump", str(path), f"rm -f '{path}'  (there, as the JVM's user)")


def test_what_the_jvm_writes_beside_the_file_first_is_told_and_comes_only_then(tmp_path: Path) -> None:
    path, part, beside = (tmp_path / name for name in ("x.hprof", "x.hprof.p0", "beside"))
    told: list[int] = []
    grown = {1000: threading.Event(), len(CONTENT): threading.Event()}

    def written(size: int) -> None:
        told.append(size)
        if size in grown:
            grown[size].set()

    class InParts(Speaker):
        method, detail, reach = "pretended", "", Reach(LocalHost(), "", None)

        def ask(self, line: str, timeout_s: float) -> bytes:
            path.touch()
            for size, seen in grown.items():
                # It is looked at meanwhile.
                beside.write_bytes(CONTENT[:size])
                beside.rename(part)
                assert seen.wait(10)
            part.rename(path)
            return f"Heap dump file created [{len(CONTENT)} bytes in 0.1 secs]".encode()

    def never() -> Reach:
        raise AssertionError

    heap = HeapDump(InParts(), str(path), live=False, timeout_s=10, reopen=never, written=written)
    list(heap.chunks())
    assert told == [1000, len(CONTENT), 0]
    assert heap.says().size_bytes == len(CONTENT)


def test_a_file_whose_directory_is_out_of_reach_is_not_taken_for_removed(tmp_path: Path) -> None:
    """As behind the /proc/PID/root of a JVM that is gone; its file is found by a new way."""
    there = tmp_path / "there"
    there.mkdir()
    file = there / "x.hprof"
    dump = dump_of(file, reopen=lambda: Reach(LocalHost(), str(tmp_path), None))
    list(dump.chunks())
    there.rename(tmp_path / "elsewhere")
    moved = tmp_path / str(there).lstrip("/")
    moved.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").rename(moved)
    assert (moved / "x.hprof").exists()
    assert dump.discard() is None
    assert not (moved / "x.hprof").exists()
