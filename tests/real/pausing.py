"""A container that is paused for a while, by an engine that may be starting a command in it at that moment."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from docker.models.containers import Container

_MOMENT_S = 0.05


def pause_for(container: Container, seconds: float) -> None:
    """Pause and unpause it. Needs root, and its engine on this machine.

    A command that is just starting is frozen with the rest; containerd (seen with 1.6) waits for it and unpauses
    nobody meanwhile, for ever. It is let through, as somebody at the keyboard would have to do.
    """
    container.reload()
    pid = int(container.attrs["State"]["Pid"])
    container.pause()
    until = time.monotonic() + seconds
    while time.monotonic() < until or _starts_a_command(str(container.id)):
        if _starts_a_command(str(container.id)):
            _freeze(pid, frozen=False)
            time.sleep(_MOMENT_S)
            _freeze(pid, frozen=True)
        time.sleep(_MOMENT_S)
    container.unpause()


def _starts_a_command(container_id: str) -> bool:
    return any({"exec", container_id} <= {*words} for words in _command_lines("runc"))


def _command_lines(name: str) -> list[list[str]]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = file.read_bytes().decode(errors="replace").split("\0")
            if Path(words[0]).name == name:
                found.append(words)
    return found


def _freeze(pid: int, *, frozen: bool) -> None:
    """The whole cgroup of a process, of version 1 or 2."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    of = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    if "freezer" in of:
        state = Path(f"/sys/fs/cgroup/freezer{of['freezer']}/freezer.state")
        state.write_text("FROZEN" if frozen else "THAWED")
    else:
        Path(f"/sys/fs/cgroup{of['']}/cgroup.freeze").write_text("1" if frozen else "0")
