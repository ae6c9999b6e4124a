"""What a snapshot comes to, for its pages: what somebody wants to see first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jvmdiag.capture.histogram import ClassCount
from jvmdiag.capture.threads import has_deadlock
from jvmdiag.jvm.stacks import Stack, parse_stacks
from jvmdiag.metrics.figure import Metrics
from jvmdiag.snapshot.busy import BusyThread, CpuTimes, Pool, busy_between, pools_of


@dataclass
class Digest:
    """Filled while the items are taken; what was not taken stays empty.

    `times` are the CPU times read just before each of `dumps`, whose threads they are joined with.
    """

    before: Metrics | None = None
    after: Metrics | None = None
    deadlock: bool = False
    dumps: list[tuple[Stack, ...]] = field(default_factory=list)
    times: list[CpuTimes] = field(default_factory=list)
    classes: tuple[ClassCount, ...] = ()

    def add_dump(self, text: bytes) -> None:
        self.deadlock = self.deadlock or has_deadlock(text)
        self.dumps.append(parse_stacks(text))

    @property
    def threads(self) -> int | None:
        """How many there were at last; None where there is no dump."""
        return len(self.dumps[-1]) if self.dumps else None

    @property
    def busy(self) -> tuple[BusyThread, ...]:
        return busy_between(self.times[0], self.times[-1], self.dumps) if self.times else ()

    @property
    def busy_over_s(self) -> float:
        return self.times[-1].at_s - self.times[0].at_s if self.times else 0.0

    @property
    def pools(self) -> tuple[Pool, ...]:
        return pools_of(self.dumps[-1]) if self.dumps else ()


def same_top(dumps: Sequence[Sequence[Stack]], tid: int) -> bool:
    """Whether a thread stood at the same frame in every dump: it hangs there, or is very busy there."""
    tops = [stack.top for dump in dumps for stack in dump if stack.tid == tid]
    return len(tops) == len(dumps) > 1 and len(set(tops)) == 1 and bool(tops[0])
