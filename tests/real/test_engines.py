"""Other ways to an engine, and images that have to be pulled first."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from jvmdiag.hosts.docker import Engine as DockerEngine
from jvmdiag.hosts.docker_exec import DockerHost
from tests.proxy import Answer, answering, message
from tests.real.containers import left_behind, snapshot
from tests.real.engine import Engine
from tests.real.fixtures import cases
from tests.real.images import Images
from tests.real.jvmdiag import jvmdiag
from tests.real.registry import registry
from tests.real.sshd import Sshd
from tests.real.tls import make_certificates, tls_in_front_of


@pytest.mark.parametrize("method", cases("tools", long=("direct",)))
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


@pytest.fixture
def sshd(engine: Engine, tmp_path: Path) -> Iterator[Sshd]:
    """The engine's host, to be logged in to."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    settings = (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")
    with Sshd(folder, config=settings) as started:
        yield started


def make_context(home: Path, name: str, endpoint: str, *, current: bool = False) -> None:
    """As a user makes one."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    make = ["docker", "context", "create", name, "--docker", endpoint]
    subprocess.run(make, check=True, capture_output=True, env=env)
    if current:
        subprocess.run(["docker", "context", "use", name], check=True, capture_output=True, env=env)


def named_by(way: str, home: Path, url: str, endpoint: str) -> dict[str, str]:
    """The environment in which docker's engine is the one at `url`."""
    if way == "DOCKER_HOST":
        return {"DOCKER_HOST": url}
    make_context(home, "there", endpoint, current=way == "current context")
    return {"DOCKER_HOST": ""} | ({"DOCKER_CONTEXT": "there"} if way == "DOCKER_CONTEXT" else {})


@pytest.mark.parametrize("way", cases("DOCKER_HOST", "current context", long=("DOCKER_CONTEXT",)))
def test_an_engine_that_docker_has_behind_ssh(
    shared: Callable[[str], Container], sshd: Sshd, way: str, tmp_path: Path
) -> None:
    """Nothing in ~/.ssh lets us in: the options of the command line do, for the list of containers too."""
    container = shared("tomcat-jre")
    before = snapshot(container)
    url = str(sshd.target())
    env = named_by(way, tmp_path, url, f"host={url}")
    (tmp_path / "ssh_config").write_text(f"Host *\n UserKnownHostsFile {sshd.known_hosts}\n")
    options = ("-i", str(sshd.client_key), "-F", str(tmp_path / "ssh_config"))
    listed = jvmdiag("ps", *options, "--json", home=tmp_path, env=env)
    assert listed.exit_code == 0, listed.err
    assert f"docker://{container.name}" in [one["target"] for one in listed.document["jvms"]]
    run = jvmdiag(
        "threaddump", str(container.name), *options, "--view", "inside", "-o", str(tmp_path / "out"),
        home=tmp_path, env=env,
    )  # fmt: skip
    assert run.exit_code == 0, run.err
    missing = jvmdiag("threaddump", f"{container.name}x", *options, home=tmp_path, env=env)
    assert missing.exit_code == 10
    assert url in missing.err
    assert left_behind(container, before) == []


def test_an_engine_behind_ssh_that_does_not_let_us_in(sshd: Sshd, tmp_path: Path) -> None:
    env = {"DOCKER_HOST": str(sshd.target())}
    assert jvmdiag("ps", "web", home=tmp_path, env=env).exit_code == 21
    here = jvmdiag("ps", home=tmp_path, env=env)
    assert here.exit_code == 0
    assert "not looked at: containers" in here.out
    assert "known_hosts" in here.out


@pytest.mark.parametrize("way", cases("DOCKER_CONTEXT", long=("current context",)))
def test_a_context_with_tls(
    engine: Engine, shared: Callable[[str], Container], way: str, tmp_path: Path
) -> None:
    container = shared("tomcat-jre")
    make_certificates(tmp_path)
    with tls_in_front_of(engine.url.removeprefix("unix://"), tmp_path) as port:
        url = f"tcp://127.0.0.1:{port}"
        files = ",".join(f"{name}={tmp_path}/{name}.pem" for name in ("ca", "cert", "key"))
        env = named_by(way, tmp_path, url, f"host={url},{files}")
        out = ("--view", "inside", "-o", str(tmp_path / "out"))
        run = jvmdiag("threaddump", str(container.name), *out, home=tmp_path, env=env)
        assert run.exit_code == 0, run.err
        missing = jvmdiag("ps", f"{container.name}x", home=tmp_path, env=env)
    assert missing.exit_code == 10
    assert f"{url} (Docker context there)" in missing.err


def test_a_stream_over_tcp_notices_a_peer_that_is_gone_without_a_word(
    engine: Engine, shared: Callable[[str], Container], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificates(tmp_path)
    with tls_in_front_of(engine.url.removeprefix("unix://"), tmp_path) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
        there = DockerEngine()
        with DockerHost(there, str(shared("tomcat-jre").id), "over TLS").stream(["cat"]) as stream:
            recorded: Any = stream
            taken = recorded._stream._socket
            assert taken.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 60
        there.close()


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [(message(403, "authorization denied by plugin opa: no"), 29), (message(500, "driver failed"), 26)],
)
@pytest.mark.parametrize("command", [("ps", "web"), ("fetch", "web", "/x"), ("threaddump", "web")])
def test_a_plugin_or_proxy_that_says_no(
    command: tuple[str, ...], answer: Answer, exit_code: int, tmp_path: Path
) -> None:
    with answering(tmp_path, answer) as url:
        run = jvmdiag(*command, home=tmp_path, env={"DOCKER_HOST": url})
        here = jvmdiag("ps", "--json", home=tmp_path, env={"DOCKER_HOST": url})
    assert run.exit_code == exit_code
    assert f"why: {json.loads(answer.body)['message']}" in run.err
    assert here.exit_code == 0
    assert here.document["unseen"][-1][0] == "containers"


def test_an_archive_that_is_cut_on_the_way(tmp_path: Path) -> None:
    facts = {
        "Id": "c0ffee", "Name": "/web", "Config": {"Image": "x", "Tty": False},
        "State": {"Running": False, "Status": "exited", "Pid": 0},
        "HostConfig": {"LogConfig": {"Type": "json-file"}},
    }  # fmt: skip
    header = tarfile.TarInfo("x")
    header.size = 1 << 20
    cut = Answer(200, header.tobuf() + bytes(1 << 16), {"X-Docker-Container-Path-Stat": "e30="}, cut=True)
    with answering(tmp_path, Answer(200, json.dumps(facts).encode()), {"/archive": cut}) as url:
        out = tmp_path / "out"
        run = jvmdiag("fetch", "web", "/x", "-o", str(out), home=tmp_path, env={"DOCKER_HOST": url})
    assert run.exit_code == 26, run.err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("file", [".docker/config.json", ".ssh/config"])
def test_a_broken_file_of_the_users_is_named(file: str, tmp_path: Path) -> None:
    broken = tmp_path / file
    broken.parent.mkdir()
    broken.write_text('Include "foo\n')
    target = "ssh://host" if "ssh" in file else "web"
    run = jvmdiag("ps", target, home=tmp_path, env={"DOCKER_HOST": ""})
    assert run.exit_code == 2
    assert str(broken) in run.err


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    run = jvmdiag("ps", "web", home=tmp_path, env={"DOCKER_HOST": "", "DOCKER_CONTEXT": "nope"})
    assert run.exit_code == 2
    assert "no Docker context 'nope'" in run.err
    assert "docker context ls" in run.err


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
