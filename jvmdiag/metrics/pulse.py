"""Whether a JVM goes on, by two looks at it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from jvmdiag.attach.rung import stopped
from jvmdiag.jvm.perfdata import parse_perfdata
from jvmdiag.metrics.cgroup import frozen
from jvmdiag.metrics.look import Look

# It grows when a safepoint ends, where the count of them grows when one begins.
_IN_SAFEPOINTS = "sun.rt.safepointTime"


@dataclass(frozen=True)
class Pulse:
    """`state` is the kernel's letter, `stands` says why it cannot go on, empty where it can. `safepoints` is the time
    in those that have ended, by the JVM's own counter, None where it keeps none; `ticks` is its CPU time."""

    state: str
    stands: str
    safepoints: int | None
    ticks: int

    def beats_since(self, then: Pulse) -> bool:
        """Whether it went on between the two. One that hangs in a safepoint, or on the way to one, may well use CPU:
        where their time is counted that alone tells."""
        if self.stands:
            return False
        if then.stands:
            return True
        if self.safepoints is not None and then.safepoints is not None:
            return self.safepoints > then.safepoints
        return self.ticks > then.ticks


def pulse_of(look: Look) -> Pulse | None:
    """None where the look was at no process, or it was gone."""
    if look.pid is None or not look.stat:
        return None
    state = look.stat[0]
    stands = stopped(state) or ("its container is paused: it cannot answer" if frozen(look) else "")
    time = parse_perfdata(look.sections.get("perfdata", b"")).get(_IN_SAFEPOINTS)
    ticks = int(look.stat[11]) + int(look.stat[12])
    return Pulse(state, stands, time if isinstance(time, int) else None, ticks)
