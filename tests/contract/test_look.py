"""look.sh on files that stand for the kernel's."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import jvmdiag.metrics
from jvmdiag.metrics.disk import disk_group
from jvmdiag.metrics.limits import limits_group
from jvmdiag.metrics.look import parse_look
from jvmdiag.metrics.network import network_group
from jvmdiag.metrics.sockets import sockets_of, too_many

SCRIPT = Path(jvmdiag.metrics.__file__).with_name("look.sh")
TOKEN = "0123456789abcdef"
ROW = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1\n"


@pytest.mark.parametrize(
    ("sockstat", "sockstat6", "many"),
    [
        ("TCP: inuse 20000 orphan 0 tw 0 alloc 9 mem 1\n", "TCP6: inuse 0\n", None),
        # A JVM listens for both families at once: its connections are IPv6 ones.
        ("TCP: inuse 1 orphan 0 tw 0 alloc 9 mem 1\n", "TCP6: inuse 20000\n", 20001),
        ("sockets: used 9\nTCP: inuse 1 orphan 0 tw 20000 alloc 9 mem 1\n", "TCP6: inuse 0\n", 20001),
        ("TCP: inuse 20001 orphan 0 tw 0 alloc 9 mem 1\n", None, 20001),
    ],
)
def test_a_table_of_very_many_sockets_is_not_read(
    tmp_path: Path, sockstat: str, sockstat6: str | None, many: int | None
) -> None:
    net = tmp_path / "7" / "net"
    net.mkdir(parents=True)
    (tmp_path / "uptime").write_text("1.00 1.00\n")
    (net / "tcp").write_text(ROW)
    (net / "sockstat").write_text(sockstat)
    if sockstat6 is not None:
        (net / "sockstat6").write_text(sockstat6)
    script = SCRIPT.read_text(encoding="utf-8").replace("cd /proc ", f"cd {tmp_path} ")
    argv = ["sh", "-c", script, "sh", TOKEN, "7", "7", "/nowhere", "", "slow", "", ""]
    look = parse_look(subprocess.run(argv, capture_output=True, check=True).stdout, TOKEN, 7)
    assert too_many(look) == many
    assert len(sockets_of(look)) == (0 if many else 1)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_sh_and_cat_are_enough_and_what_takes_more_is_said(tmp_path: Path) -> None:
    (tmp_path / "cat").symlink_to(str(shutil.which("cat")))
    pid = str(os.getpid())
    argv = [
        "/bin/sh",
        "-c",
        SCRIPT.read_text(encoding="utf-8"),
        "sh",
        TOKEN,
        pid,
        pid,
        "",
        "",
        "slow",
        "",
        "",
        "/",
    ]
    before = open_files()
    done = subprocess.run(argv, capture_output=True, check=True, env={"PATH": str(tmp_path)})
    # What other tests forgot is closed when Python comes to it.
    least, most = sorted((before, open_files()))
    look = parse_look(done.stdout, TOKEN, int(pid))
    limits, network, disk = limits_group(look), network_group(look, look), disk_group(look, look, ())
    assert least - 3 <= (limits.one("limit.files.used") or 0) <= most + 3
    assert "on which ports the JVM listens: it takes ls there" in network.unseen
    assert "how full the mounts are: it takes stat there" in disk.unseen


def test_every_thread_of_a_process_is_there_by_its_tid() -> None:
    ready, over = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        over.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    try:
        pid = str(os.getpid())
        argv = ["sh", "-c", SCRIPT.read_text(encoding="utf-8"), "sh", TOKEN, pid, pid, "", "", "", "", ""]
        look = parse_look(subprocess.run(argv, capture_output=True, check=True).stdout, TOKEN, os.getpid())
    finally:
        over.set()
        thread.join()
    tasks = {task.tid: task.cpu_s for task in look.tasks()}
    assert {os.getpid(), thread.native_id} <= tasks.keys()
    spent = os.times()
    assert 0 < sum(tasks.values()) <= spent.user + spent.system + 1
