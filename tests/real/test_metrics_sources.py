"""The rest of the figures beside second sources: top, free, nstat, the JVM's own answers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.real.containers import published_port
from tests.real.course import Between, Course, between, told
from tests.real.fixtures import RunContainer
from tests.real.held import stopped
from tests.real.jvmdiag import jvmdiag
from tests.real.shown import (
    ATTEMPTS,
    checked,
    counter,
    metrics,
    number_in,
    pid_of,
    sets,
    sysinfo,
    until_now,
    within,
)

# A process that has made a vfork waits for its child uninterruptibly, whatever the child does.
VFORK = "import ctypes, os, time\nif ctypes.CDLL(None).vfork() == 0:\n    time.sleep(120)\n    os._exit(0)\nos._exit(0)"
COUNTERS = {
    "tcp.resets_sent": "TcpOutRsts",
    "tcp.connections_reset": "TcpEstabResets",
    "tcp.connects_failed": "TcpAttemptFails",
    "tcp.listen_overflows": "TcpExtListenOverflows",
    "tcp.listen_drops": "TcpExtListenDrops",
}
RESETS = 5


SPIN = "while True: pass"
# Nearly all of it is the kernel's.
COPY = "import os\nzero = os.open('/dev/zero', os.O_RDONLY)\nwhile True: os.read(zero, 1 << 20)"


@contextmanager
def running(*programs: str) -> Iterator[None]:
    """Each by a Python of its own."""
    started = [subprocess.Popen(["nice", sys.executable, "-c", program]) for program in programs]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


def test_what_the_cores_do_is_what_top_says(tomcat_jre: Container, tmp_path: Path) -> None:
    """One computes and one has the kernel compute, or there would be little to compare."""
    with running(SPIN, COPY), told(["top", "-b", "-d", "0.5"], shares_by_top) as course:
        shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
    user, system, idle, steal = (
        course.rate(name, shown.seconds) for name in ("user", "system", "idle", "steal")
    )
    checked("cpu.user", shown.one("cpu.user"), user, by="top", rel=0.2)
    checked("cpu.system", shown.one("cpu.system"), system, by="top", rel=0.2)
    assert idle.low - 0.1 <= shown.one("cpu.idle") <= idle.high + 0.1
    assert steal.low - 0.1 <= shown.one("cpu.steal") <= steal.high + 0.1


def shares_by_top(line: str) -> dict[str, float] | None:
    """Of a line of top, how much of the time all cores were in each state."""
    if not line.startswith("%Cpu"):
        return None
    of = {word: float(share) / 100 for share, word in re.findall(r"([\d.]+) (\w\w)", line)}
    words = {"user": "us ni", "system": "sy hi si", "idle": "id", "steal": "st"}
    return {name: sum(of[word] for word in some.split()) for name, some in words.items()}


def test_what_the_cores_leave_is_what_the_kernel_says_elsewhere(
    tomcat_jre: Container, tmp_path: Path
) -> None:
    def rested() -> dict[str, float]:
        return {"rested": float(Path("/proc/uptime").read_text().split()[1]) / (os.cpu_count() or 1)}

    for _ in range(ATTEMPTS):
        with Course(rested) as course:
            shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
        idle = course.rate("rested", shown.seconds)
        # While others take the machine whole it shows little.
        if idle.low > 0.1:
            break
    ours = shown.one("cpu.idle")
    if idle.low > 0.1:
        checked("cpu.idle", ours, idle, by="/proc/uptime", rel=0.2, abs=0.03)
    else:
        assert idle.low - 0.03 <= ours <= idle.high + 0.03


def test_how_many_run_is_what_the_kernel_says_elsewhere(tomcat_jre: Container, tmp_path: Path) -> None:
    with running(*[SPIN] * 16):
        until = time.monotonic() + 30
        # The average of fifteen minutes is shown with two decimals, and takes a while to come off 0.00.
        while _runnable() < 16 or sysinfo().loads[2] < 0.03:
            assert time.monotonic() < until
            time.sleep(0.1)
        with Course(_loads) as course:
            shown = metrics(str(tomcat_jre.name), "--interval", "0.5", home=tmp_path)
    runnable = course.valued("runnable")
    one, five, fifteen = (course.valued(name) for name in ("1m", "5m", "15m"))
    checked("cpu.running", shown.one("cpu.running"), runnable, by="/proc/*/task/*/stat by hand", rel=0.3)
    checked("load.1m", shown.one("load.1m"), one, by="sysinfo(2)", abs=0.01)
    checked("load.5m", shown.one("load.5m"), five, by="sysinfo(2)", abs=0.01)
    checked("load.15m", shown.one("load.15m"), fifteen, by="sysinfo(2)", abs=0.01)
    each = between(*(load / (os.cpu_count() or 1) for load in (one.low, one.high)))
    checked("load.per_cpu", shown.one("load.per_cpu"), each, by="sysinfo(2)", abs=0.01)
    allowed = len(os.sched_getaffinity(pid_of(tomcat_jre)))
    checked("cpu.jvm.allowed", shown.one("cpu.jvm.allowed"), allowed, by="sched_getaffinity")


def _loads() -> dict[str, float]:
    """How many run, and the averages of it."""
    return {"runnable": _runnable()} | dict(zip(("1m", "5m", "15m"), sysinfo().loads, strict=True))


def _runnable() -> int:
    """Threads of the machine that run or could."""
    count = 0
    for stat in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            count += stat.read_text().rpartition(")")[2].split()[0] == "R"
    return count


def test_the_machines_memory_is_what_free_and_the_kernel_say(tomcat_jre: Container, tmp_path: Path) -> None:
    for _ in range(ATTEMPTS):
        # Not yet on the disk. Others of this machine write too, or have everything written there.
        (tmp_path / "dirty").write_bytes(b"x" * (100 << 20))
        with Course(_memory) as course:
            shown = metrics(str(tomcat_jre.name), "--interval", "0.5", home=tmp_path)
        if course.valued("dirty").low > 1 << 20:
            break
    free, buffers, available, cached, dirty = (
        course.valued(name) for name in ("free", "buffers", "available", "cached", "dirty")
    )
    checked("memory.total", shown.one("memory.total"), sysinfo().memory, by="sysinfo(2)")
    checked("memory.free", shown.one("memory.free"), free, by="sysinfo(2)", rel=0.1)
    checked("memory.buffers", shown.one("memory.buffers"), buffers, by="sysinfo(2)", rel=0.1)
    checked("memory.available", shown.one("memory.available"), available, by="free", rel=0.1)
    checked("memory.cached", shown.one("memory.cached"), cached, by="/proc/vmstat by hand", rel=0.1)
    checked("memory.dirty", shown.one("memory.dirty"), dirty, by="/proc/vmstat by hand", rel=0.3)


def _memory() -> dict[str, float]:
    """By sysinfo(2), by free and by /proc/vmstat."""
    page, said = os.sysconf("SC_PAGE_SIZE"), sysinfo()
    rows = subprocess.run(
        ["free", "-b", "-w"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    # Pages of files: the cache, the buffers, and what lies in swap as well.
    pages = counter("/proc/vmstat", "nr_file_pages") - counter("/proc/vmstat", "nr_swapcached")
    return {
        "free": said.free,
        "buffers": said.buffers,
        # total used free shared buffers cache available
        "available": int(rows[1].split()[7]),
        "cached": pages * page - said.buffers,
        "dirty": counter("/proc/vmstat", "nr_dirty") * page,
    }


def test_tcps_own_counters_are_those_of_nstat(run_container: RunContainer, tmp_path: Path) -> None:
    """Refused connections, resets, and a server that accepts nobody any more."""
    container = run_container("jvm17")

    def counted() -> dict[str, int]:
        said = within(container, "nstat", "-asz", *COUNTERS.values())
        return {name: number_in(rf"^{counter} +(\d+)", said) for name, counter in COUNTERS.items()}

    port = published_port(container)
    earliest = counted()
    with (
        stopped(pid_of(container)),
        sets(str(container.name), "--interval", "0.5", "--no-threads", home=tmp_path) as following,
        ExitStack() as stack,
    ):
        # The second set begins where the first one ends.
        following()
        first = counted()
        _disturb(container, port, stack)
        until = time.monotonic() + 60
        while (last := counted())["tcp.listen_overflows"] == first["tcp.listen_overflows"]:
            assert time.monotonic() < until, "whoever publishes the port fills no queue"
            time.sleep(0.05)
        came = until_now(following)
        latest = counted()
    ours = {name: sum(shown.one(name) * shown.seconds for shown in came) for name in COUNTERS}
    # All of what came between the second looks of the first set and of the last, and perhaps of what was about them.
    grown = {name: Between(last[name] - first[name], latest[name] - earliest[name]) for name in COUNTERS}
    sent = grown["tcp.resets_sent"]
    checked("tcp.resets_sent", ours["tcp.resets_sent"], sent, by="nstat", rel=1e-3)
    # Both ends are here, and the kernel counts a reset at either: at the one that sends it too.
    reset = grown["tcp.connections_reset"]
    assert reset.low == 2 * RESETS
    checked("tcp.connections_reset", ours["tcp.connections_reset"], reset, by="nstat", rel=1e-3)
    failed = grown["tcp.connects_failed"]
    checked("tcp.connects_failed", ours["tcp.connects_failed"], failed, by="nstat", rel=1e-3)
    full = grown["tcp.listen_overflows"]
    checked("tcp.listen_overflows", ours["tcp.listen_overflows"], full, by="nstat", rel=1e-3)
    dropped = grown["tcp.listen_drops"]
    checked("tcp.listen_drops", ours["tcp.listen_drops"], dropped, by="nstat", rel=1e-3)


def _disturb(container: Container, port: int, stack: ExitStack) -> None:
    # More than the 50 that Java's ServerSocket lets wait; what finds the queue full is tried again for a while.
    for _ in range(70):
        one = stack.enter_context(closing(socket.socket()))
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(("127.0.0.1", port))
    # Somebody in its network asks where nobody listens, and ends a connection by a reset.
    asks = (
        "import socket, struct, time\n"
        "for _ in range(5):\n"
        "    s = socket.socket()\n"
        "    try: s.connect(('127.0.0.1', 9))\n"
        "    except OSError: pass\n"
        "l = socket.create_server(('127.0.0.1', 0))\n"
        f"for _ in range({RESETS}):\n"
        "    s = socket.create_connection(l.getsockname())\n"
        "    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
        "    s.close()\n"
    )
    within(container, sys.executable, "-c", asks)


def test_what_waits_uninterruptibly_is_named(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    # This machine's Python, as a process of the container.
    argv = ["nsenter", "-t", str(pid_of(container)), "-p", sys.executable, "-c", VFORK]
    with subprocess.Popen(argv) as entered:
        try:
            waiting = _uninterruptible_below(entered.pid)
            shown = metrics(str(container.name), home=tmp_path)
            state = (waiting / "stat").read_text().rpartition(")")[2].split()[0]
            wchan = (waiting / "wchan").read_text()
            own_pid = (waiting / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()[-1]
        finally:
            for child in _children(entered.pid):
                os.kill(child, signal.SIGKILL)
            entered.kill()
    [(named, value)] = [
        (labels, value) for labels, value in shown.all("cpu.uninterruptible") if labels["pid"] == own_pid
    ]
    checked("cpu.uninterruptible", value, state == "D", by="/proc/PID/stat and wchan of a vfork's parent")
    assert named["name"].startswith("python")
    assert named["wchan"] == wchan


def _children(pid: int) -> list[int]:
    """Those, and theirs."""
    own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*(one for child in own for one in _children(child)), *own]


def _uninterruptible_below(pid: int) -> Path:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in _children(pid):
            if "State:\tD" in Path(f"/proc/{child}/status").read_text():
                return Path(f"/proc/{child}")
        time.sleep(0.05)
    raise AssertionError("no process waits uninterruptibly")


@pytest.mark.parametrize("image", ["jvm17", "tomcat-jre"])
def test_classes_and_metaspace_are_what_the_jvm_says(
    shared: Callable[[str], Container], image: str, tmp_path: Path
) -> None:
    """One whose classes come of its own files, and one with class data sharing."""
    container = shared(image)
    # The JVM brings its counters up to date at a collection.
    jvmdiag("jcmd", str(container.name), "GC.run", home=tmp_path)
    shown = metrics(str(container.name), "--interval", "0.5", home=tmp_path)
    info = jvmdiag("jcmd", str(container.name), "GC.heap_info", home=tmp_path).out
    used, committed = (
        number_in(r"Metaspace +used (\d+)K", info),
        number_in(r"Metaspace .*committed (\d+)K", info),
    )
    checked(
        "jvm.metaspace.used", shown.one("jvm.metaspace.used"), used * 1024, by="jcmd GC.heap_info", rel=0.1
    )
    committed *= 1024
    said = shown.one("jvm.metaspace.committed")
    checked("jvm.metaspace.committed", said, committed, by="jcmd GC.heap_info", rel=0.1)
    # What the loaders have beside: arrays, and classes without a name.
    total = number_in(
        r"^Total = \d+ +(\d+)",
        jvmdiag("jcmd", str(container.name), "VM.classloader_stats", home=tmp_path).out,
    )
    assert shown.one("jvm.classes") <= total
    checked("jvm.classes", shown.one("jvm.classes"), total, by="jcmd VM.classloader_stats", rel=0.25)
