"""A heap dump without disk over SSH: it comes, and a connection that is cut or stalls leaves no JVM standing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from jvmdiag.capture.pipe import STALL_S
from tests.real.images import Images
from tests.real.jvmdiag import Running, final_names, jvmdiag
from tests.real.local_jvm import start, unpack
from tests.real.piping import SLACK_S, all_pids, readers, the_reader, until
from tests.real.sshd import Sshd, descendants


@pytest.fixture(scope="module")
def unpacked(
    docker_client: docker.DockerClient, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return unpack(docker_client, images, tmp_path_factory.mktemp("opt"))


@pytest.fixture
def local_jvm(tmp_path: Path, unpacked: Path) -> Iterator[subprocess.Popen[bytes]]:
    with start(unpacked, tmp_path / "log", "--megabytes", "300", java=("-Xmx900m",)) as process:
        yield process


def ssh(sshd: Sshd, folder: Path) -> tuple[str, ...]:
    options = sshd.options()
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "known_hosts").write_text(Path(options.known_hosts[0]).read_text())
    return (str(sshd.target()), "-i", str(options.identity_files[0]))


def over_ssh(sshd: Sshd, jvm: subprocess.Popen[bytes], folder: Path) -> tuple[str, ...]:
    dumps = ("--dump-dir", str(made(folder / "dumps")))
    return (
        *ssh(sshd, folder),
        "--jvm",
        str(jvm.pid),
        "--no-disk",
        *dumps,
        "--yes",
        "-o",
        str(folder / "out"),
    )


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def the_jvm_answers(jvm: subprocess.Popen[bytes], home: Path) -> None:
    run = jvmdiag("jcmd", "--timeout", "20", "--jvm", str(jvm.pid), "local://", "VM.version", home=home)
    assert run.exit_code == 0, run.err


def test_it_comes_over_ssh(tmp_path: Path, local_jvm: subprocess.Popen[bytes]) -> None:
    with Sshd(made(tmp_path / "sshd")) as sshd:
        run = jvmdiag("heapdump", *over_ssh(sshd, local_jvm, tmp_path), "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    assert all(witness["agrees"] for witness in run.document["artifact"]["witnesses"])
    assert list((tmp_path / "dumps").iterdir()) == []


def test_a_connection_that_is_cut_lets_the_jvm_go_on(
    tmp_path: Path, local_jvm: subprocess.Popen[bytes]
) -> None:
    with Sshd(made(tmp_path / "sshd")) as sshd:
        running = Running("heapdump", *over_ssh(sshd, local_jvm, tmp_path), home=tmp_path)
        the_reader(running)
        sshd.restart()
        run = running.end()
        the_jvm_answers(local_jvm, tmp_path)
    assert run.exit_code in (26, 61), run.err
    assert final_names(tmp_path / "out") == []
    until("nothing is left there", lambda: not list((tmp_path / "dumps").iterdir()))


@pytest.mark.long
def test_a_connection_that_stalls_lets_the_jvm_go_on_and_is_told(
    tmp_path: Path, local_jvm: subprocess.Popen[bytes]
) -> None:
    with Sshd(made(tmp_path / "sshd")) as sshd:
        running = Running("heapdump", *over_ssh(sshd, local_jvm, tmp_path), home=tmp_path)
        reader = the_reader(running)
        sessions = [
            pid
            for pid in descendants(int((sshd.folder / "sshd.pid").read_text()))
            if Path(f"/proc/{pid}/comm").read_text().startswith("sshd")
        ]
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        until("the reader is ended", lambda: reader not in readers(all_pids()), STALL_S + SLACK_S)
        the_jvm_answers(local_jvm, tmp_path)
        assert list((tmp_path / "dumps").iterdir()) == []
        run = running.end()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert run.exit_code == 26, run.err
    assert final_names(tmp_path / "out") == []
