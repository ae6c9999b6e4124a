"""From a place to its JVMs: run the probe at the cheapest view that can see them, and pick one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from jvmdiag.errors import BadRequest, JvmGone, NoJvm, SeveralJvms, SudoRefused
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import Place, View
from jvmdiag.jvm.parse import parse_probe
from jvmdiag.model import Jvm, Owner

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


def look_closely(view: View, *, sudo: bool = False) -> tuple[Jvm, ...] | None:
    """As `look`, and again as the owner of each JVM that is not for this user to read.

    A JVM that stays closed is returned with `readable` false; with `sudo`, that was asked for, it raises
    SudoRefused.
    """
    jvms = look(view)
    closed = {j.owner for j in jvms or () if not j.readable}
    seen: dict[int, Jvm] = {}
    for owner in closed:
        with contextlib.nullcontext() if sudo else contextlib.suppress(SudoRefused):
            seen |= {j.pid: j for j in look(view, owner) or () if j.readable}
    return None if jvms is None else tuple(seen.get(j.pid, j) for j in jvms)


def discover(place: Place, *, sudo: bool = False) -> tuple[View, tuple[Jvm, ...]] | None:
    """The first view of `place` that can look, and what it sees; None where none can look."""
    for view in place.views():
        jvms = look_closely(view, sudo=sudo)
        if jvms is not None:
            return view, jvms
    return None


def pick(jvms: Sequence[Jvm], wanted: str | None, where: str) -> Jvm:
    """The JVM that `wanted` names (its pid here, its own pid, or part of its main class or command line),
    or the only one. Raises NoJvm, SeveralJvms (which lists them)."""
    if not jvms:
        raise NoJvm(
            f"no JVM at {where}",
            why="no process there has libjvm.so mapped",
            advice="it may have ended, or run elsewhere: jvmdiag ps lists every JVM of this machine's containers",
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


def still_there(host: Host, jvm: Jvm) -> bool:
    """Whether the process is the same one as when it was found: pid and start time. Costs one command."""
    done = host.run(["cat", f"/proc/{jvm.pid}/stat"])
    fields = done.text.rpartition(")")[2].split()
    return done.ok and len(fields) > 19 and fields[0] != "Z" and int(fields[19]) == jvm.start_ticks


def require_still_there(host: Host, jvm: Jvm) -> None:
    """Raises JvmGone where the JVM ended or its pid is another process now."""
    if not still_there(host, jvm):
        raise JvmGone(
            f"the JVM {jvm.pid} ended meanwhile",
            advice="see why: the container's log, hs_err_pid*.log in its working directory, the kernel's log (OOM)",
        )


def check_selector(wanted: str | None) -> None:
    """Raises BadRequest for an empty --jvm, which would match everything."""
    if wanted is not None and not wanted.strip():
        raise BadRequest("--jvm is empty", advice="give a pid, or a part of the main class or command line")
