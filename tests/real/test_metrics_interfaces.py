"""Figures of interfaces that lose packets, in a container's own network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from docker.models.containers import Container

from tests.real.course import Course
from tests.real.fixtures import RunContainer
from tests.real.shown import checked, metrics, pid_of, within

# tun0 drops what it gets that is no IP packet, and what it should send beyond a queue of five that nobody reads.
# vxlan0 counts as an error a packet whose reserved bits are set, and one whose far end has no route.
LOSE = """
import fcntl, os, socket, struct, subprocess, time
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", b"tun0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
for words in (
    "link set tun0 txqueuelen 5", "addr add 10.77.0.1/24 dev tun0", "link set tun0 up",
    "link add vxlan0 type vxlan id 42 dstport 4789 remote 10.79.0.9",
    "addr add 10.78.0.1/24 dev vxlan0", "link set vxlan0 up",
    "neigh add 10.78.0.2 lladdr 02:00:00:00:00:02 dev vxlan0", "route add unreachable 10.79.0.0/24",
):
    subprocess.run(["ip", *words.split()], check=True)
print("ready", flush=True)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    out.sendto(b"x", ("10.77.0.2", 9))
    out.sendto(b"x", ("10.78.0.2", 9))
    out.sendto(bytes((8, 0, 0, 0, 0, 0, 42, 1)) + bytes(60), ("127.0.0.1", 4789))
    try:
        os.write(tun, bytes(40))
    except OSError:
        pass
    time.sleep(0.01)
"""


def _counted(container: Container) -> dict[str, float]:
    """By interface, way, and what happened to a packet."""
    links = json.loads(within(container, "ip", "-s", "-j", "link"))
    return {
        f"{link['ifname']} {way} {what}": count
        for link in links
        for way in ("rx", "tx")
        for what, count in link["stats64"][way].items()
    }


def test_what_interfaces_lose_is_what_ip_counts(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    argv = ["nsenter", "-t", str(pid_of(container)), "-n", sys.executable, "-c", LOSE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as losing:
        try:
            assert losing.stdout and losing.stdout.readline() == "ready\n"
            with Course(lambda: _counted(container)) as course:
                shown = metrics(str(container.name), "--interval", "2", home=tmp_path)
        finally:
            losing.kill()

    lost, missed = (
        course.rate("tun0 rx dropped", shown.seconds),
        shown.one("network.receive_drops", interface="tun0"),
    )
    checked("network.receive_drops", missed, lost, by="ip -s link", rel=0.1)
    lost, missed = (
        course.rate("tun0 tx dropped", shown.seconds),
        shown.one("network.send_drops", interface="tun0"),
    )
    checked("network.send_drops", missed, lost, by="ip -s link", rel=0.1)
    lost, missed = (
        course.rate("vxlan0 rx errors", shown.seconds),
        shown.one("network.receive_errors", interface="vxlan0"),
    )
    checked("network.receive_errors", missed, lost, by="ip -s link", rel=0.1)
    lost, missed = (
        course.rate("vxlan0 tx errors", shown.seconds),
        shown.one("network.send_errors", interface="vxlan0"),
    )
    checked("network.send_errors", missed, lost, by="ip -s link", rel=0.1)
