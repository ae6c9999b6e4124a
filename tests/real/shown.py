"""What jvmdiag metrics shows of a real part, and the second sources that it is put beside."""

from __future__ import annotations

import ctypes
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from jvmdiag.metrics.catalogue import described
from tests.real.course import Between
from tests.real.jvmdiag import argv, environment, jvmdiag

# How often is looked again where others of the machine may have spoilt what there was to see.
ATTEMPTS = 5


def checked(
    name: str, ours: float, theirs: float | Between, *, by: str, rel: float = 1e-9, abs: float = 0.0
) -> None:
    """The figure `name` is `theirs`, which is what `by` says, or between what it says of moments about the look. What a
    zero would pass compares nothing, and fails.

    tests/metrics_checks.py reads these calls for docs/reference/metrics.md: `name` and `by` are literals, and the
    call stands in a test.
    """
    assert name in described(), name
    ends = theirs if isinstance(theirs, Between) else Between(float(theirs), float(theirs))
    low, high = ends.low - max(rel * ends.low, abs), ends.high + max(rel * ends.high, abs)
    assert low > 0, f"{name} beside {theirs}, by {by}: a figure of 0 would pass"
    assert low <= ours <= high, f"{name} is {ours}; by {by} it is {theirs}"


class Shown:
    """What --json printed, by figure."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.groups = {group["name"]: group for group in document["groups"]}
        self.seconds = float(document["seconds"])

    def all(self, name: str) -> list[tuple[dict[str, str], float]]:
        figures = (figure for group in self.groups.values() for figure in group["figures"])
        return [(dict(figure["labels"]), figure["value"]) for figure in figures if figure["name"] == name]

    def one(self, name: str, /, **labels: str) -> float:
        found = [value for has, value in self.all(name) if labels.items() <= has.items()]
        assert found, f"no figure {name} {labels}"
        return found[0]

    @property
    def names(self) -> set[str]:
        return {figure["name"] for group in self.groups.values() for figure in group["figures"]}

    def verdict(self, group: str) -> str:
        return str(self.groups[group]["verdict"]["text"])

    @property
    def at_s(self) -> float:
        """The Unix time at which its second look was over."""
        return datetime.fromisoformat(self.document["at"].replace("Z", "+00:00")).timestamp()


def metrics(target: str, *options: str, home: Path) -> Shown:
    run = jvmdiag("metrics", target, "--json", *options, home=home)
    assert run.exit_code == 0, run.err
    return Shown(run.document)


@contextmanager
def sets(target: str, *options: str, home: Path) -> Iterator[Callable[[], Shown]]:
    """What --watch shows, set by set: the next begins where the one that was shown ends."""
    with subprocess.Popen(
        argv("metrics", target, "--watch", "--json", *options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(home),
    ) as process:
        assert process.stdout
        out = process.stdout

        def following() -> Shown:
            line = out.readline()
            assert line, f"it ended with {process.wait()}"
            return Shown(json.loads(line))

        try:
            yield following
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def until_now(following: Callable[[], Shown]) -> list[Shown]:
    """The sets up to one whose second look begins behind this moment."""
    now_s, found = time.time(), [following()]
    while found[-1].at_s <= now_s:
        found.append(following())
    return [*found, following()]


def pid_of(container: Container) -> int:
    """Of its PID 1, on this machine."""
    container.reload()
    return int(container.attrs["State"]["Pid"])


def number_in(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return int(found[1])


def stats_of(container: Container) -> dict[str, Any]:
    """What the engine counts of it, now: it would wait a second to count once more."""
    stats = container.stats(stream=False, one_shot=True)
    assert isinstance(stats, dict)
    return stats


def entries(directory: str) -> int:
    return sum(1 for _ in Path(directory).iterdir())


def within(container: Container, *command: str) -> str:
    """What a command of this machine says in the container's network namespace."""
    argv = ["nsenter", "-t", str(pid_of(container)), "-n", *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def until_connected(container: Container, count: int) -> None:
    """Until so many connections to its 8080 are established, and no others are on their way, by ss."""
    until = time.monotonic() + 60
    while (seen := _connected(container)) != ["ESTAB"] * count:
        assert time.monotonic() < until, f"{seen} instead of {count} connections"
        time.sleep(0.05)


def _connected(container: Container) -> list[str]:
    """The state of each that somebody has at either end."""
    listed = within(container, "ss", "-tanH", "sport", "=", ":8080").splitlines()
    return [state for line in listed if (state := line.split()[0]) not in ("LISTEN", "TIME-WAIT")]


class _SysInfo(ctypes.Structure):
    _fields_ = (
        ("uptime", ctypes.c_long),
        ("loads", ctypes.c_ulong * 3),
        ("sizes", ctypes.c_ulong * 6),
        ("processes", ctypes.c_ushort),
        ("padding", ctypes.c_ushort),
        ("high", ctypes.c_ulong * 2),
        ("unit", ctypes.c_uint),
        ("reserved", ctypes.c_char * 8),
    )


@dataclass(frozen=True)
class Machine:
    """What sysinfo(2) says, which reads no file: bytes, and the three load averages."""

    loads: tuple[float, float, float]
    memory: int
    free: int
    buffers: int
    swap: int
    free_swap: int


def sysinfo() -> Machine:
    said = _SysInfo()
    assert ctypes.CDLL(None).sysinfo(ctypes.byref(said)) == 0
    memory, free, _, buffers, swap, free_swap = (size * said.unit for size in said.sizes)
    one, five, fifteen = (load / 65536 for load in said.loads)
    return Machine((one, five, fifteen), memory, free, buffers, swap, free_swap)


def counter(file: str, name: str) -> int:
    """Of a file of lines that are a name and a number, as /proc/vmstat has them."""
    return number_in(rf"^{re.escape(name)} +(\d+)$", Path(file).read_text())


@dataclass(frozen=True)
class Disk:
    """/sys/block/NAME/stat: requests, sectors of 512 bytes, milliseconds."""

    name: str
    reads: int
    read_sectors: int
    reading_ms: int
    writes: int
    written_sectors: int
    writing_ms: int
    busy_ms: int


def the_disk() -> str | None:
    """The first disk that this machine has of its own."""
    named = re.compile(r"vd[a-z]|sd[a-z]|xvd[a-z]|nvme\d+n\d+")
    return min((one.name for one in Path("/sys/block").iterdir() if named.fullmatch(one.name)), default=None)


def disk_stat(name: str) -> Disk:
    reads, _, sectors, reading, writes, _, written, writing, _, busy, *_ = map(
        int, Path(f"/sys/block/{name}/stat").read_text().split()
    )
    return Disk(name, reads, sectors, reading, writes, written, writing, busy)


def stalled_share(kind: str) -> float:
    """For how much of the last ten seconds something waited for it, as the kernel's own mean has it."""
    first = Path(f"/proc/pressure/{kind}").read_text().split()[1]
    return float(first.removeprefix("avg10=")) / 100


def stalled_s(kind: str) -> float:
    """How long something has waited for it since the machine booted, by the total of /proc/pressure."""
    return number_in(r"^some .* total=(\d+)$", Path(f"/proc/pressure/{kind}").read_text()) / 1e6
