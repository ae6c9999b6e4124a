"""probe.sh on this machine: which processes are JVMs, by what is mapped into them and not by their name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import View, ViewKind
from jvmdiag.jvm.discovery import look
from jvmdiag.model import Completed, Jvm, Owner, Vm

# Maps the files that it is given, says so, and lives until its stdin ends.
_MAPS = (
    "import mmap, sys; files = [open(name, 'rb') for name in sys.argv[1:]];"
    "maps = [mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) for file in files];"
    "print('ready', flush=True); sys.stdin.read()"
)


@contextmanager
def running(*argv: str | Path, ready: bytes = b"ready\n") -> Iterator[int]:
    """The pid of a process that is ready, and ends with the context."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(ready)
        process.stdin.flush()
        assert process.stdout.read(len(ready)) == ready
        yield process.pid
        process.stdin.close()


class Without(LocalHost):
    """This machine with nothing on the path but the commands in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def _run(self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float) -> Completed:
        return super()._run(("/usr/bin/env", f"PATH={self._folder}", *argv), stdin, user, timeout_s)


def with_commands(folder: Path, *names: str) -> Path:
    for name in names:
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture(params=["grep", "no grep"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> LocalHost:
    """A machine whose images have grep, and one as of a minimal image."""
    if request.param == "grep":
        return LocalHost()
    folder = tmp_path / "bin"
    folder.mkdir()
    return Without(with_commands(folder, "sh", "cat", "id", "readlink", "stat", "tr"))


def seen(machine: LocalHost, pid: int) -> Jvm | None:
    jvms = look(View(machine, ViewKind.MACHINE))
    assert jvms is not None
    return next((jvm for jvm in jvms if jvm.pid == pid), None)


def test_a_process_that_is_only_called_java_is_no_jvm(machine: LocalHost, tmp_path: Path) -> None:
    java = tmp_path / "java"
    shutil.copy(shutil.which("cat") or "cat", java)
    with running(java) as pid:
        assert Path(f"/proc/{pid}/comm").read_text() == "java\n"
        assert seen(machine, pid) is None


@pytest.mark.parametrize(
    ("libraries", "vm"),
    [(["libjvm.so"], Vm.HOTSPOT), (["libj9vm29.so"], Vm.OPENJ9), (["libjvm.so", "libj9vm29.so"], Vm.OPENJ9)],
)
def test_a_jvm_is_known_by_its_library_whatever_it_is_called(
    machine: LocalHost, libraries: list[str], vm: Vm, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in libraries]
    for path in paths:
        path.write_bytes(b"\x7fELF")
    with running(sys.executable, "-c", _MAPS, *paths) as pid:
        jvm = seen(machine, pid)
    assert jvm is not None
    assert jvm.vm is vm


def test_a_library_of_nearly_that_name_makes_no_jvm(machine: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "mylibjvm.so"
    path.write_bytes(b"\x7fELF")
    with running(sys.executable, "-c", _MAPS, path) as pid:
        assert seen(machine, pid) is None
