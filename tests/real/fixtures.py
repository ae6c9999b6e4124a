"""The fixtures that stand for real parts. What cannot be had raises CannotHave: no test is skipped for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.real.containers import Containers, SshHost, start_ssh_host
from tests.real.engine import Engine
from tests.real.images import Images

RunContainer = Callable[..., Container]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker Engine; DOCKER_HOST names it for the whole session, for jvmdiag and its processes."""
    with Engine() as started, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOCKER_HOST", started.url)
        environment.delenv("DOCKER_CONTEXT", raising=False)
        yield started


@pytest.fixture(scope="session")
def docker_client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = engine.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient) -> Images:
    """`images.get("jdk17")` is a tag that is there."""
    return Images(docker_client)


@pytest.fixture(scope="session")
def session_containers(docker_client: docker.DockerClient, images: Images) -> Iterator[Containers]:
    containers = Containers(docker_client, images, secrets.token_hex(4))
    yield containers
    containers.remove_all()


@pytest.fixture
def run_container(docker_client: docker.DockerClient, images: Images) -> Iterator[RunContainer]:
    """`run_container("jvm17", mem_limit="512m")`: see Containers.run. Removed at the end of the test."""
    containers = Containers(docker_client, images, secrets.token_hex(4))
    yield containers.run
    containers.remove_all()


@pytest.fixture(scope="session")
def shared(session_containers: Containers) -> Callable[[str], Container]:
    """`shared("jvm17")`: one container of each recipe for the session.

    Who changes its state takes run_container instead.
    """
    kept: dict[str, Container] = {}

    def of(image: str) -> Container:
        if image not in kept:
            kept[image] = session_containers.run(image)
        return kept[image]

    return of


@pytest.fixture(scope="session")
def tomcat_jre(shared: Callable[[str], Container]) -> Container:
    return shared("tomcat-jre")


@pytest.fixture(scope="session")
def tomcat_jdk(shared: Callable[[str], Container]) -> Container:
    return shared("tomcat-jdk")


@pytest.fixture(scope="session")
def shellless(shared: Callable[[str], Container]) -> Container:
    return shared("shellless")


@pytest.fixture(scope="session")
def ssh_jre(session_containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> SshHost:
    """An SSH host with Tomcat on a JRE; ops, dev and plain come in by key."""
    return start_ssh_host(session_containers, "ssh-jre", tmp_path_factory.mktemp("ssh-jre"))


@pytest.fixture(scope="session")
def ssh_jdk(session_containers: Containers, tmp_path_factory: pytest.TempPathFactory) -> SshHost:
    """The same on a full JDK."""
    return start_ssh_host(session_containers, "ssh-jdk", tmp_path_factory.mktemp("ssh-jdk"))


def cases(*shown: object, long: Iterable[object]) -> list[object]:
    """Parameters of which those in `long` are left out unless scripts/test --long is run."""
    more = [one if isinstance(one, tuple) else (one,) for one in long]
    return [*shown, *(pytest.param(*one, marks=pytest.mark.long) for one in more)]
