"""docker-py: imported on use, opened for an endpoint.

The only module that imports docker.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from jvmdiag.hosts.docker_context import Certificates, Endpoint, docker_config

# Without it a reader waits for ever for a peer that is gone without a word: a minute is enough to know.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3}


def open_client(endpoint: Endpoint, *, relayed: bool = False) -> Any:
    """A docker.APIClient for `endpoint`. Costs about 150 ms of imports and one request.

    Raises whatever docker-py raises, see opening_errors, and BadRequest for a broken config.json.
    """
    if endpoint.url.startswith("ssh://"):
        raise ValueError("an engine behind SSH is reached by a relay: ssh://HOST/docker/NAME")
    docker = import_docker()
    # docker-py reads the same file, and stumbles over one that holds no object.
    docker_config()
    tls = _tls(docker, endpoint.tls) if endpoint.tls else False
    client = _client_class(docker)(base_url=endpoint.url, version="auto", tls=tls)
    _keep_alive(client)
    if relayed:
        # docker-py keeps a connection for every URL it ever asked; sshd allows ten sessions.
        client.headers["Connection"] = "close"
    return client


def _tls(docker: Any, files: Certificates) -> Any:
    own = tuple(str(path) for path in files.own) if files.own else None
    authority = str(files.authority) if files.authority else None
    return docker.tls.TLSConfig(client_cert=own, ca_cert=authority, verify=files.verify)


def _client_class(docker: Any) -> Any:
    class Client(docker.APIClient):  # type: ignore[misc]
        """requests lets REQUESTS_CA_BUNDLE win over the session's own authority, that of DOCKER_CERT_PATH."""

        def merge_environment_settings(
            self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    return Client


def _keep_alive(client: Any) -> None:
    """Every TCP connection from now on; a UNIX socket's client has none."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

    named = ((getattr(socket, name, None), value) for name, value in _KEEPALIVE.items())
    options = [(socket.IPPROTO_TCP, number, value) for number, value in named if number is not None]

    class KeptAlive(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **settings: Any) -> None:
            ours = [
                *HTTPConnection.default_socket_options,
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
                *options,
            ]
            super().init_poolmanager(*args, socket_options=ours, **settings)

    for scheme in ("http://", "https://"):
        if scheme in client.adapters:
            client.adapters[scheme].close()
            client.mount(scheme, KeptAlive())


def import_docker() -> Any:
    """docker-py, without the paramiko that it would bring along."""
    # `import docker` pulls in paramiko for ssh:// engines, 120 ms that only they need; docker-py
    # catches the ImportError.
    hide = "paramiko" not in sys.modules
    if hide:
        sys.modules["paramiko"] = None  # type: ignore[assignment]
    try:
        import docker
    finally:
        if hide:
            del sys.modules["paramiko"]
    return docker
