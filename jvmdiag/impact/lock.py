"""One heap dump of a JVM at a time: a lock on the target that goes away with its owner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import DumpUnderWay, JvmdiagError
from jvmdiag.impact.around import lock_path
from jvmdiag.model import Jvm


@cache
def _script() -> str:
    return Path(__file__).with_name("lock.sh").read_text(encoding="utf-8")


@contextmanager
def dump_lock(reach: Reach, jvm: Jvm, *, forced: bool = False) -> Iterator[bool]:
    """Hold the lock on `jvm` while the context lasts; it ends with the stream that holds it.

    Yields whether it is held: where the target has no flock, or no /tmp to write, none can be. Raises
    DumpUnderWay where another run holds it, unless `forced`.
    """
    path = reach.path(lock_path(jvm))
    with reach.host.stream(["sh", "-c", _script(), "sh", path], user=jvm.owner) as stream:
        said = stream.read().strip()
        if said == b"busy" and not forced:
            raise DumpUnderWay(
                "another jvmdiag is taking a heap dump of this JVM",
                why=f"it holds {lock_path(jvm)} on the target",
                advice=("wait for it: its file is as good", "--force others goes on all the same"),
            )
        try:
            yield said == b"held"
        finally:
            # A connection that is gone has let go of the lock already.
            with contextlib.suppress(JvmdiagError, TimeoutError):
                stream.send(b"\n")
                stream.finish()
