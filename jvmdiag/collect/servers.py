"""Tomcat and Apache on a target: asked, where they are there, for what they tell without being changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

from jvmdiag.attach.rung import THREAD_PRINT, Scene
from jvmdiag.collect.agents import ManagementAgents
from jvmdiag.collect.asking import Questions
from jvmdiag.hosts.base import Host
from jvmdiag.metrics.apache import DEFAULT_URL as APACHE_URL
from jvmdiag.metrics.apache import PROGRAMS, ServerStatus, apache_group, read_apache
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import Credentials, Http, NoPage, Vantage, Why, shown, vantages
from jvmdiag.metrics.look import Look
from jvmdiag.metrics.pulse import pulse_of
from jvmdiag.metrics.sockets import sockets_of
from jvmdiag.metrics.tomcat import ManagerStatus, manager_url, read_tomcat, tomcat_group
from jvmdiag.metrics.tomcat_jmx import TomcatBeans
from jvmdiag.metrics.tomcat_threads import is_tomcat

P = TypeVar("P", ServerStatus, ManagerStatus, TomcatBeans)


@dataclass(frozen=True)
class ServersRequest:
    """What may be asked. `credentials` are those of Tomcat's manager, whose port without `tomcat_url` is that of a
    connector. `threads`: whether the JVM may be asked where the manager is not: for its management agent, and for a
    thread dump, which tells Tomcat's busy threads from idle ones. `jmx` is the address of an agent's registry, by which
    it is found without that."""

    apache_url: str | None = None
    tomcat_url: str | None = None
    credentials: Credentials | None = None
    threads: bool = True
    jmx: tuple[str, int] | None = None
    jmx_credentials: Credentials | None = None

    @property
    def named(self) -> bool:
        """Whether anything is asked for by name."""
        named = (self.apache_url, self.tomcat_url, self.credentials, self.jmx, self.jmx_credentials)
        return any(one is not None for one in named)


@dataclass(frozen=True)
class Reading:
    """What the pages said, at `at_s` of this machine's monotonic clock; why there is none; None: not asked."""

    at_s: float
    apache: ServerStatus | NoPage | None
    tomcat: ManagerStatus | NoPage | None
    jmx: TomcatBeans | NoPage | None = None

    @property
    def beans(self) -> TomcatBeans | None:
        return _known(self.jmx)

    @property
    def status(self) -> ManagerStatus | None:
        """By the manager's page, else by JMX."""
        return _known(self.tomcat) or (self.beans.status if self.beans else None)


@dataclass
class Servers:
    """The servers around one JVM. `scene` is None where there is no JVM: then only `host` is there to ask from.

    `unanswered` says of what was asked for by name why it did not answer at last.
    """

    host: Host
    scene: Scene | None
    request: ServersRequest
    stack: ExitStack
    unanswered: tuple[str, ...] = field(default=(), init=False)
    _http: Http = field(init=False)
    _agents: ManagementAgents = field(init=False)
    _questions: Questions = field(init=False)
    _refused: NoPage | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        seen_from = vantages(self.scene) if self.scene else (Vantage(self.host),)
        self._http = Http(seen_from)
        request = self.request
        self._questions = Questions(self.scene, self.stack)
        self._agents = ManagementAgents(seen_from, request.jmx, request.jmx_credentials, self._questions.ask)

    def read(self, look: Look) -> Reading:
        """Ask for the pages of the servers that `look` saw, or that were named. Raises nothing of ours."""
        apache = self.request.apache_url
        if apache is None and any(one.comm in PROGRAMS for one in look.processes()):
            apache = APACHE_URL
        pulse = pulse_of(look)
        self._questions.see(pulse)
        comms = [task.name for task in look.tasks()]
        page = self._manager(comms, pulse.stands if pulse else "")
        reading = Reading(
            time.monotonic(),
            read_apache(self._http, apache) if apache else None,
            page,
            None if isinstance(page, ManagerStatus) and not self.request.jmx else self._beans(comms),
        )
        self.unanswered = tuple(self._unanswered(reading))
        return reading

    def _unanswered(self, reading: Reading) -> Iterator[str]:
        request = self.request
        if request.apache_url:
            yield from _why(reading.apache)
        yield from _why(reading.tomcat)
        if request.jmx or request.jmx_credentials:
            yield from _why(reading.jmx)

    def _manager(self, comms: list[str], stands: str) -> ManagerStatus | NoPage | None:
        """One that is refused does not come again: Tomcat locks a user out after five wrong passwords. `stands` says
        why the JVM cannot answer: its own manager is not waited for then."""
        credentials = self.request.credentials
        if credentials is None or self._refused:
            return self._refused
        url = self.request.tomcat_url or manager_url(comms)
        if stands and not self.request.tomcat_url:
            return NoPage(Why.LATER, f"{shown(url)}: {stands}")
        page = read_tomcat(self._http, credentials, url)
        if isinstance(page, NoPage) and page.why is Why.REFUSED:
            self._refused = page
        return page

    def _beans(self, comms: list[str]) -> TomcatBeans | NoPage | None:
        """Where this is Tomcat and the JVM may be asked, or an agent was named."""
        may = self.request.threads and is_tomcat(comms)
        return self._agents.tomcat() if self.request.jmx or may else None

    def groups(self, before: Reading | None, after: Reading, look: Look) -> tuple[Group, ...]:
        """Tomcat's and Apache's groups; none of a server that is not there."""
        seconds = after.at_s - before.at_s if before else 0.0
        comms = [task.name for task in look.tasks()]
        dump = None if after.status else self._threads(comms)
        silent = (self._questions.why,) if self._questions.why and not after.status else ()
        tomcat = tomcat_group(
            before.status if before else None,
            after.status,
            seconds,
            dump,
            comms,
            tuple(dict.fromkeys((*_why(after.tomcat), *_why(after.jmx), *silent))),
            sockets_of(look),
            after.beans.figures if after.beans else (),
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
        """The text of a thread dump, where this is Tomcat and the JVM may be asked cheaply."""
        if not self.request.threads or not is_tomcat(comms):
            return None
        dump = self._questions.ask(THREAD_PRINT)
        return None if isinstance(dump, NoPage) else dump


def _known(page: P | NoPage | None) -> P | None:
    return None if isinstance(page, NoPage) else page


def _why(page: object) -> tuple[str, ...]:
    return (page.text,) if isinstance(page, NoPage) else ()
