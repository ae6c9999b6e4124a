"""heapdump --no-disk: whether the JVM can, the dump through a FIFO, and who vouches for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from jvmdiag.attach.rung import Reach, Scene, Speaker
from jvmdiag.capture.heap import HeapDump, JvmSays
from jvmdiag.capture.piped import PipedDump
from jvmdiag.capture.spool import spool_bytes
from jvmdiag.collect.job import Job, Progress
from jvmdiag.errors import CommandRefused, JvmdiagError
from jvmdiag.hprof import histogram_of_file
from jvmdiag.impact.disk import writes_parts
from jvmdiag.model import Jvm, Witness
from jvmdiag.transfer.aside import AsideFile
from jvmdiag.transfer.sink import PartialFile

_HELP_S = 30.0


def require_pipe(speaker: Speaker, jvm: Jvm, timeout_s: float) -> None:
    """Raises CommandRefused for a JVM, or a tool, that cannot write to what is there already, and for a JVM that does
    not write as its version does. Costs no safepoint."""
    what, otherwise = (
        "it takes GC.heap_dump -overwrite to write into a FIFO",
        "without --no-disk it can be dumped",
    )
    try:
        said = speaker.ask("help GC.heap_dump", min(timeout_s, _HELP_S))
    except CommandRefused as error:
        raise CommandRefused(what, why=str(error), advice=otherwise) from None
    if b"-overwrite" not in said:
        raise CommandRefused(what, why="this JVM's has no such option", advice=otherwise)
    # Those that write parts let one say how many at once; a part that is not expected would be a file.
    if (b"-parallel" in said) != writes_parts(jvm):
        raise CommandRefused(
            "it is not known whether this JVM writes its dump in parts",
            why=f"its version is {jvm.version or 'not known'}, and its help says otherwise",
            advice=otherwise,
        )


def piped_dump(
    job: Job,
    scene: Scene,
    speaker: Speaker,
    directory: str,
    name: str,
    *,
    live: bool,
    reopen: Callable[[], Reach],
    progress: Progress,
    stack: ExitStack,
) -> PipedDump:
    """The dump; what it has to put aside here is removed with `stack`."""
    parted = writes_parts(scene.jvm)
    aside = stack.enter_context(PartialFile(job.output, f"{name}.p0")) if parted else None
    return PipedDump(
        speaker,
        scene.jvm.owner,
        directory,
        live=live,
        timeout_s=job.timeout_s,
        reopen=reopen,
        spool_bytes=spool_bytes(),
        aside=AsideFile(aside, job.codec) if aside else None,
        written=progress.written,
    )


def account_witness(dump: HeapDump | PipedDump, says: JvmSays, raw_bytes: int, stored: Path) -> Witness:
    """Whether the JVM's account fits what came. Of a dump that was put together here the JVM counts only a part:
    its objects are counted instead, each record of `stored` once more from end to end."""
    if not isinstance(dump, PipedDump) or not dump.parted:
        return Witness(
            "byte count",
            says.size_bytes == raw_bytes,
            f"the JVM wrote {says.size_bytes:,} bytes, {raw_bytes:,} came here",
        )
    try:
        classes = histogram_of_file(stored)
    except JvmdiagError as error:
        return Witness("objects", False, str(error))
    objects = sum(one.instances for one in classes)
    return Witness("objects", objects > 0, f"{objects:,} of {len(classes):,} classes, counted one by one")
