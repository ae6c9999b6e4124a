"""How fast bytes come from a target, and what that makes of the pause of a JVM that has nowhere else to put them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.hosts.base import ByteStream
from jvmdiag.impact.disk import MARGIN
from jvmdiag.model import Forecast, Jvm
from jvmdiag.units import size

_BLOCK_BYTES = 64 << 10
# Each four times as much as the one before it, up to 16 MiB on a quick way. The quickest counts: one that is held up by
# the start of its processes says nothing of the way.
_BLOCKS = (1, 4, 16, 64, 256)
_ENOUGH_S = 0.5
# For each number on stdin that many blocks, through as many pipes as a dump goes through.
_GIVE = """
while read -r blocks && [ "$blocks" -gt 0 ]; do
    dd if=/dev/zero bs=65536 count="$blocks" 2>/dev/null | dd bs=131072 2>/dev/null
done
"""
# The JVM, its reader and what compresses here want a CPU at the same time.
_QUICKER, _SLOWER = 1.5, 2.5


@dataclass(frozen=True)
class Way:
    """What comes from the target in a second, and what this machine holds before it has to keep that pace."""

    per_s: float
    spool_bytes: int

    def slows(self, plain: Forecast, estimate_bytes: int, contention: float = 1.0) -> Forecast:
        """The pause of a dump that goes through it: as long as a plain one, or as long as its bytes take. Pure.

        `contention` is how many want a CPU of the target for each that there is.
        """
        rest = max(estimate_bytes - self.spool_bytes, 0)
        most = max(estimate_bytes * MARGIN - self.spool_bytes, 0)
        slower = _SLOWER * (1 + max(contention, 1)) / 2
        low_s, high_s = rest / self.per_s / _QUICKER, most / self.per_s * slower
        through = f"through a way of {size(int(self.per_s))}/s, {size(self.spool_bytes)} are held here"
        return Forecast(max(plain.low_s, low_s), max(plain.high_s, high_s), f"{plain.basis}; {through}")


def way_of(reach: Reach, jvm: Jvm, spool_bytes: int) -> Way:
    """The way by its speed now. Costs a command, half a second on a slow way, and up to 22 MB of zeros.

    Raises CommandRefused where the target gives none, and what `Host.stream` raises.
    """
    until, per_s = time.monotonic() + _ENOUGH_S, 0.0
    with reach.host.stream(["sh", "-c", _GIVE], user=jvm.owner) as stream:
        for blocks in _BLOCKS:
            per_s = max(per_s, blocks * _BLOCK_BYTES / _seconds_for(stream, blocks))
            if time.monotonic() > until:
                break
        stream.send(b"0\n")
        stream.finish()
    return Way(per_s, spool_bytes)


def _seconds_for(stream: ByteStream, blocks: int) -> float:
    started, left = time.monotonic(), blocks * _BLOCK_BYTES
    stream.send(b"%d\n" % blocks)
    while left > 0:
        chunk = stream.read()
        if not chunk:
            raise CommandRefused("the speed of the way could not be measured", why=stream.finish().complaint)
        left -= len(chunk)
    return max(time.monotonic() - started, 1e-6)
