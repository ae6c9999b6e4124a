"""What interrupted runs left: listed, and on a yes removed where a record, a manifest or a label says it is ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from jvmdiag.collect.claims import Claim, claims_of_record, without_doubles
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.leftover import LABEL, Leftover, State, of_running, of_sidecar, outcome
from jvmdiag.collect.lying import Thing, look_over, unseen
from jvmdiag.collect.scene import see
from jvmdiag.errors import JvmdiagError, NoSuchTarget
from jvmdiag.hosts.opening import open_engine, open_place, stopped_container
from jvmdiag.hosts.place import ContainerPlace, Place
from jvmdiag.impact.leftovers import remove
from jvmdiag.impact.runs import RunRecord, Runs
from jvmdiag.target import DockerTarget, SshDockerTarget

Choose = Callable[[Sequence[Leftover]], Sequence[Leftover]]


@dataclass(frozen=True)
class Swept:
    """One target: what was found there and what became of it, and the records that speak of nothing any more."""

    target: str
    found: tuple[Leftover, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broom:
    """How to sweep. `choose` is shown everything and returns what is to go; with `only_look` it is not asked."""

    journal: Journal
    choose: Choose
    only_look: bool = False
    runs: Runs = field(default_factory=Runs)


def targets_on_record(runs: Runs, claims: Iterable[Claim]) -> tuple[str, ...]:
    """Of which targets there is anything to say."""
    records, _ = runs.all()
    made = (record.target for record in records if not record.here)
    return tuple(dict.fromkeys((*made, *(claim.target for claim in claims))))


def sweep_target(job: Job, claims: Sequence[Claim], broom: Broom) -> tuple[Swept, ...]:
    """Look at one target, and remove what is chosen. `claims` are those of manifests.

    Raises what opening it raises; NoSuchTarget only where no record speaks of it.
    """
    claims = tuple(claim for claim in claims if claim.target == str(job.target))
    records = tuple(record for record in broom.runs.all()[0] if not record.here)
    if not isinstance(job.target, DockerTarget | SshDockerTarget):
        of_it = [record for record in records if record.target == str(job.target)]
        with open_place(job.target, job.access, broom.journal) as place:
            return (_sweep(job, place, of_it, claims, broom),)
    return _sweep_container(job, job.target, records, claims, broom)


def _sweep_container(
    job: Job,
    target: DockerTarget | SshDockerTarget,
    records: Sequence[RunRecord],
    claims: Sequence[Claim],
    broom: Broom,
) -> tuple[Swept, ...]:
    """A name may be another container's by now: records are of a container's id."""
    named = [record for record in records if record.target == str(target)]
    swept, seen = [], ""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(stopped_container(target, job.access, broom.journal))
        except NoSuchTarget:
            if not named:
                raise
        else:
            seen = place.facts.id
            of_it = [record for record in records if record.container == seen]
            swept.append(_sweep(job, place, of_it, claims, broom))
    for container in dict.fromkeys(record.container for record in named if record.container != seen):
        of_it = [record for record in named if record.container == container]
        swept.append(_sweep_by_id(job, target, container, of_it, broom))
    return tuple(swept)


def _sweep_by_id(
    job: Job,
    target: DockerTarget | SshDockerTarget,
    container: str,
    records: Sequence[RunRecord],
    broom: Broom,
) -> Swept:
    """One that is renamed is swept; of one that is gone the records go."""
    where = _engine_of(job, target, broom.journal)
    if elsewhere := next((record.engine for record in records if record.engine != where), None):
        why = f"on another engine, {elsewhere}: DOCKER_HOST or --context of docker names it"
        return Swept(
            str(target),
            tuple(
                unseen(claim, why) for record in records for claim in claims_of_record(record, time.time())
            ),
        )
    with ExitStack() as stack:
        by_id = replace(target, container=container)
        try:
            place = stack.enter_context(stopped_container(by_id, job.access, broom.journal))
        except NoSuchTarget:
            gone = f"the container {container[:12]} is gone, and what was in it; a file on a volume is still there"
            over = [record for record in records if not record.under_way(time.time())]
            return Swept(str(target), (), _drop(broom, over, gone))
        return _sweep(job, place, records, (), broom)


def _engine_of(job: Job, target: DockerTarget | SshDockerTarget, journal: Journal) -> str:
    if isinstance(target, SshDockerTarget):
        return str(target.ssh)
    with open_engine(journal, job.access) as engine:
        return engine.where


def _sweep(
    job: Job, place: Place, records: Sequence[RunRecord], claims: Sequence[Claim], broom: Broom
) -> Swept:
    now_s = time.time()
    running = [record for record in records if record.under_way(now_s)]
    over = [record for record in records if record not in running]
    busy = {path for record in running for made in record.made for path in made.paths}
    claimed = (*(claim for record in over for claim in claims_of_record(record, now_s)), *claims)
    ours = tuple(claim for claim in without_doubles(claimed) if claim.path not in busy)
    things = [Thing(one) for record in running for one in of_running(record)]
    things += _sidecars(job, place, now_s)
    with ExitStack() as stack:
        things += _looked_at(job, place, ours, busy, stack)
        after = _carried_out(place, things, broom)
    return Swept(str(job.target), after, _dropped(broom, over, after))


def _sidecars(job: Job, place: Place, now_s: float) -> Iterator[Thing]:
    if isinstance(place, ContainerPlace):
        for sidecar in place.sidecars():
            if found := of_sidecar(str(job.target), sidecar, now_s):
                yield Thing(found)


def _looked_at(
    job: Job, place: Place, claims: Sequence[Claim], busy: set[str], stack: ExitStack
) -> Sequence[Thing]:
    """What lies there, to be reached until `stack` is closed. Where nobody can look, a claim stays a word."""
    if isinstance(place, ContainerPlace) and not place.facts.running:
        return [Thing(one) for claim in claims if (one := _in_a_stopped_one(place, claim))]
    try:
        # Looking must not pull an image.
        sight = see(place, replace(job.image, pull=False), stack, sudo=job.access.sudo)
        return look_over(str(job.target), place, sight, claims, busy)
    except (JvmdiagError, TimeoutError) as error:
        if not claims:
            raise
        return [Thing(unseen(claim, str(error))) for claim in claims]


def _in_a_stopped_one(place: ContainerPlace, claim: Claim) -> Leftover | None:
    """Nothing can be removed there: the engine only reads in a container that does not run."""
    size_bytes = place.archived_bytes(claim.path)
    if size_bytes is None:
        return None
    said = f"the container {place.facts.status}: nothing can be removed in it; jvmdiag fetch works, docker rm takes all"
    return replace(unseen(claim, said), size_bytes=size_bytes)


def _carried_out(place: Place, things: Sequence[Thing], broom: Broom) -> tuple[Leftover, ...]:
    """What was found, each with what became of it."""
    found = [thing.leftover for thing in things]
    if broom.only_look or not any(one.state.removable for one in found):
        return tuple(found)
    chosen = [one for one in broom.choose(found) if one.state.removable]
    words: dict[str, str] = {}
    for reach in dict.fromkeys(thing.reach for thing in things):
        lying = [t.lying for t in things if t.reach is reach and t.leftover in chosen and t.lying]
        if reach and lying:
            words |= remove(reach, lying)
    for thing in things:
        if thing.leftover in chosen and thing.lying is None and isinstance(place, ContainerPlace):
            place.remove_sidecar(thing.leftover.where)
            words[thing.leftover.where] = "removed"
    return tuple(outcome(one, words[one.where]) if one.where in words else one for one in found)


def _dropped(broom: Broom, over: Sequence[RunRecord], after: Sequence[Leftover]) -> tuple[str, ...]:
    """Records of which nothing is there any more go; the others stay, and say so again next time."""
    if any(one.by == LABEL and one.state.stays for one in after):
        # A sidecar is found by its container, and that by the record.
        return ()
    stay = {one.by for one in after if one.state is not State.REMOVED}
    done = [record for record in over if _named(record) not in stay]
    # What was shown with its outcome needs no second word.
    shown = {one.by for one in after}
    silent = [record for record in done if _named(record) in shown or not record.made]
    _drop(broom, silent, "")
    return _drop(
        broom, [record for record in done if record not in silent], "nothing of it is there any more"
    )


def _drop(broom: Broom, records: Sequence[RunRecord], why: str) -> tuple[str, ...]:
    """Take them away, but where this is only a look; one line each."""
    if broom.only_look:
        return ()
    for record in records:
        broom.runs.drop(record.id)
    return tuple(f"{_named(record)}: {why}" for record in records)


def _named(record: RunRecord) -> str:
    return f"record {record.id}"
