"""A heap dump under load, on a system that nobody depends on: what it does to each kind of request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jvmdiag.collect.heap import take_heap_dump
from jvmdiag.collect.heap_request import HeapDumpRequest, HeapDumpTaken
from jvmdiag.collect.job import Job, Journal, Progress, file_name, now
from jvmdiag.errors import BadRequest, Declined, LoadFailed
from jvmdiag.load.outcome import Endpoint, Request, by_endpoint
from jvmdiag.load.plot import plot
from jvmdiag.load.running import LoadSpec, require_extra, running_load
from jvmdiag.transfer.manifest import utc
from jvmdiag.transfer.sink import PartialFile, private_directory

SCHEMA = "jvmdiag.rehearsal/1"
_HOUR_S = 3600.0


@dataclass(frozen=True)
class Rehearsal:
    """What is rehearsed: the load, how long it goes on before and after, and the heap dump."""

    load: LoadSpec
    before_s: float
    after_s: float
    heap_dump: HeapDumpRequest

    def check(self) -> None:
        """Raises BadRequest for what cannot be rehearsed."""
        self.load.check()
        if not (0 <= self.before_s <= _HOUR_S and 0 <= self.after_s <= _HOUR_S):
            raise BadRequest("--before and --after are 0 to 3600 seconds")


@dataclass(frozen=True)
class Rehearsed:
    """What came of it. Paths of the files, no picture where none could be written; `asked_at` in ISO 8601."""

    document: str
    picture: str | None
    target: str
    url: str
    scenario: str
    users: int
    asked_at: str
    took_s: float
    endpoints: tuple[Endpoint, ...]
    dump: HeapDumpTaken


def rehearse(
    job: Job, rehearsal: Rehearsal, journal: Journal, progress: Progress, agreed: Callable[[LoadSpec], bool]
) -> Rehearsed:
    """Load, a heap dump, load; then what each endpoint gave before, meanwhile and after.

    `agreed` is asked before anything that is not this machine is loaded. Raises Declined, MissingExtra,
    LoadFailed, and all that a heap dump raises.
    """
    require_extra("locust", "matplotlib")
    rehearsal.check()
    private_directory(job.output)
    if not agreed(rehearsal.load):
        raise Declined("no load was made", why="it was not confirmed")
    spec = rehearsal.load
    with running_load(spec) as load:
        progress.note(f"{spec.users} callers of {spec.shown}, for {rehearsal.before_s:g} s")
        load.wait(rehearsal.before_s)
        taken = take_heap_dump(job, rehearsal.heap_dump, journal, progress)
        progress.note(f"{taken.artifact.path} is here; {rehearsal.after_s:g} s more of load")
        try:
            load.wait(rehearsal.after_s)
        except LoadFailed as error:
            # There is a dump, and there are requests: what came of them is worth as much.
            progress.warn(f"the load ended early: {error.why}")
        requests, until_s = load.requests(), now().timestamp()
    return _rehearsed(job, rehearsal, taken, requests, until_s, progress)


def _rehearsed(
    job: Job,
    rehearsal: Rehearsal,
    taken: HeapDumpTaken,
    requests: tuple[Request, ...],
    until_s: float,
    progress: Progress,
) -> Rehearsed:
    spec, asked_s = rehearsal.load, taken.asked_at.timestamp()
    name = file_name(job.target, "rehearsal", taken.asked_at, "")
    document, picture = job.output / f"{name}.json", job.output / f"{name}.png"
    came = Rehearsed(
        document=str(document),
        picture=str(picture),
        target=str(job.target),
        url=spec.shown,
        scenario=spec.asks,
        users=spec.users,
        asked_at=utc(taken.asked_at),
        took_s=taken.took_s,
        endpoints=by_endpoint(requests, requests[0].ended_s, asked_s, asked_s + taken.took_s, until_s),
        dump=taken,
    )
    _write(document, came, requests, asked_s)
    title = f"heap dump of {job.target}, {spec.users} callers ({came.scenario})"
    try:
        plot(picture, title, requests, asked_s, taken.took_s, until_s)
    except OSError as error:
        progress.warn(f"no picture: {error.strerror or error}")
        return replace(came, picture=None)
    return came


def _write(path: Path, came: Rehearsed, requests: tuple[Request, ...], asked_s: float) -> None:
    """The result, and each request: its end in seconds from the question, how long it took, which, failed or not."""
    rows = [[round(r.ended_s - asked_s, 4), round(r.took_s, 4), r.endpoint, r.failed] for r in requests]
    dump = {"file": Path(came.dump.artifact.path).name}
    if came.dump.pause:
        dump |= {"pause": asdict(came.dump.pause)}  # type: ignore[dict-item]
    content = {
        "schema": SCHEMA,
        "target": came.target,
        "url": came.url,
        "scenario": came.scenario,
        "users": came.users,
        "asked_at": came.asked_at,
        "took_s": came.took_s,
        "endpoints": [asdict(endpoint) for endpoint in came.endpoints],
        "dump": dump,
        "requests": rows,
    }
    with PartialFile(path.parent, path.name) as file:
        file.write(json.dumps(content, ensure_ascii=False).encode() + b"\n")
        file.commit()
