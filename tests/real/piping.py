"""A dump on its way through a FIFO: who reads it on the target, and a JVM that waits for somebody who does."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

from docker.models.containers import Container

from tests.real.jvmdiag import Running
from tests.real.stalled import asked

# What the far side and this one need beyond the bound until a JVM that stood still answers.
SLACK_S = 15.0


def until(what: str, done: Callable[[], object], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def opens_a_fifo(pid: int) -> bool:
    """Whether a thread of that process waits in open() for the other end of a FIFO; by the kernel, for root."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "wchan").read_text() in ("wait_for_partner", "fifo_open"):
                return True
    return False


def readers(pids: list[int]) -> dict[int, Path]:
    """Of these processes those that read a FIFO for a dump, and the directory that it stands in, as they know it."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            if (mark := re.search(r"JVMDIAG_PIPE=([^\0]+)", environ)) and Path(
                f"/proc/{pid}/comm"
            ).read_text() == "dd\n":
                found[pid] = Path(mark[1])
    return found


def all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]


def the_reader(under_way: Running, among: Callable[[], list[int]] = all_pids) -> int:
    """The one through which the bytes come, once they do: of a JVM with two FIFOs the one that reads more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert under_way.process.poll() is None, under_way.end().err
        for pid in readers(among()):
            with contextlib.suppress(OSError):
                if wrote_bytes(pid) > 20_000_000:
                    return pid
        time.sleep(0.005)
    raise AssertionError("nothing comes through a FIFO")


def wrote_bytes(pid: int) -> int:
    return int(re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[1])  # type: ignore[index]


def let_it_wait(container: Container, fifo: str) -> None:
    """Has the JVM, its container's PID 1, open `fifo` for a dump: it answers nobody until somebody reads that.

    Its attach socket has to be there.
    """
    container.reload()
    socket = Path(f"/proc/{container.attrs['State']['Pid']}/root/tmp/.java_pid1")
    with asked(socket, f"1\0jcmd\0GC.heap_dump -overwrite {fifo}\0\0\0".encode()):
        # Whoever comes later waits behind this one: the JVM takes them in their order.
        until("the JVM has taken the request", lambda: not queued(container))


def queued(container: Container) -> int:
    """How many clients wait for that JVM to take them, from inside the container or from here."""
    pid = container.attrs["State"]["Pid"]
    sockets = [
        line.split()
        for table in (f"/proc/{pid}/net/unix", "/proc/net/unix")
        for line in Path(table).read_text().splitlines()
    ]
    # 02 is the kernel's SS_CONNECTING. A JVM renames its socket, and here it keeps its first name.
    return sum(one[5] == "02" and one[-1] in ("/tmp/.java_pid1", "/tmp/.java_pid1.tmp") for one in sockets)
