"""What a capture does to the traffic, watched from before it begins until all is as it was."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil, floor

from jvmdiag.attach.rung import Reach
from jvmdiag.impact.prober import Prober
from jvmdiag.impact.toll import Seen, cost_of, is_back
from jvmdiag.impact.traffic import Sampler
from jvmdiag.jvm.access_log import LOG_DELAY_S, within
from jvmdiag.model import Cost

# A target that does not answer must not hold up a capture.
_BASELINE_WITHIN_S = 4.0
_STEP_S = 0.1
# Of a log that was written into a minute ago nothing is expected.
_LOG_ALIVE_S = 30.0
_BACK_WITHIN_S = 10.0
_SHOWN_BEFORE_S = 30.0


@dataclass(frozen=True)
class Watching:
    """What is to be watched: the kernel's figures on the target, and a URL that is asked from here."""

    sample: bool = False
    probe: str | None = None
    baseline_s: float = 2.0
    """How much of the time before is wanted; a rate needs some steps."""


UNWATCHED = Watching()


class Watch:
    """Watches process `pid` of `reach` as long as the context lasts. Nothing of it raises.

    `own_network`: whether what we copy goes over the network namespace of a place that is reached like this
    one, so that its segments are no measure where the JVM shares it.
    """

    def __init__(self, reach: Reach, pid: int, watching: Watching, *, own_network: bool) -> None:
        self._own_network = own_network
        self._sampler = Sampler(reach, pid) if watching.sample else None
        self._prober = Prober(watching.probe) if watching.probe else None
        self._since_s = time.monotonic()
        self._baseline_s = watching.baseline_s
        self._quiet_from_s = self._settled_s = 0.0

    def begin(self) -> None:
        """Wait until there is something to compare with: the time before."""
        until = self._since_s + _BASELINE_WITHIN_S
        while self._has_too_little() and time.monotonic() < until:
            time.sleep(_STEP_S)
        for one in (self._sampler, self._prober):
            if one is not None:
                one.keep_all = True

    def _has_too_little(self) -> bool:
        now = time.monotonic()
        timed = self._sampler.timed if self._sampler and not self._sampler.over else None
        if timed is not None:
            return not timed or now - timed[0].at_s < self._baseline_s
        return self._prober is not None and now - self._since_s < self._baseline_s

    def expected_wait_s(self, answered_s: float) -> float:
        """How long `wait_for_log` takes at most: its lines come up to 11 s late."""
        return max(answered_s + LOG_DELAY_S - time.monotonic(), 0) if self._log_is_alive else 0.0

    @property
    def _log_is_alive(self) -> bool:
        sampler = self._sampler
        if sampler is None or sampler.over or sampler.log_path is None:
            return False
        if sampler.log.last is None:
            # Of a Tomcat that has just begun nothing was written yet.
            return not sampler.log.fed_bytes and self._sends
        unix_s = sampler.unix_s(time.monotonic())
        return unix_s is not None and unix_s - sampler.log.last < _LOG_ALIVE_S

    def mark(self) -> None:
        """The question begins now, or was answered just now."""
        if self._sampler is not None:
            self._sampler.mark()

    def settle(self, asked_s: float, answered_s: float, *, within_s: float = _BACK_WITHIN_S) -> None:
        """Wait until the traffic is what it was before a question that was put and answered then."""
        while time.monotonic() < answered_s + within_s and not self._is_back(asked_s, answered_s):
            time.sleep(_STEP_S)
        self._settled_s = time.monotonic()

    def wait_for_log(self, asked_s: float, answered_s: float) -> None:
        """Wait until the access log can be complete, and says that the traffic is back."""
        while self.expected_wait_s(answered_s) and not (
            self._log_reaches(answered_s + 1) and self._is_back(asked_s, answered_s)
        ):
            time.sleep(_STEP_S)

    @property
    def _sends(self) -> bool:
        """Whether the JVM's network has sent anything worth a log since this began."""
        timed = self._sampler.timed if self._sampler and not self._own_network else ()
        sent = [t.sample.segments_out for t in timed if t.sample.segments_out is not None]
        return bool(sent) and sent[-1] - sent[0] > timed[-1].at_s - timed[0].at_s

    def cost(self, asked_s: float, answered_s: float) -> Cost | None:
        """What a question cost that was put and answered then, as far as it can be seen by now; None where
        nothing could. What the sampling took is known once this is closed. The next is compared with what came
        after this one."""
        moment = datetime.fromtimestamp(time.time() - time.monotonic() + asked_s, timezone.utc)
        asked_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        cost = cost_of(self._seen(asked_s), asked_s, answered_s, asked_at)
        self._quiet_from_s = self._settled_s
        return cost

    def _is_back(self, asked_s: float, answered_s: float) -> bool:
        if not self._probe_is_back(answered_s):
            return False
        if self._sampler is None or self._sampler.over:
            return True
        seen = self._seen(asked_s)
        return bool(seen.timed) and seen.timed[-1].at_s > answered_s and is_back(seen, asked_s, answered_s)

    def _probe_is_back(self, answered_s: float) -> bool:
        """Whether a request of the probe ended that began after the answer; one that never got any says nothing."""
        if self._prober is None or all(one.failed for one in self._prober.seen):
            return True
        return self._prober.seen[-1].began_s + self._prober.seen[-1].took_s > answered_s

    def _log_reaches(self, at_s: float) -> bool:
        assert self._sampler is not None
        unix_s, last = self._sampler.unix_s(at_s), self._sampler.log.last
        return unix_s is not None and last is not None and last >= unix_s

    def _seen(self, asked_s: float) -> Seen:
        now, sampler, prober = time.monotonic(), self._sampler, self._prober
        probed = prober.so_far() if prober else ()
        trouble = f"the probe got no answer: {prober.trouble}" if prober else ""
        if sampler is None:
            return Seen(probed=probed, probe_trouble=trouble, until_s=now)
        from_s = max(asked_s - _SHOWN_BEFORE_S, self._quiet_from_s)
        ahead_s = sampler.unix_s(0.0)
        # A log may have lines of years ago, and of the year 9999 if somebody likes that.
        seconds = (floor(from_s + ahead_s) - 1, ceil(now + ahead_s) + 1) if ahead_s is not None else (0, 0)
        requests, errors = (
            within(dict(counts), *seconds) for counts in (sampler.log.requests, sampler.log.errors)
        )
        return Seen(
            timed=tuple(one for one in sampler.timed if one.at_s > from_s),
            segments_count=not (self._own_network and sampler.shares_network is not False),
            log_path=sampler.log_path,
            requests=requests,
            errors=errors,
            unix_ahead_s=ahead_s,
            probed=probed,
            probe_trouble=trouble,
            sampling_cpu_s=sampler.own_cpu_s,
            until_s=now,
        )

    def close(self) -> None:
        """Watch no more. A second call does nothing."""
        for one in (self._sampler, self._prober):
            if one is not None:
                one.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
