"""What a capture cost: the traffic, the errors, the machine, by figures that were taken meanwhile. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from statistics import median

from jvmdiag.impact.prober import Probed
from jvmdiag.impact.rates import BEFORE_S, Bin, dip_of, log_bins, requests_per_segment, segment_bins
from jvmdiag.impact.sample import Sample
from jvmdiag.impact.traffic import INTERVAL_S, Timed
from jvmdiag.jvm.access_log import LOG_DELAY_S
from jvmdiag.model import Cost, CostSample, LoggedSecond, ProbeToll

AFTER_S = 10.0
_MOST_SAMPLES = 1200


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that was seen of a capture. Moments are those of this machine's monotonic clock.

    `segments_count` is false where our own copy of the dump goes over the same network namespace.
    """

    timed: tuple[Timed, ...] = ()
    segments_count: bool = True
    log_path: str | None = None
    requests: Mapping[int, int] = field(default_factory=dict)
    errors: Mapping[int, int] = field(default_factory=dict)
    unix_ahead_s: float | None = None
    """What makes a moment of the log's Unix time."""
    probed: tuple[Probed, ...] = ()
    probe_trouble: str = ""
    sampling_cpu_s: float | None = None
    until_s: float = 0.0
    """When it was looked at last."""

    @property
    def log_until(self) -> int:
        """The first second of the log of which not all lines can be there yet."""
        late = floor(self.until_s + self.unix_ahead_s - LOG_DELAY_S) if self.unix_ahead_s is not None else 0
        return max(max(self.requests, default=0), late)


def cost_of(seen: Seen, asked_s: float, answered_s: float, asked_at: str = "") -> Cost | None:
    """What a question cost that was put at `asked_s`, which was `asked_at`; None where nothing was seen."""
    if not seen.timed and not seen.probed:
        return None
    source, unit, bins = _rates(seen)
    timed = seen.timed
    cut = bool(timed) and timed[-1].at_s < answered_s
    dip = None if cut else dip_of(bins, asked_s, answered_s)
    probe = probe_toll(seen.probed, asked_s)
    began_s = timed[0].at_s if timed else asked_s
    seconds = answered_s - asked_s
    cpu_before = grown(timed, began_s, asked_s, lambda s: s.cpu_s)
    cpu_during = grown(timed, asked_s, answered_s, lambda s: s.cpu_s)
    return Cost(
        asked_at=asked_at,
        took_s=seconds,
        source=source if dip else "",
        unit=unit if dip else "",
        traffic=dip,
        rates=tuple(b.per_s for b in bins if b.begin_s >= asked_s - BEFORE_S) if dip else (),
        errors=_errors(seen, asked_s, answered_s + AFTER_S) if not cut else None,
        errors_before=_errors(seen, asked_s - BEFORE_S, asked_s),
        connections_dropped=_whole(_since(timed, asked_s, answered_s + AFTER_S)),
        probe=probe,
        probe_note=seen.probe_trouble if probe is None else "",
        cut=cut,
        cpu_before=cpu_before / (asked_s - began_s) if cpu_before is not None else None,
        cpu_during=cpu_during / seconds if cpu_during is not None else None,
        throttled_s=grown(timed, asked_s, answered_s, lambda s: s.throttled_s),
        running_most=max((t.sample.running for t in timed if t.sample.running is not None), default=None),
        sampling_interval_s=INTERVAL_S,
        sampling_cpu_s=seen.sampling_cpu_s,
        sampled_s=timed[-1].at_s - began_s if timed else 0.0,
        samples=_samples(timed, asked_s),
        logged=_logged(seen, asked_s),
    )


def is_back(seen: Seen, asked_s: float, answered_s: float) -> bool:
    """Whether nothing more is to be seen: the traffic is what it was, or there was none."""
    segments = segment_bins(seen.timed) if seen.segments_count else ()
    dip = dip_of(segments or _log_bins(seen), asked_s, answered_s)
    return dip is None or dip.recovered_s is not None


def _rates(seen: Seen) -> tuple[str, str, tuple[Bin, ...]]:
    """The best there is: what it was counted by, the unit, the rates."""
    segments = segment_bins(seen.timed) if seen.segments_count else ()
    logged = _log_bins(seen)
    per_segment = requests_per_segment(segments, logged)
    if per_segment:
        bins = tuple(Bin(b.begin_s, b.end_s, b.per_s * per_segment) for b in segments)
        return f"access log {seen.log_path}, timed by TCP segments", "requests", bins
    if segments:
        return "TCP segments sent", "segments", segments
    return f"access log {seen.log_path}", "requests", logged


def _log_bins(seen: Seen) -> tuple[Bin, ...]:
    ahead_s = seen.unix_ahead_s
    return () if ahead_s is None else log_bins(seen.requests, seen.log_until, -ahead_s)


def grown(
    timed: Sequence[Timed], begin_s: float, end_s: float, counter: Callable[[Sample], float | None]
) -> float | None:
    """How much a counter grew from one moment to the other, between samples in proportion; None where it is
    not published, or not seen at both."""
    points = [(t.at_s, value) for t in timed if (value := counter(t.sample)) is not None]
    if len(points) < 2 or end_s <= begin_s or begin_s < points[0][0] or end_s > points[-1][0] + INTERVAL_S:
        return None
    return _value_at(points, end_s) - _value_at(points, begin_s)


def _value_at(points: Sequence[tuple[float, float]], at_s: float) -> float:
    n = min(max(bisect_left(points, (at_s,)), 1), len(points) - 1)
    (a_s, a), (b_s, b) = points[n - 1], points[n]
    share = min(max((at_s - a_s) / (b_s - a_s), 0.0), 1.0) if b_s > a_s else 1.0
    return a + (b - a) * share


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _since(timed: Sequence[Timed], begin_s: float, end_s: float) -> float | None:
    """Connections that were dropped from one moment to the other, or as far as it was seen."""
    until_s = min(end_s, timed[-1].at_s) if timed else end_s
    return grown(timed, begin_s, until_s, lambda s: s.connections_dropped)


def _errors(seen: Seen, begin_s: float, end_s: float) -> int | None:
    """In the seconds of the log that hold these moments; None where the log does not reach beyond the first."""
    if seen.unix_ahead_s is None or not seen.requests:
        return None
    begin, end = floor(begin_s + seen.unix_ahead_s), floor(end_s + seen.unix_ahead_s)
    if seen.log_until <= begin + 1:
        return None
    return sum(count for second, count in seen.errors.items() if begin <= second < end)


def probe_toll(probed: Sequence[Probed], begin_s: float) -> ProbeToll | None:
    """None where the probe had no answer before the capture."""
    before = [p.took_s for p in probed if p.began_s + p.took_s <= begin_s and not p.failed]
    since = [p for p in probed if p.began_s + p.took_s > begin_s]
    if not before or not since:
        return None
    return ProbeToll(median(before), max(p.took_s for p in since), sum(p.failed for p in since))


def _samples(timed: Sequence[Timed], asked_s: float) -> tuple[CostSample, ...]:
    """Not more than a reader can do with: of a capture of an hour every twelfth."""
    kept = timed[:: max(-(-len(timed) // _MOST_SAMPLES), 1)]
    return tuple(_cost_sample(t, asked_s) for t in kept)


def _cost_sample(timed: Timed, asked_s: float) -> CostSample:
    sample = timed.sample
    return CostSample(
        at_s=round(timed.at_s - asked_s, 3),
        cpu_s=sample.cpu_s,
        throttled_s=sample.throttled_s,
        segments_out=sample.segments_out,
        segments_resent=sample.resent,
        received_bytes=sample.received_bytes,
        sent_bytes=sample.sent_bytes,
        connections_now=sample.established,
        connections_dropped=sample.connections_dropped,
        running_now=sample.running,
        disk_busy_s=sample.disk_busy_s,
        disk_written_bytes=sample.disk_written_bytes,
    )


def _logged(seen: Seen, asked_s: float) -> tuple[LoggedSecond, ...]:
    if seen.unix_ahead_s is None or not seen.timed:
        return ()
    asked, first = asked_s + seen.unix_ahead_s, floor(seen.timed[0].at_s + seen.unix_ahead_s)
    seconds = range(max(first, min(seen.requests, default=first) + 1), seen.log_until)
    return tuple(
        LoggedSecond(round(s - asked, 3), seen.requests.get(s, 0), seen.errors.get(s, 0)) for s in seconds
    )
