"""MBeans of a JVM whose management agent runs already, read by JMX from the JVM's own network.

Nothing is set, and no operation of an MBean invoked.
A reading is a connection of JMX that is closed again: three exchanges of bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jvmdiag.jmx.agent import Agent
from jvmdiag.jmx.jrmp import Call, RemoteRef, Returned, Thrown, answers, remote_ref, request
from jvmdiag.jmx.mbeans import (
    Attributes,
    attributes_in,
    close,
    get_attributes,
    lookup,
    names_in,
    new_client,
    query_names,
)
from jvmdiag.jmx.stream import BadStream
from jvmdiag.metrics.exchange import Exchange
from jvmdiag.metrics.http import Credentials, NoPage, Why

# A hundred connectors are more than any server has.
_MOST_BEANS = 200
_GONE = "javax.management.InstanceNotFoundException"
_REFUSED = "java.lang.SecurityException"


class NoJmx(Exception):
    """Why there is no answer."""

    def __init__(self, page: NoPage) -> None:
        super().__init__(page.text)
        self.page = page


@dataclass(frozen=True)
class Wanted:
    """MBeans whose names match `pattern`, and of each those attributes that it has."""

    pattern: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Bean:
    """`name` is as the JVM writes it: its keys are in no certain order."""

    name: str
    attributes: Attributes


@dataclass(frozen=True)
class _Connection:
    """A remote object of the agent, and what takes the hold of its answer off it."""

    ref: RemoteRef
    ack: bytes


class Jmx:
    """Reads from one agent. `credentials` are those of JMX, where it asks for them."""

    def __init__(self, exchange: Exchange, agent: Agent, credentials: Credentials | None) -> None:
        self._exchange = exchange
        self._agent = agent
        self._credentials = credentials if agent.asks else None

    def read(self, wanted: Sequence[Wanted]) -> tuple[Bean, ...] | NoPage:
        """What the MBeans say now. Raises nothing of ours."""
        try:
            connection = self._connect()
            try:
                names = self._names(connection, wanted)
            except BaseException:
                self._close(connection)
                raise
            return self._attributes(connection, names)
        except NoJmx as why:
            return why.page

    def _connect(self) -> _Connection:
        who = self._credentials
        server = self._agent.server
        call = new_client(server, who.user if who else None, who.password if who else None)
        (came,) = self._ask(server.port, [call])
        if isinstance(came, Thrown):
            why = self._refused(server.port, came)
            # An authenticator of somebody's own throws what it likes; a wrong password sent again locks its user out.
            raise NoJmx(replace(why, why=Why.REFUSED) if who else why)
        try:
            return _Connection(remote_ref(came.value), came.ack)
        except BadStream as error:
            raise self._bad(server.port, error) from error

    def _names(self, connection: _Connection, wanted: Sequence[Wanted]) -> Mapping[str, tuple[str, ...]]:
        """The attributes that are asked for, by the names of the MBeans that there are."""
        port = connection.ref.port
        came = self._ask(port, [query_names(connection.ref, one.pattern) for one in wanted])
        found: dict[str, tuple[str, ...]] = {}
        for one, answer in zip(wanted, came, strict=True):
            if isinstance(answer, Thrown):
                raise NoJmx(self._refused(port, answer))
            try:
                found.update(dict.fromkeys(names_in(answer.value), one.attributes))
            except BadStream as error:
                raise self._bad(port, error) from error
        return dict(list(found.items())[:_MOST_BEANS])

    def _attributes(self, connection: _Connection, names: Mapping[str, tuple[str, ...]]) -> tuple[Bean, ...]:
        calls = [get_attributes(connection.ref, name, attributes) for name, attributes in names.items()]
        *came, _ = self._ask(connection.ref.port, [*calls, close(connection.ref)], [connection.ack])
        beans = []
        for name, answer in zip(names, came, strict=True):
            if isinstance(answer, Returned):
                beans.append(Bean(name, attributes_in(answer.value)))
            elif answer.kind != _GONE:
                raise NoJmx(self._refused(connection.ref.port, answer))
        return tuple(beans)

    def _close(self, connection: _Connection) -> None:
        """The agent would end it two minutes after its last use."""
        sent = request([close(connection.ref)], [connection.ack])
        self._exchange.send(self._agent.host, connection.ref.port, sent)

    def _ask(
        self, port: int, calls: Sequence[Call], acks: Sequence[bytes] = ()
    ) -> tuple[Returned | Thrown, ...]:
        came = self._exchange.send(self._agent.host, port, request(calls, acks))
        if isinstance(came, NoPage):
            raise NoJmx(came)
        try:
            return answers(came, calls)
        except BadStream as error:
            raise self._bad(port, error) from error

    def _bad(self, port: int, error: BadStream) -> NoJmx:
        return NoJmx(_bad(self._agent.host, port, error))

    def _refused(self, port: int, thrown: Thrown) -> NoPage:
        if thrown.kind != _REFUSED:
            return _threw(self._agent.host, port, thrown)
        what = thrown.message or "it refuses"
        more = "" if self._credentials else ": it takes a user and a password (--jmx-user)"
        return NoPage(Why.REFUSED, f"{_where(self._agent.host, port)}: {what}{more}")


def look_up(exchange: Exchange, host: str, port: int, *, asks: bool) -> Agent | NoPage:
    """The agent whose registry listens there, by a name that a remote one always has. Raises nothing of ours."""
    call = lookup()
    came = exchange.send(host, port, request([call]))
    if isinstance(came, NoPage):
        return came
    try:
        (found,) = answers(came, [call])
        if isinstance(found, Thrown):
            return _threw(host, port, found)
        server = remote_ref(found.value)
    except BadStream as error:
        return _bad(host, port, error)
    return Agent(False, server, host, tls=bool(server.factory), asks=asks)


def _where(host: str, port: int) -> str:
    return f"JMX at {host}:{port}"


def _bad(host: str, port: int, error: BadStream) -> NoPage:
    return NoPage(Why.OTHER, f"{_where(host, port)}: {error}")


def _threw(host: str, port: int, thrown: Thrown) -> NoPage:
    kind = thrown.kind.rpartition(".")[2]
    return NoPage(Why.OTHER, f"{_where(host, port)}: {kind}{': ' if thrown.message else ''}{thrown.message}")
