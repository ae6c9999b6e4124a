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
    stalled_s,
    sysinfo,
    the_disk,
)

SWAP_BYTES = 400 << 20
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


def swapped_pages() -> tuple[int, int]:
    """In and out, since the machine booted."""
    return counter("/proc/vmstat", "pswpin"), counter("/proc/vmstat", "pswpout")


def vmstat(seconds: int) -> subprocess.Popen[str]:
    """Its second line is about so many seconds from now on."""
    return subprocess.Popen(
        ["vmstat", "-n", str(seconds), "2"],
        stdout=subprocess.PIPE,
        text=True,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )


def said_by(vmstat: subprocess.Popen[str]) -> dict[str, int]:
    _, names, _, last = vmstat.communicate(timeout=60)[0].splitlines()
    return dict(zip(names.split(), map(int, last.split()), strict=True))


def test_a_jvm_that_swaps_is_what_the_kernel_says_elsewhere(
    run_container: RunContainer, tmp_path: Path
) -> None:
    """Its heap is larger than its memory, and it collects again and again, which reads and moves all of it."""
    with swap():
        container = run_container(
            "jvm17",
            command=load("--megabytes", "96", "--churn", java=("-Xms200m", "-Xmx200m", "-XX:+UseSerialGC")),
            mem_limit="120m",
            memswap_limit="480m",
            ready="ready",
        )
        try:
            began, waited = time.monotonic(), stalled_s("memory") if PRESSURE.exists() else 0.0
            first = swapped_pages()
            shown = metrics(str(container.name), "--interval", "3", home=tmp_path)
            now, last, page = sysinfo(), swapped_pages(), os.sysconf("SC_PAGE_SIZE")
            rollup = Path(f"/proc/{pid_of(container)}/smaps_rollup").read_text()
            if PRESSURE.exists():
                waited = (stalled_s("memory") - waited) / (time.monotonic() - began)
        finally:
            container.kill()
    swapped = number_in(r"^Swap: +(\d+) kB", rollup) * 1024
    # What came before the first look and behind the second is in the kernel's alone.
    came, went = ((b - a) * page for a, b in zip(first, last, strict=True))
    ours_in, ours_out = (shown.one(name) * shown.seconds for name in ("swap.in", "swap.out"))
    assert round(ours_in) <= came and round(ours_out) <= went
    checked("swap.in", ours_in, came, by="/proc/vmstat by hand", rel=0.7)
    checked("swap.out", ours_out, went, by="/proc/vmstat by hand", rel=0.7)
    checked("swap.total", shown.one("swap.total"), now.swap, by="sysinfo(2)")
    checked("swap.used", shown.one("swap.used"), now.swap - now.free_swap, by="sysinfo(2)", rel=0.4)
    checked(
        "memory.jvm.swapped", shown.one("memory.jvm.swapped"), swapped, by="/proc/PID/smaps_rollup", rel=0.4
    )
    if PRESSURE.exists():
        checked(
            "memory.pressure",
            shown.one("memory.pressure"),
            waited,
            by="total of /proc/pressure/memory",
            rel=0.7,
        )
    else:
        assert "memory.pressure" not in shown.names


def test_what_the_kernel_kills_for_memory_is_counted(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", mem_limit="200m", memswap_limit="200m")
    booted = float(Path("/proc/uptime").read_text().split()[0])
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
    log = subprocess.run(["dmesg"], check=True, capture_output=True, text=True, errors="replace").stdout
    stamps = re.findall(r"^\[ *(\d+\.\d+)\] .*Killed process", log, re.MULTILINE)
    killed = sum(float(stamp) >= booted for stamp in stamps)
    grown = shown.one("memory.oom_kills") - before.one("memory.oom_kills")
    checked("memory.oom_kills", grown, killed, by="dmesg")


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Some write and some read, past the cache."""
    over = threading.Event()
    file = folder / "direct"
    file.write_bytes(b"x" * (8 << 20))

    def work(access: int, act: Callable[[int, mmap.mmap], object]) -> None:
        fd, page = os.open(file, access | os.O_DIRECT), mmap.mmap(-1, 1 << 20)
        try:
            while not over.is_set():
                act(fd, page)
        finally:
            os.close(fd)

    def write(fd: int, page: mmap.mmap) -> object:
        return os.pwrite(fd, page, 0)

    def read(fd: int, page: mmap.mmap) -> object:
        return os.preadv(fd, [page], 4 << 20)

    each = [(os.O_WRONLY, write)] * WRITING + [(os.O_RDONLY, read)] * READING
    threads = [threading.Thread(target=work, args=words) for words in each]
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
    waited, began = stalled_s("io") if PRESSURE.exists() else 0.0, time.monotonic()
    with busy_disk(tmp_path):
        for _ in range(ATTEMPTS):
            first, started = disk_stat(name), time.monotonic()
            with vmstat(3) as asked:
                shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
                last, took = disk_stat(name), time.monotonic() - started
                machine = said_by(asked)
            # Cores that others keep busy wait for no disk.
            if machine["wa"] > 8:
                break
        if PRESSURE.exists():
            waited = (stalled_s("io") - waited) / max(time.monotonic() - began, 10)
    done = last.reads - first.reads + last.writes - first.writes
    spent_ms = last.reading_ms - first.reading_ms + last.writing_ms - first.writing_ms
    read = (last.read_sectors - first.read_sectors) * 512 / took
    written = (last.written_sectors - first.written_sectors) * 512 / took
    busy = (last.busy_ms - first.busy_ms) / 1000 / took
    each_s = spent_ms / 1000 / done
    checked("disk.read", shown.one("disk.read", device=name), read, by="/sys/block/DISK/stat", rel=0.4)
    checked(
        "disk.written", shown.one("disk.written", device=name), written, by="/sys/block/DISK/stat", rel=0.4
    )
    checked("disk.busy", shown.one("disk.busy", device=name), busy, by="/sys/block/DISK/stat", rel=0.4)
    checked("disk.await", shown.one("disk.await", device=name), each_s, by="/sys/block/DISK/stat", rel=0.4)
    checked("cpu.iowait", shown.one("cpu.iowait"), machine["wa"] / 100, by="vmstat", rel=0.5, abs=0.03)
    # Most of them wait at any moment.
    checked("cpu.blocked", shown.one("cpu.blocked"), WRITING + READING, by="threads as started", rel=0.7)
    if PRESSURE.exists():
        checked("disk.pressure", shown.one("disk.pressure"), waited, by="total of /proc/pressure/io", rel=0.7)
    else:
        assert "disk.pressure" not in shown.names
