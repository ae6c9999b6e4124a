"""Thread dumps, real ones of each JVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.attach.quit import whole_dump
from jvmdiag.capture.threads import count_threads, has_deadlock, thread_line

THREADS = Path(__file__).parents[2] / "data" / "threads"
VERSIONS = (11, 17, 21, 25)


def by_jcmd(version: int) -> bytes:
    return (THREADS / f"jdk{version}-jcmd.txt").read_bytes().partition(b"\n")[2]


def by_sigquit(version: int) -> bytes:
    dump = whole_dump((THREADS / f"jdk{version}-log.txt").read_bytes())
    assert dump is not None
    return dump


DUMPS = [
    pytest.param(read(version), id=f"jdk{version}-{read.__name__}")
    for version in VERSIONS
    for read in (by_jcmd, by_sigquit)
]


def test_the_heap_is_scanned_for_locks_only_where_it_is_asked_for() -> None:
    assert thread_line(locks=False) == "Thread.print"
    assert thread_line(locks=True) == "Thread.print -l"


@pytest.mark.parametrize("dump", DUMPS)
def test_the_deadlock_that_the_jvm_found_is_seen(dump: bytes) -> None:
    assert has_deadlock(dump)
    assert not has_deadlock(dump[: dump.index(b"JNI global ref")])


@pytest.mark.parametrize("version", VERSIONS)
def test_both_ways_of_asking_show_the_same_java_threads(version: int) -> None:
    def java_threads(dump: bytes) -> set[bytes]:
        return {line.partition(b'" #')[0] for line in dump.splitlines() if b'" #' in line}

    # jcmd itself comes by the attach listener, which a signal has no need of.
    assert java_threads(by_jcmd(version)) == java_threads(by_sigquit(version))
    assert count_threads(by_jcmd(version)) > len(java_threads(by_jcmd(version))) > 10


def test_threads_are_counted_where_their_line_begins_and_not_in_stacks() -> None:
    dump = b'"main" #1\n\tat a."b"\n- locked "c"\n"with "quotes"" #2\n"VM Thread" os_prio=0\n'
    assert count_threads(dump) == 3


@pytest.mark.parametrize(
    "line",
    [
        b"Found one Java-level deadlock:",
        b"Found 2 deadlocks.",
        b"Found 1 deadlock.",
        b"Found 2 Java-level deadlocks:",
    ],
)
def test_each_wording_of_a_deadlock_is_known(line: bytes) -> None:
    assert has_deadlock(b"JNI global refs: 1\n\n" + line + b"\n")
    assert not has_deadlock(b'"' + line + b'" #12\n')
