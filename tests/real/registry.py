"""A registry of images on loopback, which an engine may pull from without TLS."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.sshd import free_port

_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Its host:port, as an image's name begins."""
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(root=folder / "images", port=port))
    log = (folder / "registry.log").open("wb")
    with log, subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log) as process:
        try:
            until = time.monotonic() + 60
            while not _answers(port):
                assert process.poll() is None and time.monotonic() < until, (
                    folder / "registry.log"
                ).read_text()
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
