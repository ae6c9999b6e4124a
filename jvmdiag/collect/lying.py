"""From claims to what lies there: which JVM they are of, how its files are reached, and one look for each way."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from jvmdiag.attach.rung import Reach, not_ours, reach_of
from jvmdiag.collect.claims import Claim
from jvmdiag.collect.leftover import Leftover, State, judged, of_others
from jvmdiag.collect.recording import boot_of
from jvmdiag.hosts.place import ContainerPlace, Place, ViewKind
from jvmdiag.impact.disk import candidates
from jvmdiag.impact.leftovers import Lying, look_at
from jvmdiag.impact.runs import Runs
from jvmdiag.jvm.discovery import ROOT, Sight
from jvmdiag.model import Jvm, Owner

_WHERE_DUMPS_ARE = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Thing:
    """Something that was found, and how it is reached; a sidecar, and what cannot be looked at, has no `reach`."""

    leftover: Leftover
    reach: Reach | None = None
    lying: Lying | None = None


def unseen(claim: Claim, why: str) -> Leftover:
    """What a claim speaks of and nobody could look at."""
    return Leftover(
        target=claim.target,
        what=claim.kind,
        where=claim.path,
        state=State.UNSURE,
        note=why,
        by=claim.by,
        uid=claim.uid,
    )


def look_over(
    target: str, place: Place, sight: Sight, claims: Sequence[Claim], busy: Collection[str]
) -> list[Thing]:
    """Everything of ours by `claims`, and others' dumps where the JVMs' would be; `busy` paths are left out.

    Costs one command for each user whose files they are. Raises what that raises.
    """
    booted = any(claim.record and claim.record.boot for claim in claims)
    boot = boot_of(sight.view.host) if booted else ""
    return list(_Looking(target, place, sight, busy, boot).over(claims))


@dataclass(frozen=True)
class _Looking:
    target: str
    place: Place
    sight: Sight
    busy: Collection[str]
    boot: str

    def over(self, claims: Sequence[Claim]) -> Iterator[Thing]:
        asked: dict[Reach, list[Claim]] = defaultdict(list)
        for claim in claims:
            jvm = self._jvm_of(claim)
            if why := self._closed(claim, jvm):
                yield Thing(unseen(claim, why))
            else:
                asked[self._reach(claim, jvm)].append(claim)
        folders = self._folders()
        named = {claim.path for claim in claims} | set(self.busy)
        others: dict[tuple[str, str], Thing] = {}
        for reach in dict.fromkeys((*asked, *folders)):
            there = look_at(reach, [claim.path for claim in asked.get(reach, ())], folders.get(reach, ()))
            yield from self._ours(reach, asked.get(reach, ()), there.named)
            # JVMs of two users have one /tmp.
            others |= {(reach.prefix, one.where): Thing(one) for one in self._others(there.others, named)}
        yield from others.values()

    def _ours(self, reach: Reach, claims: Sequence[Claim], lying: Sequence[Lying]) -> Iterator[Thing]:
        for claim in claims:
            beside = [one for one in lying if _is_of(one.path, claim.path)]
            jvm = self._jvm_of(claim)
            uids = {*(() if claim.uid is None else (claim.uid,)), *((jvm.owner.uid,) if jvm else ())}
            by_path = {one.path: one for one in beside}
            for found in judged(claim, beside, frozenset(uids), alive=jvm is not None):
                yield Thing(found, reach, by_path[found.where])

    def _others(self, lying: Sequence[Lying], named: Collection[str]) -> Iterator[Leftover]:
        for one in lying:
            if not any(_is_of(one.path, path) for path in named):
                yield of_others(self.target, one)

    def _jvm_of(self, claim: Claim) -> Jvm | None:
        """The JVM of the claim's record, where it still is the same process."""
        record = claim.record
        if record is None or record.jvm is None:
            return None
        if record.boot and record.boot != self.boot:
            return None
        same = (record.jvm.nspid, record.jvm.start_ticks)
        return next((jvm for jvm in self.sight.jvms if (jvm.nspid, jvm.start_ticks) == same), None)

    def _closed(self, claim: Claim, jvm: Jvm | None) -> str:
        """Why it cannot be looked at, or empty."""
        if jvm is not None and not jvm.readable:
            return not_ours(jvm)
        record = claim.record
        own_mounts = record and record.jvm and record.jvm.own_mounts
        if record and jvm is None and own_mounts and not isinstance(self.place, ContainerPlace):
            away = shlex.quote(str(Runs().directory / f"{record.id}.json"))
            why = "it was in a mount namespace of its own (a container, PrivateTmp), which went with its JVM"
            return f"{why}: look there, then rm {away}"
        return ""

    def _reach(self, claim: Claim, jvm: Jvm | None) -> Reach:
        view = self.sight.view
        if jvm is not None and view.kind is not ViewKind.SIDECAR:
            return reach_of(view, jvm)
        return self._general(_owner(claim))

    def _general(self, owner: Owner | None) -> Reach:
        """Without a JVM: the container by its first process, or the machine."""
        view = self.sight.view
        if view.kind is ViewKind.ENGINE_HOST:
            return Reach(view.host, f"/proc/{view.pid1}/root", None)
        if view.kind is ViewKind.SIDECAR:
            return Reach(view.host, "/proc/1/root", None)
        return Reach(view.host, "", owner)

    def _folders(self) -> dict[Reach, tuple[str, ...]]:
        """Where dumps of others may lie, by the way there."""
        found: dict[Reach, tuple[str, ...]] = {}
        for jvm in self.sight.jvms:
            if jvm.readable:
                of_it = (
                    self._general(None)
                    if self.sight.view.kind is ViewKind.SIDECAR
                    else reach_of(self.sight.view, jvm)
                )
                found[of_it] = tuple(dict.fromkeys((*found.get(of_it, ()), *candidates(jvm, None))))
        inside = isinstance(self.place, ContainerPlace)
        return found or {self._general(ROOT if inside else None): _WHERE_DUMPS_ARE}


def _is_of(path: str, claimed: str) -> bool:
    """Whether it is the path that is claimed, or a part that a JVM writes beside it."""
    return path == claimed or path.startswith(f"{claimed}.p")


def _owner(claim: Claim) -> Owner | None:
    if claim.record and claim.record.jvm:
        uid, _, gid = claim.record.jvm.owner.partition(":")
        return Owner(int(uid), int(gid))
    return None if claim.uid is None else Owner(claim.uid, claim.uid)
