"""What the figures were measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import docker

_LIBRARIES = ("docker", "paramiko", "typer", "isal", "cryptography")


def describe_machine(client: docker.DockerClient, folder: Path) -> tuple[str, ...]:
    """One fact a line; `folder` is where the files go."""
    engine = client.version()
    return (
        f"{os.cpu_count()} cores ({_cpu()}), {_memory_bytes() / 2**30:.0f} GiB of memory",
        f"{_distribution()}, kernel {platform.release()}; files on {_file_system(folder)}",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        f"Docker Engine {engine['Version']}, {_first_line('docker', '--version')}, {_openssh()}",
    )


def load_average() -> str:
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _distribution() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _file_system(folder: Path) -> str:
    return _first_line("stat", "--file-system", "--format=%T", str(folder))


def _openssh() -> str:
    """ssh says its version on stderr: "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.11"."""
    if shutil.which("ssh") is None:
        return "no OpenSSH"
    done = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True)
    return done.stderr.partition(",")[0].partition(" ")[0].replace("_", " ")


def _first_line(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]
