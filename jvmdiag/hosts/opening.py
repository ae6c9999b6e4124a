"""Target to Place: opens what is needed to reach it, and closes it again. Adapters are imported on use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from jvmdiag.errors import BadRequest
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.base import Recorder
from jvmdiag.hosts.docker_context import named_endpoint
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import ContainerPlace, Machine, Place, View, ViewKind
from jvmdiag.target import DockerTarget, LocalTarget, SshDockerTarget, SshTarget, Target, parse_target

if TYPE_CHECKING:
    from jvmdiag.hosts.docker import ContainerFacts, Engine
    from jvmdiag.hosts.ssh import SshHost

_PLAIN = Access()


@contextmanager
def open_place(target: Target, access: Access, record: Recorder) -> Iterator[Place]:
    """The place that `target` names, for as long as the context lasts; a container must run.

    Raises every ConnectError and TargetError.
    """
    with ExitStack() as stack:
        match target:
            case LocalTarget():
                yield Machine("local://", LocalHost(record, sudo=access.sudo, ask=access.ask))
            case SshTarget():
                yield Machine(str(target), _ssh(stack, target, access, record))
            case DockerTarget(container) | SshDockerTarget(_, container):
                engine, host = _engine(stack, target, access, record)
                facts = engine.running(container)
                yield _container(engine, host, facts, target, access, record)


@contextmanager
def stopped_container(
    target: DockerTarget | SshDockerTarget, access: Access, record: Recorder
) -> Iterator[ContainerPlace]:
    """A container that need not run: nothing can be executed in it, but its files can be had."""
    with ExitStack() as stack:
        engine, host = _engine(stack, target, access, record)
        yield _container(engine, host, engine.inspect(target.container), target, access, record)


@contextmanager
def open_engine(record: Recorder, access: Access = _PLAIN) -> Iterator[Engine]:
    """The engine that a bare name is about. Raises every ConnectError, and BadRequest."""
    with ExitStack() as stack:
        yield _engine(stack, DockerTarget("any"), access, record)[0]


def _engine(
    stack: ExitStack, target: DockerTarget | SshDockerTarget, access: Access, record: Recorder
) -> tuple[Engine, SshHost | None]:
    """The engine, and the SSH host it runs on, if any."""
    from jvmdiag.hosts.docker import Engine

    target = _through_ssh(target)
    if isinstance(target, DockerTarget):
        engine, host = Engine(), None
    else:
        from jvmdiag.hosts.relay import relay

        host = _ssh(stack, target.ssh, access, record)
        engine = Engine(stack.enter_context(relay(host)), str(target.ssh))
    stack.callback(engine.close)
    return engine, host


def _through_ssh(target: DockerTarget | SshDockerTarget) -> DockerTarget | SshDockerTarget:
    """A bare name where docker's engine is at ssh://… is a container on that host: over our SSH, not docker-py's."""
    if isinstance(target, SshDockerTarget):
        return target
    engine = named_endpoint()
    if not engine.url.startswith("ssh://"):
        return target
    try:
        ssh, why = parse_target(engine.url), "it names a container"
    except BadRequest as error:
        ssh, why = target, str(error)
    if not isinstance(ssh, SshTarget):
        form = "an engine behind SSH is ssh://[user@]host[:port]; what its host's docker takes is asked"
        raise BadRequest(f"{engine.said_by} names no engine", why=why, advice=form)
    return SshDockerTarget(ssh, target.container)


def _ssh(stack: ExitStack, target: SshTarget, access: Access, record: Recorder) -> SshHost:
    from jvmdiag.hosts.ssh import open_ssh
    from jvmdiag.hosts.ssh_options import SshOptions

    host = open_ssh(target, SshOptions.of(access), record)
    stack.callback(host.close)
    return host


def _container(
    engine: Engine,
    host: SshHost | None,
    facts: ContainerFacts,
    target: DockerTarget | SshDockerTarget,
    access: Access,
    record: Recorder,
) -> ContainerPlace:
    from jvmdiag.hosts.docker import host_process
    from jvmdiag.hosts.docker_exec import DockerHost

    name = str(target) if host else f"docker://{facts.name}"
    machine = host or LocalHost(record)
    pid1 = host_process(machine, facts)
    around = View(machine, ViewKind.ENGINE_HOST, pid1) if pid1 else None
    inside = DockerHost(engine, facts.id, name, record)
    return ContainerPlace(name, engine, facts, inside, around, record, access.view, machine.host_key_checked)
