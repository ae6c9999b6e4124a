"""A thread dump: what is asked for, and whether what came is whole. Pure."""

from __future__ import annotations

import re

from jvmdiag.attach.rung import THREAD_PRINT
from jvmdiag.errors import DumpIncomplete

# The line after the last thread; behind it come only deadlocks, and with SIGQUIT the heap.
_LAST = re.compile(rb"^JNI global ref", re.MULTILINE)
_DEADLOCKS = re.compile(
    rb"^Found (\d+|one) deadlocks?\.|^Found (\d+|one) Java-level deadlocks?:", re.MULTILINE
)
_NAMED = re.compile(rb'^"', re.MULTILINE)


def thread_line(*, locks: bool) -> str:
    """The diagnostic command. `locks` asks for ownable synchronizers: a scan of the heap in a safepoint."""
    return f"{THREAD_PRINT} -l" if locks else THREAD_PRINT


def require_whole(text: bytes) -> None:
    """Raises DumpIncomplete where `text` is not a thread dump from its first line to its last."""
    if b"Full thread dump" not in text[:4096]:
        raise DumpIncomplete("the JVM's answer is no thread dump", why=repr(text[:80]))
    if not _LAST.search(text):
        raise DumpIncomplete("the thread dump has no end", why="the line 'JNI global refs' is missing")


def count_threads(text: bytes) -> int:
    """How many threads stand in it, those of the VM included."""
    return len(_NAMED.findall(text))


def has_deadlock(text: bytes) -> bool:
    """Whether the JVM itself found a deadlock."""
    return bool(_DEADLOCKS.search(text))
