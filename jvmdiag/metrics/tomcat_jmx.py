"""Tomcat's MBeans: what its manager's page says, and the limits and shared executors that the page does not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jvmdiag.metrics.figure import Figure, maybe, present
from jvmdiag.metrics.http import NoPage, Why
from jvmdiag.metrics.jmx import Bean, Wanted
from jvmdiag.metrics.tomcat import Connector, ManagerStatus

# The domain is Catalina, or Tomcat where it is embedded, or the name of a Service.
WANTED = (
    Wanted(
        "*:type=ThreadPool,*",
        ("maxThreads", "currentThreadCount", "currentThreadsBusy", "maxConnections", "acceptCount"),
    ),
    Wanted(
        "*:type=GlobalRequestProcessor,*",
        ("requestCount", "errorCount", "bytesReceived", "bytesSent", "processingTime", "maxTime"),
    ),
    Wanted("*:type=Executor,*", ("activeCount", "poolSize", "maxThreads", "queueSize")),
)
_KEY = re.compile(r'(?:^|,)(type|name)=("(?:[^"\\]|\\.)*"|[^,]*)')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Limits:
    """How many connections a connector accepts, and how many more wait for that in the kernel's queue."""

    connector: str
    connections: int | None
    accept_queue: int | None


@dataclass(frozen=True)
class Executor:
    """A pool that several connectors may share."""

    name: str
    active: int
    threads: int
    threads_max: int
    queue: int


@dataclass(frozen=True)
class TomcatBeans:
    status: ManagerStatus
    limits: tuple[Limits, ...]
    executors: tuple[Executor, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Those that the manager's page does not give."""
        return (
            *(one for limits in self.limits for one in _limits(limits)),
            *(one for executor in self.executors for one in _executor(executor)),
        )


def tomcat_beans(came: tuple[Bean, ...] | NoPage) -> TomcatBeans | NoPage:
    """What the answers to WANTED say; why not, where they are of no Tomcat."""
    if isinstance(came, NoPage):
        return came
    kinds = [(_key(bean, "type"), _key(bean, "name"), bean) for bean in came]
    requests = {(_domain(bean), name): bean for kind, name, bean in kinds if kind == "GlobalRequestProcessor"}
    pools = [(name, bean) for kind, name, bean in kinds if kind == "ThreadPool"]
    both = [(name, bean, requests.get((_domain(bean), name))) for name, bean in pools]
    connectors = [one for name, pool, asked in both if asked and (one := _connector(name, pool, asked))]
    if not connectors:
        text = "JMX: its agent knows no connector of Tomcat"
        return NoPage(Why.OTHER, f"{text}; Spring Boot registers them by server.tomcat.mbeanregistry.enabled")
    known = {one.name for one in connectors}
    limits = [
        Limits(name, _positive(bean, "maxConnections"), _positive(bean, "acceptCount"))
        for name, bean in pools
        if name in known
    ]
    return TomcatBeans(
        ManagerStatus(tuple(connectors)),
        tuple(limits),
        tuple(_executors((name, bean) for kind, name, bean in kinds if kind == "Executor")),
    )


def _connector(name: str, pool: Bean, asked: Bean) -> Connector | None:
    threads = _ints(pool, ("maxThreads", "currentThreadCount", "currentThreadsBusy"))
    requests = _ints(asked, WANTED[1].attributes)
    if not threads or not requests:
        return None
    (most, current, busy), (count, errors, received, sent, served_ms, longest_ms) = threads, requests
    return Connector(
        name, most, current, busy, count, errors, received, sent, served_ms, longest_ms, asked_us=False
    )


def _executors(beans: Iterable[tuple[str, Bean]]) -> Iterator[Executor]:
    for name, bean in beans:
        if numbers := _ints(bean, WANTED[2].attributes):
            yield Executor(name, *numbers)


def _ints(bean: Bean, names: Sequence[str]) -> tuple[int, ...] | None:
    """None where it has not all of them: then it is of somebody else."""
    values = [bean.attributes.get(name) for name in names]
    return tuple(int(one) for one in values if isinstance(one, int)) if all(map(_is_int, values)) else None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(bean: Bean, name: str) -> int | None:
    found = _ints(bean, (name,))
    # maxConnections of -1: no limit.
    return found[0] if found and found[0] > 0 else None


def _domain(bean: Bean) -> str:
    return bean.name.partition(":")[0]


def _key(bean: Bean, key: str) -> str:
    found = dict(_KEY.findall(bean.name.partition(":")[2])).get(key, "")
    return _ESCAPED.sub(r"\1", found[1:-1]) if found.startswith('"') else str(found)


def _limits(limits: Limits) -> tuple[Figure, ...]:
    return present(
        maybe("tomcat.connections.max", limits.connections, connector=limits.connector),
        maybe("tomcat.queue.max", limits.accept_queue, connector=limits.connector),
    )


def _executor(one: Executor) -> tuple[Figure, ...]:
    most = one.threads_max if one.threads_max > 0 else None
    return present(
        maybe("tomcat.executor.busy", one.active, executor=one.name),
        maybe("tomcat.executor.threads", one.threads, executor=one.name),
        maybe("tomcat.executor.threads.max", most, executor=one.name),
        maybe("tomcat.executor.busy_share", one.active / most if most else None, executor=one.name),
        maybe("tomcat.executor.queue", one.queue, executor=one.name),
    )
