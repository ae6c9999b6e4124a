"""The contract of a Host, held by a container of a real engine, and by one whose engine is behind SSH."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from jvmdiag.hosts.base import Host
from jvmdiag.hosts.docker import Engine as DockerEngine
from jvmdiag.hosts.docker_exec import DockerHost
from jvmdiag.hosts.images import has_image
from jvmdiag.hosts.relay import relay
from jvmdiag.hosts.ssh import open_ssh
from jvmdiag.model import Owner
from tests.contract.host_contract import HostContract
from tests.real.engine import Engine
from tests.real.sshd import Sshd, missing

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def container(shared: Callable[[str], Container]) -> Container:
    return shared("tomcat-jre")


class TestDockerHost(HostContract):
    @pytest.fixture
    def host(self, container: Container) -> Iterator[Host]:
        engine = DockerEngine()
        yield DockerHost(engine, str(container.id), f"docker://{container.name}")
        engine.close()

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return Owner(65534, 65534)


def sshd_settings(engine: Engine) -> tuple[str, ...]:
    """`docker system dial-stdio` of a non-interactive shell learns of the engine by its environment."""
    return (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")


@pytest.fixture(scope="module")
def behind_ssh(
    engine: Engine, container: Container, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerHost]:
    if why := missing():
        pytest.fail(why)
    folder: Path = tmp_path_factory.mktemp("sshd")
    settings = sshd_settings(engine)
    with (
        Sshd(folder, config=settings) as sshd,
        open_ssh(sshd.target(), sshd.options()) as host,
        relay(host) as url,
    ):
        remote = DockerEngine(url, "ssh://there")
        yield DockerHost(remote, str(container.id), "docker behind ssh")
        remote.close()


class TestDockerHostBehindSsh(HostContract):
    @pytest.fixture
    def host(self, behind_ssh: DockerHost) -> Host:
        return behind_ssh

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return Owner(65534, 65534)


def test_an_engine_whose_sshd_has_no_session_left_is_asked_again(engine: Engine, tmp_path: Path) -> None:
    settings = (*sshd_settings(engine), "MaxSessions 2")
    with (
        Sshd(tmp_path, config=settings) as sshd,
        open_ssh(sshd.target(), sshd.options()) as host,
        relay(host) as url,
    ):
        remote = DockerEngine(url, "ssh://there")
        with host.stream(["cat"]) as stream:
            later = threading.Timer(0.7, stream.close)
            later.start()
            assert has_image(remote, "jvmdiag-test/no-such-image:1") is False
            later.join()
        remote.close()
