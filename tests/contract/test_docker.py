"""The contract of a Host, held by a container of a real engine, and by one whose engine is behind SSH."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from jvmdiag.hosts.base import Host
from jvmdiag.hosts.docker import Engine as DockerEngine
from jvmdiag.hosts.docker_exec import DockerHost
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


@pytest.fixture(scope="module")
def behind_ssh(
    engine: Engine, container: Container, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerHost]:
    if why := missing():
        pytest.fail(why)
    # `docker system dial-stdio` of a non-interactive shell learns of the engine by its environment.
    folder: Path = tmp_path_factory.mktemp("sshd")
    settings = (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")
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
