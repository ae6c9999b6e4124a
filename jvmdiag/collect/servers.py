"""Tomcat and Apache on a target: asked, where they are there, for what they tell without being changed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from jvmdiag.attach.rung import THREAD_PRINT, Ready, Scene, Speaker
from jvmdiag.capture.choose import survey
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.base import Host
from jvmdiag.metrics.apache import DEFAULT_URL as APACHE_URL
from jvmdiag.metrics.apache import PROGRAMS, ServerStatus, apache_group, read_apache
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import Credentials, Http, NoPage, Vantage, vantages
from jvmdiag.metrics.look import Look
from jvmdiag.metrics.sockets import sockets_of
from jvmdiag.metrics.tomcat import ManagerStatus, manager_url, read_tomcat, tomcat_group
from jvmdiag.metrics.tomcat_threads import count_by_kernel

P = TypeVar("P", ServerStatus, ManagerStatus)
# They start no container, and a JVM that is asked by them for its threads stands still for a millisecond.
_CHEAP = ("direct", "tools")
_DUMP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ServersRequest:
    """What may be asked. `credentials` are those of Tomcat's manager, whose port without `tomcat_url` is that of a
    connector; `threads`: whether the JVM may be asked for a thread dump, which tells Tomcat's busy threads from idle
    ones where the manager is not asked."""

    apache_url: str | None = None
    tomcat_url: str | None = None
    credentials: Credentials | None = None
    threads: bool = True


@dataclass(frozen=True)
class Reading:
    """What the pages said, at `at_s` of this machine's monotonic clock; why there is none; None: not asked."""

    at_s: float
    apache: ServerStatus | NoPage | None
    tomcat: ManagerStatus | NoPage | None


@dataclass
class Servers:
    """The servers around one JVM. `scene` is None where there is no JVM: then only `host` is there to ask from."""

    host: Host
    scene: Scene | None
    request: ServersRequest
    stack: ExitStack
    _http: Http = field(init=False)
    _speaker: Speaker | None = field(default=None, init=False)
    _silent: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._http = Http(vantages(self.scene) if self.scene else [Vantage(self.host)])

    def read(self, look: Look) -> Reading:
        """Ask for the pages of the servers that `look` saw, or that were named. Raises nothing of ours."""
        apache = self.request.apache_url
        if apache is None and any(one.comm in PROGRAMS for one in look.processes()):
            apache = APACHE_URL
        credentials = self.request.credentials
        tomcat = self.request.tomcat_url or manager_url([task.name for task in look.tasks()])
        return Reading(
            time.monotonic(),
            read_apache(self._http, apache) if apache else None,
            read_tomcat(self._http, credentials, tomcat) if credentials else None,
        )

    def groups(self, before: Reading | None, after: Reading, look: Look) -> tuple[Group, ...]:
        """Tomcat's and Apache's groups; none of a server that is not there."""
        seconds = after.at_s - before.at_s if before else 0.0
        comms = [task.name for task in look.tasks()]
        page = after.tomcat
        dump = None if isinstance(page, ManagerStatus) else self._threads(comms)
        tomcat = tomcat_group(
            _known(before.tomcat if before else None),
            _known(page),
            seconds,
            dump,
            comms,
            (*_why(page), *((self._silent,) if self._silent else ())),
            sockets_of(look),
        )
        apache = apache_group(
            _known(before.apache if before else None),
            _known(after.apache),
            seconds,
            look.processes(),
            _why(after.apache),
            look.text("httpd"),
        )
        return tuple(group for group in (tomcat, apache) if group.figures or group.unseen)

    def _threads(self, comms: list[str]) -> str | None:
        """The text of a thread dump, where this is Tomcat and the JVM may be asked cheaply. One that did not answer
        once is not asked again."""
        if self.scene is None or not self.request.threads or self._silent or not any(count_by_kernel(comms)):
            return None
        try:
            self._speaker = self._speaker or self._open(self.scene)
            if self._speaker:
                return self._speaker.ask(THREAD_PRINT, _DUMP_TIMEOUT_S).decode("utf-8", "replace")
        except (JvmdiagError, TimeoutError) as error:
            self._silent = f"Tomcat's busy threads: {error}"
        return None

    def _open(self, scene: Scene) -> Speaker | None:
        steps = survey(scene, THREAD_PRINT)
        ready = (s.rung for s in steps if isinstance(s.readiness, Ready) and s.rung.name in _CHEAP)
        rung = next(ready, None)
        return self.stack.enter_context(rung.open(scene)) if rung else None


def _known(page: P | NoPage | None) -> P | None:
    return None if isinstance(page, NoPage) else page


def _why(page: object) -> tuple[str, ...]:
    return (page.text,) if isinstance(page, NoPage) else ()
