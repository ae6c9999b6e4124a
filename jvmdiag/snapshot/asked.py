"""Items that the JVM answers: diagnostic commands."""

from __future__ import annotations

from dataclasses import dataclass

from jvmdiag.attach.rung import THREAD_PRINT
from jvmdiag.capture.histogram import histogram_line, parse_histogram
from jvmdiag.errors import DumpIncomplete
from jvmdiag.impact.forecast import Operation
from jvmdiag.impact.pause import MeteredSpeaker
from jvmdiag.jvm.masking import mask_answer
from jvmdiag.jvm.thread_names import mask_bytes
from jvmdiag.snapshot.item import At, Item, NotTaken, Risk, Taken
from jvmdiag.transfer.threads import ThreadDumpWalk

_NO_TRACKING = "Native memory tracking is not enabled"


@dataclass(frozen=True)
class Command(Item):
    """The answer to `line`, masked where secrets may be in it."""

    line: str = ""
    asks = True

    def take(self, at: At) -> Taken:
        answer = at.asked.ask(self.line, at.bound_s(self)).decode("utf-8", "replace")
        return Taken(mask_answer(self.line, answer).encode())


@dataclass(frozen=True)
class NativeMemory(Command):
    def take(self, at: At) -> Taken:
        taken = super().take(at)
        if _NO_TRACKING.encode() in taken.data:
            raise NotTaken(
                "native memory is not tracked: it takes -XX:NativeMemoryTracking=summary from the start"
            )
        return taken


@dataclass(frozen=True)
class Threads(Item):
    """A thread dump; its pause is measured where that costs no way."""

    line: str = THREAD_PRINT
    asks = True

    def take(self, at: At) -> Taken:
        speaker = at.asked
        metered = (
            MeteredSpeaker(speaker, at.scene.jvm) if speaker.reach and speaker.reach.host.is_here else None
        )
        text = (metered or speaker).ask(self.line, at.bound_s(self))
        walk = ThreadDumpWalk()
        walk.feed(text)
        found = walk.finish()
        if not found.dumps or not found.complete:
            raise DumpIncomplete("the thread dump is not whole", why=found.detail)
        return Taken(
            mask_bytes(text, at.names) if at.names else text, pause=metered.pause if metered else None
        )


@dataclass(frozen=True)
class Locks(Threads):
    """The same with the owners of java.util.concurrent's locks: a scan of the heap."""

    line: str = f"{THREAD_PRINT} -l"
    operation = Operation.LOCKS


@dataclass(frozen=True)
class ClassHistogram(Item):
    asks = True
    operation = Operation.HISTOGRAM

    def take(self, at: At) -> Taken:
        metered = MeteredSpeaker(at.asked, at.scene.jvm)
        text = metered.ask(histogram_line(live=False), at.bound_s(self))
        parse_histogram(text.decode("utf-8", "replace"))
        return Taken(text, pause=metered.pause)


def thread_dump(number: int) -> Threads:
    return Threads(
        f"thread dump {number}", f"thread-dump-{number}.txt", Risk.LIGHT, 10.0, "what every thread is doing"
    )


HISTOGRAM = ClassHistogram(
    "histogram",
    "histogram.txt",
    Risk.DEFAULT,
    120.0,
    "classes by bytes; the application stands still meanwhile",
)
# Taken while the next thread dump is waited for. None of them takes a safepoint.
QUICK = (
    Command("version", "vm-version.txt", Risk.LIGHT, 5.0, "which JVM", "VM.version"),
    Command("uptime", "vm-uptime.txt", Risk.LIGHT, 5.0, "since when", "VM.uptime"),
    Command(
        "command line",
        "vm-command-line.txt",
        Risk.LIGHT,
        5.0,
        "how it was started, masked",
        "VM.command_line",
    ),
    Command("flags", "vm-flags.txt", Risk.LIGHT, 5.0, "its options in force, masked", "VM.flags"),
    Command(
        "system properties", "vm-system-properties.txt", Risk.LIGHT, 5.0, "masked", "VM.system_properties"
    ),
    Command(
        "heap info", "gc-heap-info.txt", Risk.LIGHT, 5.0, "its heap by generations or regions", "GC.heap_info"
    ),
)
# Taken behind the thread dumps, and in this order.
WORK = (
    NativeMemory(
        "native memory", "vm-native-memory.txt", Risk.DEFAULT, 20.0, "by its kinds", "VM.native_memory"
    ),
    Command(
        "vm info", "vm-info.txt", Risk.DEFAULT, 20.0, "all that the JVM says of itself, masked", "VM.info"
    ),
    HISTOGRAM,
    Command("code cache", "compiler-codecache.txt", Risk.FULL, 20.0, "compiled code", "Compiler.codecache"),
    Command("metaspace", "vm-metaspace.txt", Risk.FULL, 20.0, "metaspace by its parts", "VM.metaspace"),
    Command(
        "class loaders",
        "vm-classloader-stats.txt",
        Risk.FULL,
        20.0,
        "classes by loader",
        "VM.classloader_stats",
    ),
    Command(
        "finalizers",
        "gc-finalizer-info.txt",
        Risk.FULL,
        20.0,
        "what waits for finalizers",
        "GC.finalizer_info",
    ),
    Locks("locks", "thread-dump-locks.txt", Risk.FULL, 120.0, "who owns which lock; scans the heap"),
)
