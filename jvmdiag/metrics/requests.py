"""Requests per second, now and before: of the access log, and of what servers' pages said in this run. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from jvmdiag.metrics.access_log import AccessLog
from jvmdiag.metrics.figure import Figure, Group, figure, maybe, present
from jvmdiag.metrics.pace import KEPT_S, Counted, Pace, Span, pace_of

ACCESS_LOG = "access log"
# The rates of servers' pages, and the name of each source.
_SOURCES = {"tomcat.requests.rate": "connector", "apache.requests.rate": ""}
_APACHE = "apache"
_MINUTE_FIRST = (60.0, 30.0, 10.0)
_SOONEST_FIRST = (10.0, 30.0, 60.0)


def widths_of(interval_s: float, *, single: bool) -> tuple[float, ...]:
    """Over how many seconds a pace may be taken, what is best at the front. A single set looks at the last minute, one
    of several at what is new."""
    longer = (interval_s,) if interval_s > _MINUTE_FIRST[0] else ()
    widths = _MINUTE_FIRST if single else tuple(w for w in _SOONEST_FIRST if w >= interval_s)
    return (*longer, *(widths or _SOONEST_FIRST[-1:]))


class History:
    """What the pages said in this run, by source."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = defaultdict(list)

    def add(self, groups: Iterable[Group], at_s: float, seconds: float) -> None:
        """The rates of `groups` were over the `seconds` until `at_s`."""
        if seconds <= 0:
            return
        for one in (one for group in groups for one in group.figures):
            if one.name in _SOURCES:
                label = _SOURCES[one.name]
                source = f"connector {one.label(label)}" if label else _APACHE
                self._spans[source].append(Span(at_s - seconds, at_s, one.value * seconds))
        oldest_s = at_s - KEPT_S
        for spans in self._spans.values():
            spans[:] = [span for span in spans if span.begin_s >= oldest_s or span is spans[-1]]

    def paces(self, widths: tuple[float, ...]) -> Iterator[tuple[str, Pace]]:
        for source, spans in self._spans.items():
            # Within a span nobody knows when it came.
            longest_s = spans[-1].end_s - spans[-1].begin_s
            enough = [width for width in widths if width >= longest_s]
            if pace := pace_of(Counted(spans), spans[-1].end_s, enough):
                yield source, pace


def requests_group(log: AccessLog, history: History, widths: tuple[float, ...], *, served: bool) -> Group:
    """Without anything where there is no log and no page. `served`: a server is there, so that a log that is missing
    is worth a word."""
    pace, age_s = log.pace(widths), log.age_s
    logged: tuple[Figure, ...] = ()
    if pace:
        times = log.times(pace) if pace.per_s else None
        errors_per_s = log.errors_per_s(pace)
        logged = present(
            figure("requests.rate", pace.per_s),
            figure("requests.errors.rate", errors_per_s),
            maybe("requests.errors.share", errors_per_s / pace.per_s if pace.per_s else None),
            maybe("requests.time.mean", times.total_s / times.count if times else None),
            maybe("requests.time.max", times.longest_s if times else None),
            figure("requests.seconds", pace.seconds),
        )
    if age_s is not None:
        logged = (*logged, figure("requests.age", age_s))
    paces = [*([(ACCESS_LOG, pace)] if pace else []), *history.paces(widths)]
    compared = (one for source, of in paces for one in _compared(source, of))
    return Group("requests", (*logged, *compared), log.unseen if served or logged else ())


def _compared(source: str, pace: Pace) -> tuple[Figure, ...]:
    before, best = pace.before_per_s, pace.best_per_s
    if before is None:
        return ()
    best = before if best is None else best
    return (
        figure("requests.now", pace.per_s, source=source),
        figure("requests.before", before, source=source),
        figure("requests.share", pace.per_s / before, source=source),
        figure("requests.hour", best, source=source),
        figure("requests.hour.share", pace.per_s / best, source=source),
    )
