"""A thread dump without the names of its threads: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Keeps = Callable[[str], bool]
"""Whether a name stays."""

# Threads of the JVM and of the JDK, and the names that the JDK gives where a program gives none.
_OWN = re.compile(
    r"main|Reference Handler|Finalizer|Signal Dispatcher|Service Thread|Monitor Deflation Thread|Sweeper thread"
    r"|C[12] CompilerThread\d+|Common-Cleaner|Notification Thread|Attach Listener|DestroyJavaVM|process reaper"
    r"|JVMCI.*CompilerThread\d+|StringDedup\w*|Thread-\d+|Timer-\d+|pool-\d+-thread-\d+|Cleaner-\d+"
    r"|ForkJoinPool(?:\.commonPool|-\d+)-worker-\d+|VirtualThread-unparker"
)
# A name may hold line breaks and quotation marks: it ends with the last mark on a line before what HotSpot prints.
_NAME = r"(?P<name>(?:.*\n){0,20}?.*)"
# In a list of deadlocks, who holds a lock there, and the head of a stack.
_NAMED = tuple(
    re.compile(f"(?P<before>{before}){_NAME}(?P<rest>{behind})(?:\n|\\Z)")
    for before, behind in (
        ('"', '":'),
        ('  which is held by "', '"'),
        ('"', '" (?:#\\d|daemon |prio=|os_prio=|cpu=).*'),
    )
)
# Everything else that HotSpot prints: a line that is none of these may hold anything.
_KNOWN = re.compile(
    r"\tat \S.*|\t- .*|   java\.lang\.Thread\.State: .*|   Locked ownable synchronizers:|   No compile task"
    r"|   Compiling: .*|   Carrying virtual thread #\d+|  (?:waiting (?:to lock monitor|for ownable synchronizer) .*"
    r"|in JNI, which is held by a .*|which is held by UNKNOWN_owner_addr=.*)"
    r"|\d+:|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|Full thread dump [^\"]*|Threads class SMR info:|_java_thread_list=0x.*"
    r"|0x[0-9a-f]+(?:, 0x[0-9a-f]+)*,?|\}|JNI global ref.*|Found (?:one|\d+) (?:Java-level )?deadlocks?[:.]|=+"
    r"|Java stack information for the threads listed above:|Heap"
    r"|\s+[A-Za-z][\w -]*\b(?:total|used|capacity|size|space)\b[\w ,\[\]()%:-]*|\s*"
)
_NUMBER = re.compile(r"\d*\Z")
UNKNOWN = "***"


class ThreadNames:
    """Gives each name another one, the same whenever it is asked: group-G-N, where those that differ in the number
    at their end alone are of one group, and N counts them as they come.
    """

    def __init__(self, keeps: Keeps = lambda _: False) -> None:
        self._keeps = keeps
        self._groups: dict[str, dict[str, int]] = {}
        self._numbers: dict[str, int] = {}

    def of(self, name: str) -> str:
        """The JDK's own stay, and those that are to be kept."""
        if _OWN.fullmatch(name) or self._keeps(name):
            return name
        stem = _NUMBER.sub("", name)
        group = self._groups.setdefault(stem, {})
        number = self._numbers.setdefault(stem, len(self._numbers) + 1)
        return f"group-{number}-{group.setdefault(name, len(group) + 1)}"


def mask_thread_dump(text: str, names: ThreadNames) -> str:
    """The text with its threads' names replaced, wherever they stand, and every line that is not of a thread
    dump as `***`. Classes, methods and states stay.
    """
    return "".join(_masked(text, names))


def mask_bytes(text: bytes, names: ThreadNames) -> bytes:
    """As `mask_thread_dump`, of a text as it came; what is no UTF-8 stays as it is."""
    return mask_thread_dump(text.decode("utf-8", "surrogateescape"), names).encode("utf-8", "surrogateescape")


def _masked(text: str, names: ThreadNames) -> Iterator[str]:
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end]
        if found := _named(text, at):
            native = found["rest"].startswith('" os_prio=')
            name = found["name"] if native else names.of(found["name"])
            line = f"{found['before']}{name}{text[found.end('name') : found.end()]}"
            end = found.end()
        else:
            content = line.rstrip("\r\n")
            line = (content if _KNOWN.fullmatch(content) else UNKNOWN) + line[len(content) :]
        yield line
        at = end


def _named(text: str, at: int) -> re.Match[str] | None:
    """The line with a thread's name that begins there: of those that it may be, that whose name has fewer lines."""
    found = [one for form in _NAMED if (one := form.match(text, at))]
    return min(found, key=lambda one: one["name"].count("\n"), default=None)
