"""One thing that was left on a target, and what may be done with it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from jvmdiag.collect.claims import FILE, Claim
from jvmdiag.hosts.runner import Life, life_of, this_run
from jvmdiag.hosts.sidecars import Sidecar
from jvmdiag.impact.leftovers import Lying
from jvmdiag.impact.runs import LOCK, PIPES, TRIGGER, RunRecord
from jvmdiag.units import size

LABEL = "label"
"""Whose word a sidecar is: its own."""
# A client that attaches just now has made the same file; it gives up after 5 s.
_FRESH_TRIGGER_S = 60.0
_A_DAY_S = 86400.0


class State(str, Enum):
    """LEFT is ours and used by nobody; WHOLE is that, and a heap dump of which there is no verified copy here; EVIDENCE
    is that, and what a snapshot had taken before it was cut off.

    IN_USE, UNDER_WAY, UNSURE and OTHERS are never touched; only UNDER_WAY and OTHERS are not counted as left.
    """

    LEFT = "left"
    WHOLE = "whole"
    EVIDENCE = "evidence"
    IN_USE = "in use"
    UNDER_WAY = "under way"
    UNSURE = "unsure"
    OTHERS = "others'"
    REMOVED = "removed"

    @property
    def removable(self) -> bool:
        return self is State.LEFT or self.is_asset

    @property
    def is_asset(self) -> bool:
        """Whether there may be no other of it: it takes a yes of its own."""
        return self in (State.WHOLE, State.EVIDENCE)

    @property
    def stays(self) -> bool:
        """Whether it is something of ours that is still there."""
        return self.removable or self in (State.IN_USE, State.UNSURE)


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """`by` says whose word it is that it is ours: a record, a manifest, a label; empty for what is others'."""

    target: str
    what: str
    where: str
    state: State
    note: str = ""
    by: str = ""
    size_bytes: int = 0
    age_s: float | None = None
    uid: int | None = None


def judged(
    claim: Claim, lying: Sequence[Lying], uids: frozenset[int], *, alive: bool = False
) -> tuple[Leftover, ...]:
    """What is left of `claim`: `lying` is what lies at its path and beside it, `uids` are its JVM's; `alive`: that is
    there still."""
    user = next((one.user for one in lying if one.user), None)
    found = (_judged(claim, one, uids, user, alive=alive) for one in lying)
    return tuple(one for one in found if one is not None)


def _judged(
    claim: Claim, one: Lying, uids: frozenset[int], user: int | None, *, alive: bool
) -> Leftover | None:
    is_part = one.path != claim.path
    found = Leftover(
        target=claim.target,
        what=f"part of a {claim.kind}" if is_part else ("FIFO" if one.kind == "fifo" else claim.kind),
        where=one.path,
        state=State.LEFT,
        by=claim.by,
        size_bytes=0 if one.kind == "directory" else one.size_bytes,
        age_s=one.age_s if one.there and one.inode else None,
        uid=one.uid if one.inode else None,
    )
    if not one.there:
        if alive and claim.may_come and user is None:
            return replace(
                found, state=State.IN_USE, note="the JVM may have been asked for it and write it yet"
            )
        if user is None:
            return None
        return replace(
            found, state=State.IN_USE, note=f"process {user} still asks the JVM for it, or names it"
        )
    if doubt := _doubt(claim, one, uids, is_part=is_part):
        return replace(found, state=State.UNSURE, note=doubt)
    if user is not None:
        return replace(
            found, state=State.IN_USE, note=f"process {user} still writes or reads it: sweep again later"
        )
    if one.ending in ("whole", "unknown") and not claim.copy:
        return replace(found, state=State.WHOLE, note=_asset(claim, one))
    copy = f"its verified copy is {claim.copy}" if claim.copy and not is_part else ""
    return replace(found, note=copy or ("not whole" if one.ending == "cut" else ""))


def _doubt(claim: Claim, one: Lying, uids: frozenset[int], *, is_part: bool) -> str:
    """Why it may not be what the run made, or empty."""
    if one.kind == "closed":
        return "not for this user to look at: add --sudo"
    if one.kind not in (("directory",) if claim.kind == PIPES else ("file", "fifo")):
        return f"what is there now is {'something else' if one.kind == 'other' else f'a {one.kind}'}"
    if uids and one.uid not in uids:
        return f"it belongs to uid {one.uid}, and the JVM's was {', '.join(str(uid) for uid in sorted(uids))}"
    if claim.size_bytes is not None and not is_part and one.size_bytes != claim.size_bytes:
        return f"the manifest speaks of {claim.size_bytes:,} bytes, and {one.size_bytes:,} are there"
    if claim.kind == FILE:
        fetch = f"jvmdiag fetch {claim.target} {shlex.quote(claim.path)} --remove"
        return f"it is the application's own; this compares it and removes it: {fetch}"
    if claim.kind == TRIGGER and one.age_s < _FRESH_TRIGGER_S:
        return "so fresh that a client may just be attaching: sweep again in a minute"
    return ""


def _asset(claim: Claim, one: Lying) -> str:
    whole = (
        f"whole, {size(one.size_bytes)}" if one.ending == "whole" else f"{size(one.size_bytes)}, maybe whole"
    )
    if claim.partial:
        return f"{whole}; this goes on with what is here: jvmdiag resume {shlex.quote(claim.partial)}"
    return f"{whole}, never brought here: jvmdiag fetch {claim.target} {shlex.quote(one.path)} --remove"


def of_running(record: RunRecord) -> tuple[Leftover, ...]:
    """What a run that goes on has made, or is about to: named, and not looked at."""
    here = life_of(record.run) is Life.ALIVE
    whose = (
        f"its run goes on, as process {record.run.pid} of this machine"
        if here
        else "its run is another machine's"
    )
    return tuple(
        Leftover(
            target=record.target,
            what=made.kind,
            where=made.path,
            state=State.UNDER_WAY,
            note=whose,
            by=f"record {record.id}",
        )
        for made in record.made
        if made.kind not in (TRIGGER, LOCK)
    )


def of_sidecar(target: str, sidecar: Sidecar, now_s: float) -> Leftover | None:
    """A container with our label; None for one of this very run."""
    if sidecar.run == this_run():
        return None
    age_s = max(now_s - sidecar.created_s, 0.0)
    life = life_of(sidecar.run) if sidecar.run else Life.UNSEEN
    found = Leftover(
        target=target,
        what=f"sidecar ({sidecar.state})",
        where=sidecar.name,
        state=State.LEFT,
        by=LABEL,
        age_s=age_s,
        note="its run is gone",
    )
    if life is Life.ALIVE:
        return replace(found, state=State.UNDER_WAY, note="its run goes on")
    if life is Life.UNSEEN and age_s < _A_DAY_S:
        return replace(found, state=State.OTHERS, note="its run is another machine's")
    return found


def of_others(target: str, one: Lying) -> Leftover:
    """A dump, trigger, lock or directory that no record or manifest of ours names."""
    name = one.path.rpartition("/")[2]
    what, note = next((words for fits, words in _OTHERS if fits(name)), ("heap dump", ""))
    is_file = one.kind in ("file", "fifo")
    return Leftover(
        target=target,
        what=what if is_file else "directory",
        where=one.path,
        state=State.OTHERS,
        note=note,
        size_bytes=one.size_bytes if is_file else 0,
        age_s=one.age_s,
        uid=one.uid,
    )


_NO_RECORD = "of jvmdiag on another machine, or of a run that no record names"
_OTHERS: tuple[tuple[Callable[[str], bool], tuple[str, str]], ...] = (
    (lambda name: name.endswith(".lock"), ("lock", _NO_RECORD)),
    (lambda name: name.startswith(".jvmdiag-"), ("heap dump", _NO_RECORD)),
    (lambda name: name.startswith(".attach_pid"), ("trigger", "of some attach client; no record names it")),
    (
        lambda name: name.startswith("java_pid"),
        ("heap dump", "by HotSpot itself, as after an OutOfMemoryError"),
    ),
    (lambda name: name.startswith("core") and ".hprof" not in name, ("core file", "")),
)


_OUTCOMES = {
    "removed": (State.REMOVED, ""),
    "gone": (State.REMOVED, "somebody else removed it"),
    "busy": (State.IN_USE, "it was taken into use since it was looked at"),
    "changed": (State.UNSURE, "it changed since it was looked at: sweep again"),
    "refused": (State.UNSURE, "not for this user to remove: add --sudo"),
}


def outcome(one: Leftover, word: str) -> Leftover:
    """What became of it, by the word of `remove`."""
    state, note = _OUTCOMES[word]
    return replace(one, state=state, note=note)
