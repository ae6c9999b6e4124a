"""One look at the kernel's figures about a JVM and its network namespace. Pure: the text of sample.sh, read."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Linux counts CPU time in hundredths of a second on every architecture Java runs on.
_TICKS_PER_S = 100
_SECTOR_BYTES = 512
_DISK = re.compile(r"^ +\d+ +\d+ (?:sd[a-z]+|vd[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+) (.*)$", re.MULTILINE)
_LOADAVG = re.compile(r"^[\d.]+ [\d.]+ [\d.]+ (\d+)/\d+ \d+$", re.MULTILINE)
_STAT = re.compile(r"^\d+ \(.*\) [A-Za-z] (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """Counters since their beginning, at `uptime_s` of the target's clock; None where it does not publish one.

    Network figures are those of the network namespace, loopback included.
    """

    uptime_s: float
    cpu_s: float
    segments_out: int | None
    """Segments that carry data, no matter how often each was sent (TCPOrigDataSent)."""
    received_bytes: int
    sent_bytes: int
    connections_dropped: int | None
    """Those that a full accept queue turned away (ListenDrops)."""
    throttled_s: float | None
    established: int | None
    """Connections just now (CurrEstab)."""
    resent: int | None
    """Segments that were sent again (RetransSegs)."""
    running: int | None
    """Runnable threads of the whole machine just now."""
    disk_busy_s: float | None = None
    """Of the busiest disk of the machine."""
    disk_written_bytes: int | None = None
    """Of all disks of the machine."""


def parse_sample(text: str) -> Sample | None:
    """The sample in what `cat` printed; None where the process is gone. A file that is missing leaves its None."""
    head, stat = text.split(maxsplit=1)[:1], _STAT.search(text)
    if not head or not stat:
        return None
    fields = stat[1].split()
    received, sent = _interfaces(text)
    tcp = _pairs(text, "Tcp") | _pairs(text, "TcpExt")
    running = _LOADAVG.search(text)
    busy, written = _disks(text)
    return Sample(
        uptime_s=float(head[0]),
        cpu_s=(int(fields[10]) + int(fields[11])) / _TICKS_PER_S,
        segments_out=tcp.get("TCPOrigDataSent"),
        received_bytes=received,
        sent_bytes=sent,
        connections_dropped=tcp.get("ListenDrops"),
        throttled_s=_throttled_s(text),
        established=tcp.get("CurrEstab"),
        resent=tcp.get("RetransSegs"),
        running=int(running[1]) if running else None,
        disk_busy_s=busy,
        disk_written_bytes=written,
    )


def _pairs(text: str, prefix: str) -> dict[str, int]:
    """A line of names and a line of numbers behind the same prefix, as in net/netstat."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(f"{prefix}: ")]
    return dict(zip(lines[0], map(int, lines[1]), strict=False)) if len(lines) == 2 else {}


def _interfaces(text: str) -> tuple[int, int]:
    rows = [
        line.partition(":")[2].split() for line in text.splitlines() if re.match(r"^ *[^ :|]+: *\d", line)
    ]
    rows = [row for row in rows if len(row) == 16 and all(map(str.isdigit, row))]
    return sum(int(row[0]) for row in rows), sum(int(row[8]) for row in rows)


def _throttled_s(text: str) -> float | None:
    """cgroup v2 counts microseconds, v1 nanoseconds."""
    if found := re.search(r"^throttled_usec (\d+)$", text, re.MULTILINE):
        return int(found[1]) / 1e6
    found = re.search(r"^throttled_time (\d+)$", text, re.MULTILINE)
    return int(found[1]) / 1e9 if found else None


def _disks(text: str) -> tuple[float | None, int | None]:
    rows = [found.split() for found in _DISK.findall(text)]
    if not rows:
        return None, None
    return max(int(row[9]) for row in rows) / 1e3, sum(int(row[6]) for row in rows) * _SECTOR_BYTES
