"""Containers for the tests: started until ready, looked into from this machine, removed by id."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISCHR
from typing import Any

import docker
from docker.models.containers import Container

from tests.real.engine import CannotHave
from tests.real.images import Images

READY_TIMEOUT_S = 180.0
REMOVED_TIMEOUT_S = 60.0
LABEL = "jvmdiag-test"
HTTP = "http"
"""`ready` for an image that answers on 8080: 200 on /."""


@dataclass(frozen=True)
class SshHost:
    """An SSH host in a container, and how it lets us in: `ops`, `dev` or `plain`, by key."""

    container: Container
    host: str
    port: int
    key: Path
    known_hosts: Path

    def target(self, user: str) -> str:
        return f"ssh://{user}@{self.host}:{self.port}"


class Containers:
    """Starts containers with names of chance under one label, and removes what it started."""

    def __init__(self, client: docker.DockerClient, images: Images, session: str) -> None:
        self._client = client
        self._images = images
        self._session = session
        self._started: list[Container] = []

    def run(
        self,
        image: str,
        *,
        ready: str | None = HTTP,
        ports: tuple[int, ...] = (8080,),
        **kwargs: Any,
    ) -> Container:
        """A running container of the recipe `image`; `kwargs` are those of docker-py's run().

        `ports` are published on 127.0.0.1. Returns when it answers HTTP, when the regular expression
        `ready` is in its log, or at once if None. Raises CannotHave, with the end of its log.
        """
        container = self._client.containers.create(
            self._images.get(image),
            name=f"{LABEL}-{image}-{secrets.token_hex(4)}",
            labels={LABEL: self._session},
            ports={f"{port}/tcp": ("127.0.0.1", None) for port in ports},  # type: ignore[misc]
            **kwargs,
        )
        self._started.append(container)
        container.start()
        if ready == HTTP:
            _until(lambda: _answers_http(container), container)
        elif ready:
            _until(lambda: bool(re.search(ready.encode(), container.logs())), container)
        container.reload()
        return container

    def remove_all(self) -> None:
        while self._started:
            _remove(self._started.pop())


def _remove(container: Container) -> None:
    """An engine gives up where a container takes longer than ten seconds to end; it ends all the same."""
    deadline = time.monotonic() + REMOVED_TIMEOUT_S
    while True:
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            return  # the test removed it
        except docker.errors.APIError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def published_port(container: Container, port: int = 8080) -> int:
    """The port of 127.0.0.1 that leads to the container's `port`."""
    container.reload()
    bindings = container.ports[f"{port}/tcp"]
    if not bindings:
        raise KeyError(port)
    return int(bindings[0]["HostPort"])


def http_get(container: Container, path: str = "/", timeout_s: float = 5.0) -> tuple[int, str]:
    """Status and body of a GET on the container's 8080. Raises OSError or HTTPException."""
    connection = http.client.HTTPConnection("127.0.0.1", published_port(container), timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _answers_http(container: Container) -> bool:
    try:
        return http_get(container)[0] == 200
    except (OSError, http.client.HTTPException, KeyError):
        return False


def _until(is_ready: Callable[[], bool], container: Container) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready():
        container.reload()
        if container.status not in ("created", "running") or time.monotonic() > deadline:
            tail = bytes(container.logs(tail=40)).decode(errors="replace")
            raise CannotHave(
                f"{container.name} is {container.status} and not ready; its log ends with:\n{tail}"
            )
        time.sleep(0.05)


def start_ssh_host(containers: Containers, image: str, folder: Path, **kwargs: Any) -> SshHost:
    """The recipe `image` as an SSH host; `folder` takes a new key and its known_hosts, `kwargs` are docker-py's."""
    key = folder / "id_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    container = containers.run(image, ports=(22, 8080), environment={"AUTHORIZED_KEY": public}, **kwargs)
    port = published_port(container, 22)
    known_hosts = folder / f"known_hosts_{port}"
    done: Any = container.exec_run(["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"])
    host_keys = done.output.decode()
    known_hosts.write_text("".join(f"[127.0.0.1]:{port} {line}\n" for line in host_keys.splitlines()))
    # The first login of a container writes /run/motd.dynamic.
    trust = ("-o", f"UserKnownHostsFile={known_hosts}", "-i", str(key), "-p", str(port))
    subprocess.run(
        ["ssh", "-F", "none", *trust, "ops@127.0.0.1", "sudo -n true"], check=True, capture_output=True
    )
    return SshHost(container, "127.0.0.1", port, key, known_hosts)


def home_of(ssh: SshHost, folder: Path) -> Path:
    """A home whose ~/.ssh lets us in, under the alias `app1` as well."""
    ssh_folder = folder / ".ssh"
    ssh_folder.mkdir(mode=0o700)
    (ssh_folder / "known_hosts").write_text(ssh.known_hosts.read_text())
    (ssh_folder / "config").write_text(
        f"Host app1\n  HostName {ssh.host}\n  Port {ssh.port}\n  User ops\n"
        f"Host *\n  IdentityFile {ssh.key}\n  IdentitiesOnly yes\n"
    )
    return folder


_OF_THE_JVM = re.compile(r"/\.java_pid\d+$|/hsperfdata_|/tomcat10/[\w-]+\.\d{4}-\d\d-\d\d\.(log|txt)$")


@dataclass(frozen=True)
class Snapshot:
    """What is in a container, and which containers that are not of the tests are on the engine."""

    files: frozenset[str]
    processes: frozenset[str]
    changes: frozenset[str]
    containers: frozenset[str]

    def added_to(self, before: Snapshot) -> list[str]:
        """What was not there `before`, but for the JVM's own: an attached one keeps its socket and its perfdata, and
        Tomcat begins each of its logs anew at midnight."""
        found = {
            *(self.files - before.files),
            *(self.processes - before.processes),
            *(self.changes - before.changes),
            *(self.containers - before.containers),
        }
        return sorted(thing for thing in found if not _OF_THE_JVM.search(thing))


def snapshot(container: Container) -> Snapshot:
    """Looks from this machine, through /proc, so that looking leaves no trace. Needs root."""
    container.reload()
    first = int(container.attrs["State"]["Pid"])
    pids = list(_pids(first))
    return Snapshot(
        files=frozenset(_files(first, pids)),
        processes=frozenset(_processes(pids)),
        changes=changes_of(container),
        containers=other_containers(container),
    )


def changes_of(container: Container) -> frozenset[str]:
    """What was made or removed in its own layer, also where it has ended. Needs root."""
    container.reload()
    driver = container.attrs.get("GraphDriver") or {}
    upper = (driver.get("Data") or {}).get("UpperDir")
    if driver.get("Name") == "overlay2" and upper and Path(upper).is_dir():
        return frozenset(f"diff /{path}" for path in _changes(Path(upper), driver["Data"]["LowerDir"]))
    return frozenset(f"diff {entry['Path']}" for entry in container.diff() or [] if entry["Kind"] != 0)


def _changes(upper: Path, lower: str) -> Iterator[Path]:
    """What the engine's own diff says of an overlay, without its walk through all of the image: half a second each."""
    below = [Path(layer) for layer in lower.split(":")]
    for folder, folders, files in os.walk(upper):
        for name in (*folders, *files):
            entry = Path(folder, name)
            path = entry.relative_to(upper)
            try:
                stat = entry.lstat()
            except FileNotFoundError:
                continue  # it was removed meanwhile
            # A device of this number is how an overlay says that what lies below is removed.
            removed = S_ISCHR(stat.st_mode) and stat.st_rdev == 0
            if removed or not any(os.path.lexists(layer / path) for layer in below):
                yield path


def other_containers(container: Container) -> frozenset[str]:
    """Those on its engine that are not of the tests."""
    others = container.client.api.containers(all=True)  # type: ignore[union-attr]
    return frozenset(f"container {other['Id']}" for other in others if LABEL not in other["Labels"])


def left_behind(
    container: Container,
    before: Snapshot,
    patience_s: float = 15.0,
    but: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """What is there now, was not `before` and may not be; a process or sidecar that is just ending may do so."""
    deadline = time.monotonic() + patience_s
    while (
        left := [one for one in snapshot(container).added_to(before) if not but(one)]
    ) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def is_zombie(left: str) -> bool:
    """Of a line `process PID NAME`.

    What the kill of a sidecar orphans is for the container's PID 1 to reap, and a JVM reaps nobody.
    """
    kind, _, rest = left.partition(" ")
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{rest.partition(' ')[0]}/stat").read_text()
        return kind == "process" and stat.rpartition(")")[2].split()[0] == "Z"
    return False


def _pids(first: int) -> Iterator[int]:
    """The processes in the PID namespace of `first`, as numbered on this machine."""
    try:
        namespace = Path(f"/proc/{first}/ns/pid").readlink()
    except OSError as error:
        raise CannotHave(
            f"a container cannot be looked into from here: {error}; run scripts/test as root"
        ) from None
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "ns/pid").readlink() == namespace:
                    yield int(entry.name)
            except OSError:
                continue  # it has ended


def _files(first: int, pids: list[int]) -> Iterator[str]:
    """Everything under /tmp and /var/tmp as the process `first` sees them, and what lies in the working directories."""
    root = Path(f"/proc/{first}/root")
    for top in ("tmp", "var/tmp"):
        for folder, folders, files in os.walk(root / top):
            inside = folder.removeprefix(str(root))
            yield from (f"{inside}/{name}" for name in (*folders, *files))
    for pid in pids:
        try:
            cwd = Path(f"/proc/{pid}/cwd")
            yield from (str(cwd.readlink() / entry.name) for entry in cwd.iterdir())
        except OSError:
            continue  # it has ended


def _processes(pids: list[int]) -> Iterator[str]:
    for pid in pids:
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
        yield f"process {pid} {name}"
