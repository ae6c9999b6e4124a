"""Tomcat's MBeans, where a management agent runs in the JVM: it is asked about, never started."""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.jmx.agent import START, STATUS, Agent, agents_of, is_status
from jvmdiag.metrics.exchange import Exchange
from jvmdiag.metrics.http import Credentials, NoPage, Vantage, Why
from jvmdiag.metrics.jmx import Jmx, look_up
from jvmdiag.metrics.tomcat_jmx import WANTED, TomcatBeans, tomcat_beans

Ask = Callable[[str], str | NoPage]
_NONE = NoPage(
    Why.NOBODY,
    f"JMX: no management agent runs in the JVM. jvmdiag jcmd TARGET {START} starts one; it stays until the JVM ends",
)
_UNKNOWN = NoPage(Why.OTHER, "JMX: the JVM does not say whether a management agent runs")
_TLS = NoPage(
    Why.OTHER,
    "JMX: the management agent speaks TLS (com.sun.management.jmxremote.ssl), which is not spoken here",
)
_ASKS = NoPage(Why.REFUSED, "JMX: the management agent asks for a user and a password (--jmx-user)")


class ManagementAgents:
    """Those of one JVM. `address` names one by its registry, else the JVM is asked by `ask`, once.

    What did not answer once is not asked again.
    """

    def __init__(
        self,
        vantages: tuple[Vantage, ...],
        address: tuple[str, int] | None,
        credentials: Credentials | None,
        ask: Ask,
    ) -> None:
        self._exchange = Exchange(vantages, "JMX")
        self._address = address
        self._credentials = credentials
        self._ask = ask
        self._found: Jmx | NoPage | None = None

    def tomcat(self) -> TomcatBeans | NoPage:
        """Raises nothing of ours."""
        if self._found is None:
            agent = self._agent()
            self._found = agent if isinstance(agent, NoPage) else self._usable(agent)
        if isinstance(self._found, NoPage):
            return self._found
        came = tomcat_beans(self._found.read(WANTED))
        if isinstance(came, NoPage):
            self._found = came
        return came

    def _usable(self, agent: Agent) -> Jmx | NoPage:
        if agent.tls:
            return _TLS
        if agent.asks and not self._credentials:
            return _ASKS
        return Jmx(self._exchange, agent, self._credentials)

    def _agent(self) -> Agent | NoPage:
        if self._address:
            return look_up(self._exchange, *self._address, asks=self._credentials is not None)
        status = self._ask(STATUS)
        if isinstance(status, NoPage):
            return status
        if not is_status(status):
            return _UNKNOWN
        agents = agents_of(status)
        return next((one for one in agents if not one.tls), agents[0]) if agents else _NONE
