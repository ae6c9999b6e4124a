"""Rates over time, and the dip that a capture made in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jvmdiag.impact.traffic import Timed
from jvmdiag.model import Dip

STILL_SHARE = 0.05
RECOVERED_SHARE = 0.95
BEFORE_S = 10.0
# Below that nobody was there whom the pause could stop.
_TRAFFIC_PER_S = 1.0
# Of fewer the lack says nothing: they come as they come.
_MISSED = 5.0
_EDGE_S = _SHORTEST_S = 0.1


@dataclass(frozen=True)
class Bin:
    """A rate over the time from `begin_s` to `end_s`."""

    begin_s: float
    end_s: float
    per_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.begin_s


def segment_bins(timed: Sequence[Timed]) -> tuple[Bin, ...]:
    """Data segments sent by the second, between each two samples; empty where the kernel does not count them."""
    bins = []
    for first, second in pairwise(_apart(timed)):
        a, b = first.sample.segments_out, second.sample.segments_out
        if a is not None and b is not None and second.at_s > first.at_s:
            bins.append(Bin(first.at_s, second.at_s, (b - a) / (second.at_s - first.at_s)))
    return tuple(bins)


def _apart(timed: Sequence[Timed]) -> list[Timed]:
    """Without those that make a step of a few milliseconds: a mark comes whenever it comes."""
    kept: list[Timed] = []
    for one in timed:
        if kept and one.at_s - kept[-1].at_s < _SHORTEST_S:
            if one.marked and not kept[-1].marked:
                kept[-1] = one
            continue
        kept.append(one)
    return kept


def log_bins(requests: Mapping[int, int], until: int, ahead_s: float) -> tuple[Bin, ...]:
    """Requests of each whole second from the first line's to before `until`; `ahead_s` makes Unix time ours.

    The first second is left out: the log is read from somewhere in it.
    """
    first = min(requests, default=until)
    return tuple(Bin(s + ahead_s, s + 1 + ahead_s, requests.get(s, 0)) for s in range(first + 1, until))


def requests_per_segment(segments: Sequence[Bin], logged: Sequence[Bin]) -> float | None:
    """By the seconds that both cover; None where they cover none with traffic."""
    if not segments:
        return None
    both = [b for b in logged if segments[0].begin_s <= b.begin_s and b.end_s <= segments[-1].end_s]
    sent = sum(_mean(segments, b.begin_s, b.end_s) * b.seconds for b in both)
    return sum(b.per_s * b.seconds for b in both) / sent if sent else None


def dip_of(bins: Sequence[Bin], begin_s: float, end_s: float) -> Dip | None:
    """The dip around a capture that lasted from `begin_s` to `end_s`; None where there was no traffic before.

    A standstill is one that begins by the end of the capture, and in which enough would have come to be missed.
    """
    before = [b for b in bins if begin_s - BEFORE_S <= b.begin_s and b.end_s <= begin_s + _EDGE_S]
    seconds = sum(b.seconds for b in before)
    rate = sum(b.per_s * b.seconds for b in before) / seconds if seconds else 0.0
    since = [b for b in bins if b.end_s > begin_s + _EDGE_S]
    if rate < _TRAFFIC_PER_S or not since:
        return None
    still = _standstill(before[-1:], since, rate, end_s)
    return Dip(
        before_per_s=rate,
        during_per_s=_meanwhile(since, begin_s, end_s, rate),
        lowest_per_s=min(b.per_s for b in since if b.begin_s <= end_s),
        still_s=still[1] - still[0] if still else 0.0,
        recovered_s=_recovered_s(since, still, rate) if still else 0.0,
    )


def _standstill(
    before: Sequence[Bin], since: Sequence[Bin], rate: float, end_s: float
) -> tuple[float, float] | None:
    """From when to when nothing came: the longest run of steps, and of those at its edges the share that is missing."""
    at, count = _longest_still(since, rate * STILL_SHARE, end_s)
    if not count:
        return None
    first, last = since[at], since[at + count - 1]
    edges = (since[at - 1 : at] if at else before, since[at + count : at + count + 1])
    early_s, late_s = (sum(max(1 - b.per_s / rate, 0) * b.seconds for b in edge) for edge in edges)
    begin, end = first.begin_s - early_s, last.end_s + late_s
    return (begin, end) if rate * (end - begin) >= _MISSED else None


def _meanwhile(bins: Sequence[Bin], begin_s: float, end_s: float, before_per_s: float) -> float:
    """The mean rate from `begin_s` to `end_s`. What a step at an edge has outside of that is taken to be as
    much as before: a standstill that begins within a step is not spread over all of it."""
    count = 0.0
    for one in bins:
        inside_s = min(one.end_s, end_s) - max(one.begin_s, begin_s)
        if inside_s > 0:
            most = one.per_s * one.seconds
            count += min(max(most - before_per_s * (one.seconds - inside_s), 0), most)
    return count / (end_s - begin_s) if end_s > begin_s else 0.0


def _mean(bins: Sequence[Bin], begin_s: float, end_s: float) -> float:
    """By the share of each bin that lies within."""
    shares = [(b.per_s, min(b.end_s, end_s) - max(b.begin_s, begin_s)) for b in bins if b.end_s > begin_s]
    shares = [(rate, share) for rate, share in shares if share > 0]
    seconds = sum(share for _, share in shares)
    return sum(rate * share for rate, share in shares) / seconds if seconds else 0.0


def _longest_still(bins: Sequence[Bin], limit_per_s: float, end_s: float) -> tuple[int, int]:
    """Where the longest run at or below the limit begins, no later than `end_s`, and of how many bins it is."""
    best, run = (0, 0), 0
    for at, one in enumerate(bins):
        run = run + 1 if one.per_s <= limit_per_s and (run or one.begin_s <= end_s) else 0
        best = max(best, (at + 1 - run, run), key=lambda found: found[1])
    return best


def _recovered_s(since: Sequence[Bin], still: tuple[float, float], rate: float) -> float | None:
    begin, end = still
    behind = (b.begin_s for b in since if b.end_s > end + _EDGE_S and b.per_s >= rate * RECOVERED_SHARE)
    first = next(behind, None)
    return max(first, end) - begin if first is not None else None
