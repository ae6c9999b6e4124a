"""From a place to its JVMs: run the probe at the cheapest view that can see them, and pick one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from jvmdiag.errors import BadRequest, JvmGone, NoJvm, SeveralJvms, SudoRefused
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import Place, View
from jvmdiag.jvm.parse import parse_probe
from jvmdiag.model import Jvm, Owner

ROOT = Owner(0, 0)
_PROBE_TIMEOUT_S = 20.0


@cache
def _script() -> bytes:
    return Path(__file__).with_name("probe.sh").read_bytes()


def look(view: View, user: Owner | None = None) -> tuple[Jvm, ...] | None:
    """The JVMs that `view` sees, looking as `user`; None where it has no shell to look with. Costs one command."""
    token = secrets.token_hex(8)
    argv = ["sh", "-s", "--", token, str(view.pid1 or "")]
    done = view.host.run(argv, stdin=_script(), user=user, timeout_s=_PROBE_TIMEOUT_S)
    try:
        return parse_probe(done.stdout, token)
    except ValueError:
        return None


@dataclass(frozen=True)
class Sight:
    """What a view sees. `refusals`: what sudo, where it was asked for, said of owners whose JVMs stayed closed."""

    view: View
    jvms: tuple[Jvm, ...]
    refusals: Mapping[Owner, SudoRefused] = field(default_factory=dict)

    def pick(self, wanted: str | None, where: str) -> Jvm:
        """As `pick`; raises SudoRefused where sudo was refused for the JVM that is meant."""
        jvm = pick(self.jvms, wanted, where)
        if refusal := self.refusal(jvm):
            raise refusal
        return jvm

    def refusal(self, jvm: Jvm) -> SudoRefused | None:
        """Why sudo did not open this JVM; None where it did, or was not asked for."""
        return None if jvm.readable else self.refusals.get(jvm.owner)


def look_closely(view: View, wanted: str | None = None, *, sudo: bool = False) -> Sight | None:
    """As `look`, and again as the owner of each JVM that `wanted` may mean and that is not for this user to read.

    A JVM that stays closed is returned with `readable` false.
    """
    jvms = look(view)
    if jvms is None:
        return None
    if sudo and not jvms:
        jvms = _hidden(view)
    meant = _matching(jvms, wanted) if wanted else jvms
    opened: dict[Owner, tuple[Jvm, ...]] = {}
    refusals: dict[Owner, SudoRefused] = {}
    for owner in dict.fromkeys(j.owner for j in meant if not j.readable):
        try:
            closely = look(view, owner)
        except SudoRefused as error:
            refusals[owner] = error
        else:
            opened[owner] = jvms if closely is None else closely
    return Sight(view, tuple(_opened(jvms, opened)), refusals if sudo else {})


def _opened(jvms: Sequence[Jvm], opened: Mapping[Owner, Sequence[Jvm]]) -> Iterator[Jvm]:
    """Each as its owner sees it, where that was looked at; what the owner sees to be no JVM is left out."""
    for jvm in jvms:
        if jvm.readable or jvm.owner not in opened:
            yield jvm
        else:
            yield from (j for j in opened[jvm.owner] if j.pid == jvm.pid)


def _hidden(view: View) -> tuple[Jvm, ...]:
    """What root sees and this user does not: /proc may show a user's own processes only (hidepid).

    They are still to be looked at as their owners: it is as those that they will be spoken to.
    """
    with contextlib.suppress(SudoRefused):
        return tuple(replace(j, readable=False) for j in look(view, ROOT) or ())
    return ()


def discover(place: Place, wanted: str | None = None, *, sudo: bool = False) -> Sight | None:
    """What the first view of `place` that can look sees, closely where `wanted` may be meant; None where none can."""
    for view in place.views():
        if sight := look_closely(view, wanted, sudo=sudo):
            return sight
    return None


def pick(jvms: Sequence[Jvm], wanted: str | None, where: str) -> Jvm:
    """The JVM that `wanted` names (its pid here, its own pid, or part of its main class or command line),
    or the only one. Raises NoJvm, SeveralJvms (which lists them)."""
    if not jvms:
        raise NoJvm(
            f"no JVM at {where}",
            why="no process there has libjvm.so mapped",
            advice=(
                "it may have ended, or run elsewhere: jvmdiag ps lists every JVM of this machine's containers",
                "a /proc that hides other users' processes (hidepid) is seen whole with --sudo",
            ),
        )
    found = _matching(jvms, wanted) if wanted else list(jvms)
    if len(found) == 1:
        return found[0]
    listed = tuple(f"  {line}" for line in _told_apart(found or jvms))
    if not found:
        raise NoJvm(f"no JVM at {where} matches {wanted!r}", advice=("there are:", *listed))
    raise SeveralJvms(f"{len(found)} JVMs at {where}", why="say which", advice=listed)


def _matching(jvms: Sequence[Jvm], wanted: str) -> list[Jvm]:
    if not wanted.isdigit():
        return [j for j in jvms if wanted.lower() in " ".join((j.main, *j.command)).lower()]
    # On a machine with containers many a JVM knows itself as 1.
    here = [j for j in jvms if j.pid == int(wanted)]
    return here or [j for j in jvms if int(wanted) in j.nspids]


def _told_apart(jvms: Sequence[Jvm]) -> Iterator[str]:
    own = [j.nspid for j in jvms]
    for jvm in jvms:
        pid = jvm.nspid if own.count(jvm.nspid) == 1 else jvm.pid
        yield f"--jvm {pid}   {jvm.main or jvm.java}   (user {jvm.user}, in {jvm.cwd or '?'}, up {jvm.uptime_s:,.0f} s)"


def still_there(host: Host, jvm: Jvm, user: Owner | None = None) -> bool:
    """Whether the process is the same one as when it was found: pid and start time. Costs one command."""
    done = host.run(["cat", f"/proc/{jvm.pid}/stat"], user=user)
    fields = done.text.rpartition(")")[2].split()
    return done.ok and len(fields) > 19 and fields[0] != "Z" and int(fields[19]) == jvm.start_ticks


def require_still_there(host: Host, jvm: Jvm, user: Owner | None = None) -> None:
    """Raises JvmGone where the JVM ended or its pid is another process now."""
    if not still_there(host, jvm, user):
        raise JvmGone(
            f"the JVM {jvm.pid} ended meanwhile",
            advice="see why: the container's log, hs_err_pid*.log in its working directory, the kernel's log (OOM)",
        )


def check_selector(wanted: str | None) -> None:
    """Raises BadRequest for an empty --jvm, which would match everything."""
    if wanted is not None and not wanted.strip():
        raise BadRequest("--jvm is empty", advice="give a pid, or a part of the main class or command line")
