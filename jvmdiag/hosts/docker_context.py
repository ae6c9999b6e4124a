"""Which engine is meant: DOCKER_HOST, DOCKER_CONTEXT or the current context, as the docker command decides.

Read without docker-py, whose import takes 150 ms.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jvmdiag.errors import BadRequest

DEFAULT_URL = "unix:///var/run/docker.sock"
_DEFAULT_CONTEXT = "default"


@dataclass(frozen=True)
class Certificates:
    """For TLS. `authority` None is the system's; `own` are the certificate and the key that show who we are."""

    authority: Path | None
    own: tuple[Path, Path] | None
    verify: bool


@dataclass(frozen=True)
class Endpoint:
    """Where an engine is, as docker writes it, and who says so."""

    url: str
    said_by: str = ""
    tls: Certificates | None = None

    def __str__(self) -> str:
        return f"{self.url} ({self.said_by})" if self.said_by else self.url

    @property
    def socket_path(self) -> str | None:
        """The path of a UNIX socket; None for what is none."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix:///") else None


def named_endpoint() -> Endpoint:
    """DOCKER_HOST (with its TLS variables) comes before any context. Raises BadRequest for a context
    that is not there, and for a file of Docker's that cannot be read."""
    if url := os.environ.get("DOCKER_HOST"):
        return Endpoint(url, "DOCKER_HOST", _variables())
    if name := os.environ.get("DOCKER_CONTEXT"):
        return _context(name, "DOCKER_CONTEXT")
    return _context(docker_config().get("currentContext") or _DEFAULT_CONTEXT, str(config_file()))


def docker_config() -> dict[str, Any]:
    """What config.json says; nothing where it is not there or is not for us to read: docker goes on without
    it then, too. Raises BadRequest where it is broken."""
    file = config_file()
    return (_object(file) or {}) if os.access(file, os.R_OK) else {}


def _variables() -> Certificates | None:
    said, verify = os.environ.get("DOCKER_CERT_PATH"), bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not (said or verify):
        return None
    folder = Path(said) if said else _folder()
    found = _certificates(folder, verify=verify)
    if found.authority is None and found.own is None:
        raise BadRequest(
            f"there are no certificates for the Docker Engine in {folder}",
            why="none of ca.pem, cert.pem and key.pem is there to be read",
            advice="DOCKER_CERT_PATH names their folder",
        )
    return found


def _context(name: Any, said_by: str) -> Endpoint:
    if name == _DEFAULT_CONTEXT:
        return Endpoint(DEFAULT_URL)
    key = hashlib.sha256(str(name).encode()).hexdigest()
    file = _folder() / "contexts" / "meta" / key / "meta.json"
    meta = _object(file)
    if meta is None:
        raise BadRequest(
            f"there is no Docker context {name!r}",
            why=f"{said_by} names it, and there is no {file}",
            advice="see: docker context ls",
        )
    try:
        docker = dict(meta["Endpoints"]["docker"])
        url, skip = str(docker.get("Host") or DEFAULT_URL), bool(docker.get("SkipTLSVerify"))
    except (KeyError, TypeError, ValueError):
        raise _broken(file, "it names no endpoint of Docker's") from None
    tls = _certificates(_folder() / "contexts" / "tls" / key / "docker", verify=not skip)
    wanted = skip or tls.authority or tls.own
    return Endpoint(url, f"Docker context {name}", tls if wanted else None)


def _certificates(folder: Path, *, verify: bool) -> Certificates:
    ca, cert, key = (folder / f"{name}.pem" for name in ("ca", "cert", "key"))
    own = (cert, key) if os.access(cert, os.R_OK) and os.access(key, os.R_OK) else None
    return Certificates(ca if os.access(ca, os.R_OK) else None, own, verify)


def _folder() -> Path:
    folder = Path(os.environ.get("DOCKER_CONFIG") or "~/.docker")
    # A uid without a passwd entry may have no home.
    with suppress(RuntimeError):
        return folder.expanduser()
    return folder


def config_file() -> Path:
    """Where docker keeps its configuration, whether or not there is one."""
    return _folder() / "config.json"


def _object(file: Path) -> dict[str, Any] | None:
    """The JSON object in `file`; None where there is no such file."""
    try:
        text = file.read_bytes()
        found = json.loads(text) if text.strip() else {}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _broken(file, str(error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise _broken(file, f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _broken(file, "it is JSON, and no object")
    return found


def _broken(file: Path, why: str) -> BadRequest:
    return BadRequest(
        f"Docker's configuration {file} cannot be read",
        why=why,
        advice="mend it or move it away; DOCKER_CONFIG names another folder than ~/.docker",
    )
