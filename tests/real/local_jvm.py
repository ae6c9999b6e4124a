"""A JVM of this machine: the runtime and the load program of an image, run outside of it."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from tests.real.images import Images


def unpack(client: docker.DockerClient, images: Images, folder: Path, image: str = "jvm17") -> Path:
    """/opt of the image, with java and load in it, below `folder`."""
    container = client.containers.create(images.get(image))
    try:
        for name in ("java", "load"):
            stream, _ = container.get_archive(f"/opt/{name}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
                tar.extractall(folder, filter="tar")
    finally:
        container.remove()
    return folder


@contextmanager
def start(
    opt: Path, log: Path, *arguments: str, java: tuple[str, ...] = (), behind: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """The load program on a free port of its own, until the context ends; it is ready when this returns.

    `behind`: words that come before the command.
    """
    command = [
        *behind,
        str(opt / "java/bin/java"),
        *java,
        "-cp",
        str(opt / "load"),
        "Load",
        "--port",
        "0",
        *arguments,
    ]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            while b"ready" not in log.read_bytes():
                assert process.poll() is None, log.read_text()
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
            process.wait()
            # A JVM that is killed leaves its socket, and a later process may get the same pid.
            Path(f"/tmp/.java_pid{process.pid}").unlink(missing_ok=True)
