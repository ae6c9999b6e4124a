"""Which run of jvmdiag made a thing, and whether it still lives: written on all that could be left behind."""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path


class Life(str, Enum):
    """What is known of a run from here. UNSEEN: it is one of another machine, or of another PID namespace."""

    ALIVE = "alive"
    GONE = "gone"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Runner:
    """One process of jvmdiag. `pid` with `start_ticks` is its identity on `machine` while that is up (`boot`).

    Without /proc (macOS) `boot` and `pid_ns` are empty and `start_ticks` is 0: the pid alone must do.
    """

    machine: str
    boot: str
    pid_ns: str
    pid: int
    start_ticks: int

    def __str__(self) -> str:
        return "/".join((self.machine, self.boot, self.pid_ns, str(self.pid), str(self.start_ticks)))


def parse_runner(text: str) -> Runner | None:
    """A Runner of its text; None where it is none."""
    words = text.split("/")
    if len(words) != 5 or not (words[3].isdigit() and words[4].isdigit()):
        return None
    return Runner(words[0], words[1], words[2], int(words[3]), int(words[4]))


@cache
def this_run() -> Runner:
    """This very process."""
    pid_ns = ""
    with suppress(OSError):
        pid_ns = os.readlink("/proc/self/ns/pid").strip("pid:[]")  # noqa: PTH115 - no path, a name in brackets
    boot = _line("/proc/sys/kernel/random/boot_id")
    return Runner(_machine(), boot, pid_ns, os.getpid(), _start_ticks(os.getpid()) or 0)


def life_of(run: Runner, me: Runner | None = None) -> Life:
    """Whether `run` still goes on, as far as it can be seen from `me`: this process."""
    me = me or this_run()
    if run.machine != me.machine:
        return Life.UNSEEN
    if run.boot != me.boot:
        return Life.GONE
    if run.pid_ns != me.pid_ns:
        return Life.UNSEEN
    if not me.start_ticks:
        return Life.ALIVE if _has_process(run.pid) else Life.GONE
    return Life.ALIVE if _start_ticks(run.pid) == run.start_ticks else Life.GONE


def _machine() -> str:
    # machine-id(5) asks not to show the id itself.
    name = _line("/etc/machine-id") or platform.node()
    return hashlib.sha256(f"jvmdiag {name}".encode()).hexdigest()[:16]


def _line(path: str) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return Path(path).read_text(encoding="ascii").strip()
    return ""


def _start_ticks(pid: int) -> int | None:
    """Of a process that is no zombie; None where there is none."""
    with suppress(OSError, ValueError):
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return int(fields[19]) if fields[0] != "Z" else None
    return None


def _has_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
