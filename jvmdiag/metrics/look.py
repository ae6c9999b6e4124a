"""One look at the kernel's files about a machine and one process of it, by one command."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.jvm.links import real_sh
from jvmdiag.model import Jvm

# Linux counts CPU time in hundredths of a second on every architecture Java runs on.
TICKS_PER_S = 100
_TIMEOUT_S = 20.0
_BASE = "-Dcatalina.base="
_PROCESS = re.compile(r"^(\d+) \((.*)\) ([A-Za-z]) (-?\d+ .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Process:
    """A line of /proc/PID/stat. `wchan` is where in the kernel it waits, empty where it does not or is not told.

    `uid` is its owner, as numbered where the target's /proc is mounted; None where that was not read.
    """

    pid: int
    comm: str
    state: str
    ppid: int
    threads: int
    wchan: str = ""
    uid: int | None = None


@dataclass(frozen=True)
class Task:
    """A thread: a line of /proc/PID/task/TID/stat. `name` has 15 characters at most; `cpu_s` is since its start."""

    tid: int
    name: str
    state: str
    cpu_s: float


@dataclass(frozen=True)
class Look:
    """What look.sh printed, by section. `pid` is None where no process in particular was looked at."""

    pid: int | None
    sections: Mapping[str, bytes]

    def text(self, name: str) -> str:
        """Empty where the section is missing: the look was a quick one, or nothing could be read."""
        return self.sections.get(name, b"").decode("utf-8", "replace")

    @cached_property
    def at_s(self) -> float:
        """By the target's clock, in seconds since it booted."""
        return float(self.text("system").split(maxsplit=1)[0])

    @cached_property
    def stat(self) -> tuple[str, ...]:
        """/proc/PID/stat from its third field on: [0] is the state, [11] and [12] are CPU ticks."""
        found = _PROCESS.search(self.text("process"))
        return (found[3], *found[4].split()) if found else ()

    @cached_property
    def status(self) -> dict[str, str]:
        """/proc/PID/status."""
        return keyed(self.text("process"))

    def tasks(self) -> tuple[Task, ...]:
        return tuple(
            Task(pid, comm, state, (int(rest[10]) + int(rest[11])) / TICKS_PER_S)
            for pid, comm, state, rest in _stats(self.text("tasks"))
        )

    def waits(self, section: str) -> dict[int, str]:
        """Where in the kernel each waits: "threads" by tid, "waits" by pid."""
        pairs = (line.split(" ", 1) for line in self.text(section).splitlines() if " " in line)
        return {int(one): wchan for one, wchan in pairs if one.isdigit() and wchan not in ("0", "-")}

    def processes(self) -> tuple[Process, ...]:
        """Those of the target's own /proc; empty in a quick look."""
        waits = self.waits("waits")
        lines = (line.split(" ", 1) for line in self.text("owners").splitlines() if " /" in line)
        owners = {int(path.rpartition("/")[2]): int(uid) for uid, path in lines if uid.isdigit()}
        return tuple(
            Process(pid, comm, state, int(rest[0]), int(rest[16]), waits.get(pid, ""), owners.get(pid))
            for pid, comm, state, rest in _stats(self.text("processes"))
        )


def _stats(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """pid, name, state, and the fields from ppid on, of each line."""
    for found in _PROCESS.finditer(text):
        rest = found[4].split()
        if len(rest) > 17:
            yield int(found[1]), found[2], found[3], rest


def keyed(text: str) -> dict[str, str]:
    """Lines of the form "Key: value"; the first of a key counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key and " " not in key.strip():
            found.setdefault(key.strip(), value.strip())
    return found


@cache
def look_sh() -> str:
    return real_sh() + Path(__file__).with_name("look.sh").read_text(encoding="utf-8")


def take_look(
    reach: Reach, jvm: Jvm | None, points: Sequence[str], *, slow: bool = True, log: str = ""
) -> Look:
    """One look, at the JVM or, without one, at the machine alone. Costs one command, 5 ms of CPU time, a slow one 25.

    `points` are mount points whose room is asked for, in a slow look; `log` is what is wanted of the access log, as
    AccessLog says it. Raises CommandRefused where it was cut short.
    """
    token = secrets.token_hex(8)
    who = (str(jvm.pid), str(jvm.nspid)) if jvm else ("self", "self")
    perfdata = (jvm.perfdata if jvm else None) or ""
    base = next((o for o in jvm.options if o.startswith(_BASE)), "") if jvm else ""
    conf = f"{base.removeprefix(_BASE)}/conf" if base else ""
    argv = [
        "sh",
        "-c",
        look_sh(),
        "sh",
        token,
        *who,
        reach.prefix,
        perfdata,
        "slow" if slow else "",
        log,
        conf if log else "",
    ]
    done = reach.host.run([*argv, *(points if slow else ())], user=reach.user, timeout_s=_TIMEOUT_S)
    return parse_look(done.stdout, token, jvm.pid if jvm else None, why=done.complaint)


def parse_look(output: bytes, token: str, pid: int | None, why: str = "") -> Look:
    """Raises CommandRefused where the last section, or the first, is missing. Pure."""
    mark = f"\n@@{token} ".encode()
    parts = (part.partition(b"\n") for part in output.split(mark)[1:])
    sections = {name.decode("ascii", "replace"): body for name, _, body in parts}
    if "end" not in sections or not sections.get("system", b"").strip():
        raise CommandRefused(
            "the machine could not be looked at", why=why or "the look did not come to its end"
        )
    return Look(pid, sections)
