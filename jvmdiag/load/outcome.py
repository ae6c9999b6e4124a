"""Requests of a load, before, while and after something happened to the server. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Request:
    """One request: the Unix time of its end, the seconds it took, method and name as Locust gives them."""

    ended_s: float
    took_s: float
    endpoint: str
    failed: bool
    why: str = ""
    """Of one that failed: the status, or the name of an error."""

    @property
    def began_s(self) -> float:
        return self.ended_s - self.took_s


@dataclass(frozen=True)
class Phase:
    """Requests of one endpoint in one phase. Percentiles in seconds; None where there was no request."""

    requests: int
    failures: int
    per_s: float
    """Those that ended within the phase, by the second."""
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    longest_s: float | None


@dataclass(frozen=True)
class Endpoint:
    """One method and name: `before` ended before it, `during` was under way meanwhile, `after` began later."""

    name: str
    before: Phase
    during: Phase
    after: Phase


@dataclass(frozen=True)
class Failure:
    """How often requests failed in one way: a status, or the name of an error."""

    why: str
    count: int

    @property
    def text(self) -> str:
        return f"{'status ' if self.why.isdigit() else ''}{self.why}"


@dataclass(frozen=True)
class Served:
    """One method and name, over a whole load."""

    name: str
    figures: Phase
    failed: tuple[Failure, ...]


ALL = "all"


def parse_requests(lines: Iterable[str]) -> tuple[Request, ...]:
    """What recorder.py wrote, in order of time; a last line that was cut is left out."""
    found = []
    for line in lines:
        try:
            found.append(Request(*json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(sorted(found, key=lambda request: request.ended_s))


def served(requests: Sequence[Request], began_s: float, until_s: float) -> tuple[Served, ...]:
    """All of them, and each endpoint, of a load that began and lasted until then."""
    return tuple(
        Served(name, _phase(some, some, began_s, until_s), failures_of(some))
        for name, some in _groups(requests)
    )


def failures_of(requests: Sequence[Request]) -> tuple[Failure, ...]:
    """The most frequent first."""
    counts = Counter(request.why for request in requests if request.failed)
    return tuple(Failure(why, count) for why, count in counts.most_common())


def _groups(requests: Sequence[Request]) -> list[tuple[str, Sequence[Request]]]:
    names = sorted({request.endpoint for request in requests})
    return [(ALL, requests), *((n, [r for r in requests if r.endpoint == n]) for n in names)]


def by_endpoint(
    requests: Sequence[Request], began_s: float, begin_s: float, end_s: float, until_s: float
) -> tuple[Endpoint, ...]:
    """All of them, and each endpoint, of a load that began and lasted until then, around what began and ended then."""
    return tuple(
        Endpoint(
            name,
            _phase([r for r in some if r.ended_s < begin_s], some, began_s, begin_s),
            _phase([r for r in some if r.began_s < end_s and r.ended_s >= begin_s], some, begin_s, end_s),
            _phase([r for r in some if r.began_s >= end_s], some, end_s, until_s),
        )
        for name, some in _groups(requests)
    )


def _phase(own: Sequence[Request], all_: Sequence[Request], begin_s: float, end_s: float) -> Phase:
    times = sorted(r.took_s for r in own)
    ended = sum(begin_s <= r.ended_s < end_s for r in all_)
    return Phase(
        requests=len(own),
        failures=sum(r.failed for r in own),
        per_s=ended / (end_s - begin_s) if end_s > begin_s else 0.0,
        p50_s=percentile(times, 0.5),
        p95_s=percentile(times, 0.95),
        p99_s=percentile(times, 0.99),
        longest_s=times[-1] if times else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest that is not smaller than that share of all (nearest rank); None of none."""
    return ordered[max(ceil(len(ordered) * share), 1) - 1] if ordered else None


def steps(
    requests: Sequence[Request], began_s: float, until_s: float, step_s: float
) -> tuple[tuple[float, float, float | None], ...]:
    """For each step its beginning in seconds from `began_s`, the rate, and the longest of those that ended in it."""
    count = max(int((until_s - began_s) / step_s), 0)
    ended: list[list[float]] = [[] for _ in range(count)]
    for request in requests:
        n = int((request.ended_s - began_s) / step_s)
        if 0 <= n < count:
            ended[n].append(request.took_s)
    return tuple((n * step_s, len(some) / step_s, max(some, default=None)) for n, some in enumerate(ended))
