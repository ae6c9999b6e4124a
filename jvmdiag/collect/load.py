"""A load for so long, and what each kind of request got: nothing is taken of any JVM."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from jvmdiag.errors import BadRequest, Declined, HangUp, LoadFailed
from jvmdiag.load.outcome import Request, Served, percentile, served
from jvmdiag.load.running import Load, LoadSpec, require_extra, running_load
from jvmdiag.transfer.manifest import utc

_SHORTEST_S, _LONGEST_S = 1.0, 86400.0
_STEP_S = 0.5
# What the line on the terminal is about.
_LATELY_S = 5.0


class Ended(str, Enum):
    """What ended a load: its time, somebody (Ctrl-C), or Locust itself."""

    TIME = "time"
    STOPPED = "stopped"
    LOCUST = "locust"


@dataclass(frozen=True)
class SoFar:
    """A load under way: rate and P95 are of the last five seconds, `failures` of all."""

    elapsed_s: float
    per_s: float
    p95_s: float | None
    failures: int


@dataclass(frozen=True)
class LoadMade:
    """What came of it. `started_at` (ISO 8601) is when the first request began, and `lasted_s` from then until its end
    was said; `endpoints` begin with all of them. `trouble` is why Locust ended by itself."""

    url: str
    scenario: str
    users: int
    spawn_per_s: float | None
    pace_s: float
    started_at: str
    lasted_s: float
    ended: Ended
    trouble: str
    endpoints: tuple[Served, ...]


def make_load(
    spec: LoadSpec, seconds: float, agreed: Callable[[LoadSpec], bool], show: Callable[[SoFar], None]
) -> LoadMade:
    """Load for `seconds` from its first request on. Ctrl-C and SIGTERM end it early: what came is told all the same.

    `agreed` is asked before anything that is not this machine is loaded; `show` is told twice a second how it goes.
    Raises BadRequest, MissingExtra, Declined, and LoadFailed where there is no good answer.
    """
    require_extra("locust")
    spec.check("URL")
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise BadRequest("--time is from a second to a day")
    if not agreed(spec):
        raise Declined("no load was made", why="it was not confirmed")
    ended, trouble = Ended.TIME, ""
    with running_load(spec) as load:
        try:
            _watch(load, seconds, show)
        except HangUp:
            raise
        except KeyboardInterrupt:
            ended = Ended.STOPPED
        except LoadFailed as error:
            ended, trouble = Ended.LOCUST, error.why
        until_s = time.time()
        load.end()
        requests = load.requests()
    return _made(spec, requests, until_s, ended, trouble)


def _watch(load: Load, seconds: float, show: Callable[[SoFar], None]) -> None:
    """Until its time is over. Raises LoadFailed where Locust ends before."""
    requests = load.more()
    began_s = min(request.began_s for request in requests)
    lately: deque[Request] = deque()
    failures = 0
    while (elapsed_s := time.time() - began_s) < seconds:
        lately.extend(requests)
        failures += sum(request.failed for request in requests)
        show(_so_far(lately, elapsed_s, failures))
        load.wait(min(_STEP_S, max(began_s + seconds - time.time(), 0)))
        requests = load.more()


def _so_far(lately: deque[Request], elapsed_s: float, failures: int) -> SoFar:
    since_s = time.time() - _LATELY_S
    while lately and lately[0].ended_s < since_s:
        lately.popleft()
    times = sorted(request.took_s for request in lately)
    return SoFar(
        elapsed_s, len(lately) / max(min(_LATELY_S, elapsed_s), _STEP_S), percentile(times, 0.95), failures
    )


def _made(
    spec: LoadSpec, requests: tuple[Request, ...], until_s: float, ended: Ended, trouble: str
) -> LoadMade:
    began_s = min(request.began_s for request in requests)
    return LoadMade(
        url=spec.shown,
        scenario=spec.asks,
        users=spec.users,
        spawn_per_s=spec.spawn_per_s,
        pace_s=spec.pace_s,
        started_at=utc(datetime.fromtimestamp(began_s, timezone.utc)),
        lasted_s=until_s - began_s,
        ended=ended,
        trouble=trouble,
        endpoints=served(requests, began_s, until_s),
    )
