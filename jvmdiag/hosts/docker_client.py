"""docker-py: imported on use, opened as the docker command would, its exceptions made ours.

The only module that imports docker.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jvmdiag.errors import ConnectionLost, EngineUnreachable

_DEFAULT_SOCKET = "/var/run/docker.sock"


def open_client(base_url: str | None, where: str) -> Any:
    """A docker.APIClient for `base_url`, or for the engine that DOCKER_HOST, DOCKER_CONTEXT or the current
    context names. Costs about 150 ms of imports and one request. Raises EngineUnreachable.
    """
    docker = import_docker()
    try:
        settings = {"base_url": base_url} if base_url else _named_settings(docker)
        where = where or str(settings.get("base_url") or "the default socket")
        if base_url is None and where.startswith("ssh://"):
            raise EngineUnreachable(
                f"the engine at {where} is behind SSH", advice="name the target as ssh://HOST/docker/NAME"
            )
        client = _client_class(docker)(version="auto", **settings)
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise EngineUnreachable(
            f"no Docker Engine answers at {where}",
            why=shorten(error),
            advice=(
                "is it running? try: docker info",
                "DOCKER_HOST or `docker context use` name another engine; ssh://HOST/docker/NAME one on a host",
            ),
        ) from None
    if base_url:
        # docker-py keeps a connection for every URL it ever asked; sshd allows ten sessions.
        client.headers["Connection"] = "close"
    return client


def plain_socket() -> str | None:
    """The path of the engine's UNIX socket, where neither TLS nor a context has a say; None elsewhere."""
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        return host.removeprefix("unix://") if host.startswith("unix:///") else None
    folder = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser()
    with contextlib.suppress(OSError, ValueError):
        if json.loads((folder / "config.json").read_bytes()).get("currentContext", "default") != "default":
            return None
    return None if os.environ.get("DOCKER_CONTEXT") else _DEFAULT_SOCKET


def _client_class(docker: Any) -> Any:
    class Client(docker.APIClient):  # type: ignore[misc]
        """requests lets REQUESTS_CA_BUNDLE win over the session's own authority, that of DOCKER_CERT_PATH."""

        def merge_environment_settings(
            self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    return Client


def _named_settings(docker: Any) -> dict[str, Any]:
    """As the docker command decides: DOCKER_HOST (with its TLS variables) comes before any context."""
    if os.environ.get("DOCKER_HOST"):
        return dict(docker.utils.kwargs_from_env())
    return dict(docker.context.ContextAPI.kwargs_from_context())


def import_docker() -> Any:
    """docker-py, without the paramiko that it would bring along."""
    # `import docker` pulls in paramiko for ssh:// engines, 120 ms that only they need; docker-py
    # catches the ImportError.
    hide = "paramiko" not in sys.modules
    if hide:
        sys.modules["paramiko"] = None  # type: ignore[assignment]
    try:
        import docker
        import docker.context
    finally:
        if hide:
            del sys.modules["paramiko"]
    return docker


def shorten(error: BaseException) -> str:
    """The first line of what the engine or the library says."""
    text = str(getattr(error, "explanation", None) or error)
    return text.splitlines()[0][:300] if text else type(error).__name__


@contextlib.contextmanager
def our_errors() -> Iterator[None]:
    """Foreign exceptions become ours, except NotFound and APIError that the caller tells apart."""
    import requests
    import urllib3

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        docker = import_docker()
        if isinstance(error, docker.errors.APIError):
            raise
        raise ConnectionLost("the Docker Engine no longer answers", why=shorten(error)) from None
