"""The diagnostic command that makes a heap dump, and what the JVM answers to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jvmdiag.errors import BadRequest, DumpIncomplete, ReadOnlyTarget, TargetDiskFull

_CREATED = re.compile(r"Heap dump file created \[(\d+) bytes in ([\d.]+) secs\]")


def heap_dump_line(path: str, *, live: bool) -> str:
    """The diagnostic command. Without `live` unreachable objects are kept and no collection is forced.

    The path is quoted for the JVM's own parser, which takes blanks inside double quotes and knows no
    escape. Raises BadRequest for a path that cannot be told to it.
    """
    if '"' in path or not path.isprintable():
        raise BadRequest(
            f"a JVM cannot be told to write to {path!r}", why="a double quote or a control character"
        )
    return f'GC.heap_dump {"" if live else "-all "}"{path}"'


@dataclass(frozen=True)
class JvmSays:
    """What the JVM itself said of the dump it wrote: bytes of the file, seconds it took.

    Where its word was lost on the way, `told` is false and the bytes are those of the file that it has closed.
    """

    size_bytes: int
    seconds: float
    told: bool = True


def parse_created(text: str, path: str) -> JvmSays:
    """The JVM's account. Raises TargetDiskFull, ReadOnlyTarget or DumpIncomplete: the exit code of jcmd
    and jmap is 0 for them too."""
    if created := _CREATED.search(text):
        return JvmSays(int(created[1]), float(created[2]))
    said = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")
    if "No space left" in said or "File too large" in said or "Disk quota" in said:
        raise TargetDiskFull(
            "the target's disk filled while the JVM was dumping",
            why=said,
            advice="name a larger directory: --dump-dir DIR",
        )
    if "Read-only" in said or "Permission denied" in said or "Unable to create" in said:
        raise ReadOnlyTarget(
            f"the JVM could not write {path}", why=said, advice="name another directory: --dump-dir DIR"
        )
    raise DumpIncomplete("the JVM did not finish the dump", why=said)
