"""A thread dump: what is asked for, and what stands out in it. Pure."""

from __future__ import annotations

import re

from jvmdiag.attach.rung import THREAD_PRINT

_DEADLOCKS = re.compile(
    rb"^Found (\d+|one) deadlocks?\.|^Found (\d+|one) Java-level deadlocks?:", re.MULTILINE
)
_NAMED = re.compile(rb'^"', re.MULTILINE)


def thread_line(*, locks: bool) -> str:
    """The diagnostic command. `locks` asks for ownable synchronizers: a scan of the heap in a safepoint."""
    return f"{THREAD_PRINT} -l" if locks else THREAD_PRINT


def count_threads(text: bytes) -> int:
    """How many threads stand in it, those of the VM included."""
    return len(_NAMED.findall(text))


def has_deadlock(text: bytes) -> bool:
    """Whether the JVM itself found a deadlock."""
    return bool(_DEADLOCKS.search(text))
