"""Other ways to an engine, and images that have to be pulled first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from jvmdiag.hosts.docker import Engine as DockerEngine
from jvmdiag.hosts.docker_exec import DockerHost
from tests.real.containers import left_behind, snapshot
from tests.real.engine import Engine
from tests.real.images import Images
from tests.real.jvmdiag import jvmdiag
from tests.real.registry import registry
from tests.real.tls import make_certificates, tls_in_front_of


@pytest.mark.parametrize("method", ["direct", "tools"])
def test_an_engine_over_tls(
    engine: Engine, shared: Callable[[str], Container], method: str, tmp_path: Path
) -> None:
    """A TLS connection cannot be closed one way: nothing may wait for the end of its stdin."""
    container = shared("tomcat-jre")
    before = snapshot(container)
    make_certificates(tmp_path)
    with tls_in_front_of(engine.url.removeprefix("unix://"), tmp_path) as port:
        env = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(tmp_path),
        }
        options = ("--view", "inside", "--method", method, "--json", "-o", str(tmp_path / "out"))
        threads = jvmdiag("threaddump", str(container.name), *options, home=tmp_path, env=env)
        assert threads.exit_code == 0, threads.err
        heap = jvmdiag("heapdump", str(container.name), "--yes", *options, home=tmp_path, env=env)
        assert heap.exit_code == 0, heap.err
        fetched = jvmdiag(
            "fetch", str(container.name), "/etc/passwd", "-o", str(tmp_path), home=tmp_path, env=env
        )
        assert fetched.exit_code == 0, fetched.err
    assert jvmdiag("verify", heap.document["artifact"]["path"], home=tmp_path).exit_code == 0
    assert left_behind(container, before) == []


def test_no_answer_is_lost_while_stdin_is_still_sent_over_tls(
    engine: Engine, shared: Callable[[str], Container], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading and writing at once lost one answer in six."""
    make_certificates(tmp_path)
    script = b"echo hello\nexit 0\n" + b"#" * 3000
    with tls_in_front_of(engine.url.removeprefix("unix://"), tmp_path) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        there = DockerEngine()
        host = DockerHost(there, str(shared("tomcat-jre").id), "over TLS")
        answers = [host.run(["sh", "-s"], stdin=script).stdout for _ in range(30)]
        there.close()
    assert answers == [b"hello\n"] * 30


def test_an_engine_whose_certificate_is_not_trusted(engine: Engine, tmp_path: Path) -> None:
    server, client = tmp_path / "server", tmp_path / "client"
    for folder in (server, client):
        folder.mkdir()
        make_certificates(folder)
    with tls_in_front_of(engine.url.removeprefix("unix://"), server) as port:
        env = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(client),
        }
        run = jvmdiag("ps", "web", home=tmp_path, env=env)
    assert run.exit_code == 20
    assert "CERTIFICATE_VERIFY_FAILED" in run.err


def test_a_jdk_image_is_pulled_where_it_is_missing(
    docker_client: docker.DockerClient, images: Images, shellless: Container, tmp_path: Path
) -> None:
    before = snapshot(shellless)
    with registry(tmp_path) as address:
        name = f"{address}/jdk:17"
        docker_client.images.get(images.get("jdk17")).tag(f"{address}/jdk", "17")
        docker_client.images.push(f"{address}/jdk", "17")
        docker_client.images.remove(name)
        options = ("--view", "inside", "--jdk-image", name, "-o", str(tmp_path / "out"))
        refused = jvmdiag("threaddump", str(shellless.name), "--no-pull", *options, home=tmp_path)
        assert refused.exit_code == 42, refused.err
        looked = jvmdiag("ps", str(shellless.name), *options[:4], home=tmp_path)
        assert looked.exit_code == 42, looked.err
        assert f"docker pull {name}" in looked.err
        dry = jvmdiag("threaddump", str(shellless.name), "--dry-run", *options, home=tmp_path)
        assert f"docker pull {name}" in dry.out, dry.err
        run = jvmdiag("threaddump", str(shellless.name), *options, home=tmp_path)
        assert run.exit_code == 0, run.err
        docker_client.images.remove(name)
    assert left_behind(shellless, before) == []
