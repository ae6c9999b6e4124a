"""How fast something goes now, against how fast it went before. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import sqrt
from statistics import mean, median

LOOKED_BACK_S = 900.0
_QUARTERS = 4
KEPT_S = _QUARTERS * LOOKED_BACK_S + 120.0
# Of fewer the lack says nothing: they come as they come. Half of 60 is four standard deviations away, if each comes by
# itself. Those of a page come together: how far apart neighbours are says how much chance does.
_ENOUGH = 60.0
_DEVIATIONS = 4.0
_USUAL_SHARES = (0.5, 2.0)
# Where something fell or rose, neighbours are far apart as well.
_CHANGES = 2
_CHANGES_IN = 20
_LEAST_PER_S = 1.0
_LEAST_WINDOWS = 3
_GAP = 1e-3


@dataclass(frozen=True)
class Span:
    """`count` came from `begin_s` to `end_s`. What no span covers, nobody looked at."""

    begin_s: float
    end_s: float
    count: float


@dataclass(frozen=True)
class Pace:
    """`per_s` over the last `seconds`; `before_per_s` is the median of the times before that are as long, None where
    there are too few of them, too little came to judge by, or chance alone may have made the difference.
    `best_per_s` is the highest such median of the quarters of the last hour: what fell half an hour ago is what is
    usual by now."""

    per_s: float
    seconds: float
    before_per_s: float | None
    best_per_s: float | None = None


class Counted:
    """Spans in their order, none over another."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans, key=lambda span: span.begin_s)
        self._begins = [span.begin_s for span in self._spans]
        self._counts = [0.0, *accumulate(span.count for span in self._spans)]
        self._lengths = [0.0, *accumulate(span.end_s - span.begin_s for span in self._spans)]

    def per_s(self, begin_s: float, end_s: float) -> float | None:
        """None where it is not covered."""
        (first, covered_first), (last, covered_last) = self._until(begin_s), self._until(end_s)
        seconds = end_s - begin_s
        if seconds <= 0 or covered_last - covered_first < seconds - _GAP:
            return None
        return (last - first) / seconds

    def _until(self, at_s: float) -> tuple[float, float]:
        """How much came until then, and how much of the time is covered."""
        index = bisect_right(self._begins, at_s) - 1
        if index < 0:
            return 0.0, 0.0
        span = self._spans[index]
        length = span.end_s - span.begin_s
        part = min((at_s - span.begin_s) / length, 1.0) if length > 0 else 1.0
        return self._counts[index] + part * span.count, self._lengths[index] + part * length


def pace_of(counted: Counted, end_s: float, widths: Sequence[float]) -> Pace | None:
    """The pace up to `end_s`, over the first of `widths` (seconds) that is enough to judge by; None where not even the
    shortest is covered."""
    for width in widths:
        since_s = end_s - width
        now = counted.per_s(since_s, end_s)
        before = None if now is None else _before(counted, since_s, width)
        if now is None or before is None:
            continue
        least, most = (before * share for share in _USUAL_SHARES)
        if least <= now <= most or _is_no_chance(counted, since_s, abs(now - before), width, widths):
            return Pace(now, width, before, _best(counted, since_s, width))
    for width in sorted(widths, reverse=True):
        if (now := counted.per_s(end_s - width, end_s)) is not None:
            return Pace(now, width, None)
    return None


def standstill(counted: Counted, since_s: float, until_s: float, widths: Sequence[float]) -> Pace | None:
    """The pace of 0 from `since_s` to `until_s`, against what came until then; None where so much time without any is
    nothing special."""
    silent_s = until_s - since_s
    for width in widths:
        before = _before(counted, since_s, width)
        if before is None or before * silent_s < _ENOUGH:
            continue
        if _is_no_chance(counted, since_s, before, silent_s, widths):
            return Pace(0.0, silent_s, before, _best(counted, since_s, width))
    return None


def _is_no_chance(
    counted: Counted, until_s: float, difference: float, seconds: float, widths: Sequence[float]
) -> bool:
    """Whether a `difference` in the rate over `seconds` is more than what was usual until `until_s`."""
    unit_s = min(widths)
    squares = sorted((a - b) ** 2 for a, b in pairwise(_rates(counted, until_s, unit_s)))
    usual = squares[: max(len(squares) - _CHANGES - len(squares) // _CHANGES_IN, 0)]
    # What differs is of two of them; chance grows with the root of the time.
    deviation = sqrt(mean(usual) / 2 * unit_s / seconds) if usual else 0.0
    return difference >= _DEVIATIONS * deviation


def _best(counted: Counted, until_s: float, width: float) -> float | None:
    quarters = (_before(counted, until_s - n * LOOKED_BACK_S, width) for n in range(_QUARTERS))
    return max((usual for usual in quarters if usual is not None), default=None)


def _before(counted: Counted, until_s: float, width: float) -> float | None:
    rates = _rates(counted, until_s, width)
    usual = median(rates) if len(rates) >= _LEAST_WINDOWS else 0.0
    return usual if usual >= _LEAST_PER_S and usual * width >= _ENOUGH else None


def _rates(counted: Counted, until_s: float, width: float) -> list[float]:
    """Of the times before `until_s` that are so long, as far as they are covered; the last first."""
    ends = (until_s - n * width for n in range(int(LOOKED_BACK_S / width)))
    return [rate for end in ends if (rate := counted.per_s(end - width, end)) is not None]
