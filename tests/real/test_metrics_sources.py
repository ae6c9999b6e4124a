"""The rest of the figures beside second sources: top, free, nstat, the JVM's own answers."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.real.containers import published_port
from tests.real.fixtures import RunContainer
from tests.real.jvmdiag import jvmdiag
from tests.real.test_metrics import Shown, metrics, number_in, pid_of, within

# A process that has made a vfork waits for its child uninterruptibly, whatever the child does.
VFORK = "import ctypes, os, time\nif ctypes.CDLL(None).vfork() == 0:\n    time.sleep(20)\n    os._exit(0)\nos._exit(0)"
COUNTERS = {
    "tcp.segments_in": "TcpInSegs",
    "tcp.resets_sent": "TcpOutRsts",
    "tcp.resets_received": "TcpEstabResets",
    "tcp.connects_failed": "TcpAttemptFails",
    "tcp.listen_overflows": "TcpExtListenOverflows",
    "tcp.listen_drops": "TcpExtListenDrops",
}


def test_what_the_cores_do_is_what_top_says(tomcat_jre: Container, tmp_path: Path) -> None:
    """One core computes meanwhile, or there would be little to compare."""
    argv = ["top", "-b", "-n", "2", "-d", "4"]
    with (
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}
        ) as top,
    ):
        try:
            time.sleep(0.3)
            shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
            said = top.communicate(timeout=30)[0]
        finally:
            busy.kill()
    last = re.findall(r"^%Cpu\(s\): (.*)$", said, re.MULTILINE)[-1]
    shares = {word: float(share) / 100 for share, word in re.findall(r"([\d.]+) (\w\w)", last)}
    assert shown.one("cpu.user") == pytest.approx(shares["us"] + shares["ni"], abs=0.2)
    assert shown.one("cpu.system") == pytest.approx(shares["sy"] + shares["hi"] + shares["si"], abs=0.15)
    assert shown.one("cpu.idle") == pytest.approx(shares["id"], abs=0.2)
    assert shown.one("cpu.iowait") == pytest.approx(shares["wa"], abs=0.1)
    assert shown.one("cpu.steal") == pytest.approx(shares["st"], abs=0.1)
    assert shown.one("cpu.user") >= 0.7 / (os.cpu_count() or 1)


def test_the_machines_memory_is_what_free_says(tomcat_jre: Container, tmp_path: Path) -> None:
    shown = metrics(str(tomcat_jre.name), "--interval", "0.5", home=tmp_path)
    rows = subprocess.run(
        ["free", "-b", "-w"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    memory, swap = ([int(word) for word in row.split()[1:]] for row in rows[1:3])
    near = 300 << 20
    # total used free shared buffers cache available
    assert shown.one("memory.total") == memory[0]
    assert shown.one("memory.free") == pytest.approx(memory[2], abs=near)
    assert shown.one("memory.available") == pytest.approx(memory[6], abs=near)
    # free counts what the kernel can reclaim of its own as cache.
    assert shown.one("memory.cached") <= memory[5] + near
    assert shown.one("swap.total") == swap[0]
    assert shown.one("swap.used") == pytest.approx(swap[1], abs=near)


def test_tcps_own_counters_are_those_of_nstat(run_container: RunContainer, tmp_path: Path) -> None:
    """Refused connections, resets, and a server that accepts nobody any more."""
    container = run_container("jvm17")

    def counted() -> dict[str, int]:
        said = within(container, "nstat", "-asz", *COUNTERS.values())
        return {name: number_in(rf"^{counter} +(\d+)", said) for name, counter in COUNTERS.items()}

    port, pid = published_port(container), pid_of(container)
    os.kill(pid, signal.SIGSTOP)
    try:
        first = counted()
        command = [
            sys.executable,
            "-m",
            "jvmdiag.cli.start",
            "metrics",
            str(container.name),
            "--interval",
            "4",
            "--json",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HOME": str(tmp_path)}
        ) as asked:
            time.sleep(1.5)
            with ExitStack() as stack:
                _disturb(container, port, stack)
                said = asked.communicate(timeout=60)[0]
        last = counted()
    finally:
        os.kill(pid, signal.SIGCONT)
    shown = _shown(said)
    for name in COUNTERS:
        assert last[name] > first[name], f"nothing happened to {name}"
        # What came before the first look and behind the second is in nstat's alone.
        assert 0 < shown.one(name) * shown.seconds <= last[name] - first[name] + 0.5, name


def _shown(said: str) -> Shown:
    return Shown(json.loads(said))


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
        "for _ in range(5):\n"
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
            wchan = (waiting / "wchan").read_text()
            own_pid = (waiting / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()[-1]
        finally:
            for child in _children(entered.pid):
                os.kill(child, signal.SIGKILL)
            entered.kill()
    [named] = [labels for labels, _ in shown.all("cpu.uninterruptible") if labels["pid"] == own_pid]
    assert named["name"].startswith("python")
    assert named["wchan"] == wchan


def _children(pid: int) -> list[int]:
    """Those, and theirs."""
    own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*(one for child in own for one in _children(child)), *own]


def _uninterruptible_below(pid: int) -> Path:
    until = time.monotonic() + 10
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
    assert shown.one("jvm.metaspace.used") == pytest.approx(used * 1024, rel=0.1)
    assert shown.one("jvm.metaspace.committed") == pytest.approx(committed * 1024, rel=0.1)
    # What the loaders have beside: arrays, and classes without a name.
    total = number_in(
        r"^Total = \d+ +(\d+)",
        jvmdiag("jcmd", str(container.name), "VM.classloader_stats", home=tmp_path).out,
    )
    assert 0.75 * total < shown.one("jvm.classes") <= total
