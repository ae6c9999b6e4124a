"""Figures of what is short: memory that is swapped, processes that are killed for it, a disk that is written to."""

from __future__ import annotations

import mmap
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.real.course import Between, Course, told
from tests.real.engine import cache_dir
from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.shown import (
    ATTEMPTS,
    checked,
    counter,
    disk_stat,
    metrics,
    number_in,
    pid_of,
    sets,
    stalled_s,
    stalled_share,
    sysinfo,
    the_disk,
    until_now,
)

SWAP_BYTES = 400 << 20
ENOUGH_BYTES = 20 << 20
PRESSURE = Path("/proc/pressure")
# Threads that keep the disk busy.
WRITING, READING = 6, 2


@contextmanager
def swap() -> Iterator[None]:
    """Room to swap to, in a file that is gone afterwards."""
    file = cache_dir() / "swap"
    with file.open("wb") as made:
        file.chmod(0o600)
        os.posix_fallocate(made.fileno(), 0, SWAP_BYTES)
    try:
        subprocess.run(["mkswap", str(file)], check=True, capture_output=True)
        done = subprocess.run(["swapon", str(file)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this machine takes no more swap: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["swapoff", str(file)], check=True)
    finally:
        file.unlink()


def swapping(rollup: Path) -> dict[str, float]:
    """Bytes in and out since the machine booted, its room and what is used of it, and what is swapped of a process."""
    page, now = os.sysconf("SC_PAGE_SIZE"), sysinfo()
    return {
        "in": counter("/proc/vmstat", "pswpin") * page,
        "out": counter("/proc/vmstat", "pswpout") * page,
        "room": now.swap,
        "used": now.swap - now.free_swap,
        "swapped": number_in(r"^Swap: +(\d+) kB", rollup.read_text()) * 1024,
    }


def waiting_by_vmstat() -> Callable[[str], dict[str, float] | None]:
    """Of a line of vmstat, how much of the time all cores waited for a disk."""
    names: list[str] = []

    def shares(line: str) -> dict[str, float] | None:
        words = line.split()
        if "wa" in words:
            names[:] = words
        return {"wa": int(words[names.index("wa")]) / 100} if words[0].isdigit() else None

    return shares


def of_disk(name: str) -> dict[str, float]:
    """What it did since the machine booted, in bytes, requests and seconds; who of this process waits for it."""
    stat = disk_stat(name)
    states = [task.read_text().rpartition(") ")[2][0] for task in Path("/proc/self/task").glob("*/stat")]
    return {
        "read": stat.read_sectors * 512,
        "written": stat.written_sectors * 512,
        "busy": stat.busy_ms / 1000,
        "spent": (stat.reading_ms + stat.writing_ms) / 1000,
        "done": stat.reads + stat.writes,
        "blocked": states.count("D"),
    }


@contextmanager
def stalls(kind: str) -> Iterator[Callable[[float, float], Between | None]]:
    """How much of the time something waited for it, by the kernel's mean at any time between two moments.

    None where this kernel tells no pressure.
    """
    if not PRESSURE.exists():
        yield lambda since, until: None
        return
    before = stalled_share(kind)
    with Course(lambda: {"waited": stalled_s(kind)}) as course:
        yield lambda since, until: course.mean_of_ten("waited", before, since, until)


def test_a_jvm_that_swaps_is_what_the_kernel_says_elsewhere(
    run_container: RunContainer, tmp_path: Path
) -> None:
    """It collects again and again, and has less memory than it and somebody beside it write to all the time.

    Alone it would swap once: a collection neither reads an array of numbers nor moves what lives for long.
    """
    beside = ["perl", "-e", "$n = 140e6; $x = 'x' x $n; while (1) { $x =~ tr/x/y/; $x =~ tr/y/x/ }"]
    with swap(), stalls("memory") as stalled:
        container = run_container(
            "jvm17",
            command=load("--megabytes", "96", "--churn", java=("-Xms200m", "-Xmx200m", "-XX:+UseSerialGC")),
            mem_limit="120m",
            memswap_limit="480m",
            ready="ready",
        )
        try:
            container.exec_run(beside, detach=True)
            rollup = Path(f"/proc/{pid_of(container)}/smaps_rollup")
            with (
                Course(lambda: swapping(rollup)) as course,
                sets(str(container.name), "--interval", "1", home=tmp_path) as following,
            ):
                # The second set begins where the first one ends.
                following()
                first = last = swapping(rollup)
                until = time.monotonic() + 120
                came = until_now(following)
                while any(last[way] - first[way] < ENOUGH_BYTES for way in ("in", "out")):
                    assert time.monotonic() < until, "it does not swap"
                    last = swapping(rollup)
                    came += until_now(following)
        finally:
            container.kill()
    shown, (earliest, latest) = came[-1], (course.samples[0].values, course.samples[-1].values)
    # All of what was swapped between the second looks of the first set and of the last, and some of what was before.
    grown = {way: Between(last[way] - first[way], latest[way] - earliest[way]) for way in ("in", "out")}
    ours = {way: sum(one.one(f"swap.{way}") * one.seconds for one in came) for way in ("in", "out")}
    checked("swap.in", ours["in"], grown["in"], by="/proc/vmstat by hand", rel=0.01)
    checked("swap.out", ours["out"], grown["out"], by="/proc/vmstat by hand", rel=0.01)
    used, swapped = course.valued("used"), course.valued("swapped")
    checked("swap.total", shown.one("swap.total"), course.valued("room"), by="sysinfo(2)")
    checked("swap.used", shown.one("swap.used"), used, by="sysinfo(2)", rel=0.2)
    checked(
        "memory.jvm.swapped", shown.one("memory.jvm.swapped"), swapped, by="/proc/PID/smaps_rollup", rel=0.2
    )
    # Its second look was between the ends of the set before and of its own.
    if waited := stalled(*(one.at_s - time.time() + time.monotonic() for one in came[-2:])):
        checked(
            "memory.pressure",
            shown.one("memory.pressure"),
            waited,
            by="total of /proc/pressure/memory",
            rel=0.1,
        )
    else:
        assert "memory.pressure" not in shown.names


def test_what_the_kernel_kills_for_memory_is_counted(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", mem_limit="200m", memswap_limit="200m")
    logged = killed()
    before = metrics(str(container.name), "--interval", "0.5", home=tmp_path)
    assert before.one("memory.cgroup.oom_kills") == 0
    # Somebody beside the JVM, whom the kernel prefers.
    grow = ["sh", "-c", "echo 900 >/proc/self/oom_score_adj; exec perl -e '$x = \"x\" x 500e6; sleep 60'"]
    codes = [container.exec_run(grow)[0] for _ in range(2)]
    shown = metrics(str(container.name), "--interval", "0.5", home=tmp_path)
    assert codes == [137, 137]
    checked(
        "memory.cgroup.oom_kills",
        shown.one("memory.cgroup.oom_kills"),
        len(codes),
        by="status 137 of who was killed",
    )
    grown = shown.one("memory.oom_kills") - before.one("memory.oom_kills")
    checked("memory.oom_kills", grown, len(killed() - logged), by="dmesg")


def killed() -> set[str]:
    """What the kernel's log says of those it killed for memory. The clock of its stamps is not that of /proc/uptime."""
    log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True, errors="replace").stdout
    return set(re.findall(r"^\[ *\d+\.\d+\] .*Killed process.*$", log, re.MULTILINE))


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Some write and some read, past the cache, each its own file: who waits for another's lock waits for no disk."""
    over = threading.Event()

    def work(number: int, access: int, act: Callable[[int, mmap.mmap], object]) -> None:
        file, page = folder / f"direct{number}", mmap.mmap(-1, 1 << 20)
        file.write_bytes(b"x" * len(page))
        fd = os.open(file, access | os.O_DIRECT)
        try:
            while not over.is_set():
                act(fd, page)
        finally:
            os.close(fd)

    def write(fd: int, page: mmap.mmap) -> object:
        return os.pwrite(fd, page, 0)

    def read(fd: int, page: mmap.mmap) -> object:
        return os.preadv(fd, [page], 0)

    each = [(os.O_WRONLY, write)] * WRITING + [(os.O_RDONLY, read)] * READING
    threads = [threading.Thread(target=work, args=(number, *words)) for number, words in enumerate(each)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_disk_does_what_its_block_device_counts(tomcat_jre: Container, tmp_path: Path) -> None:
    name = the_disk()
    if name is None:
        pytest.skip("this machine shows no disk of its own in /sys/block")
    with stalls("io") as stalled, busy_disk(tmp_path):
        for _ in range(ATTEMPTS):
            began = time.monotonic()
            with (
                told(["vmstat", "-n", "1"], waiting_by_vmstat()) as said,
                Course(lambda: of_disk(name)) as course,
            ):
                shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
                over = time.monotonic()
            waiting = said.rate("wa", shown.seconds)
            # Cores that others keep busy wait for no disk.
            if waiting.low > 0.05:
                break
        # For a moment all of them may have been read or written for, and wait for a CPU.
        with sets(str(tomcat_jre.name), "--interval", "0.1", "--no-threads", home=tmp_path) as following:
            most_blocked = max(following().one("cpu.blocked") for _ in range(5))
    read, written, busy = (course.rate(what, shown.seconds) for what in ("read", "written", "busy"))
    checked("disk.read", shown.one("disk.read", device=name), read, by="/sys/block/DISK/stat", rel=0.1)
    checked(
        "disk.written", shown.one("disk.written", device=name), written, by="/sys/block/DISK/stat", rel=0.1
    )
    checked("disk.busy", shown.one("disk.busy", device=name), busy, by="/sys/block/DISK/stat", rel=0.1)
    each_s = course.share("spent", "done", shown.seconds)
    checked("disk.await", shown.one("disk.await", device=name), each_s, by="/sys/block/DISK/stat", rel=0.1)
    ours = shown.one("cpu.iowait")
    if waiting.low > 0.05:
        checked("cpu.iowait", ours, waiting, by="vmstat", rel=0.3, abs=0.03)
    else:
        assert waiting.low - 0.03 <= ours <= waiting.high + 0.05
    blocked = course.valued("blocked")
    most = Between(min(blocked.high, 2), max(blocked.high, WRITING + READING))
    checked("cpu.blocked", most_blocked, most, by="threads as started, and their states", rel=0.5)
    if pressure := stalled(began + shown.seconds, over):
        checked(
            "disk.pressure", shown.one("disk.pressure"), pressure, by="total of /proc/pressure/io", rel=0.1
        )
    else:
        assert "disk.pressure" not in shown.names
