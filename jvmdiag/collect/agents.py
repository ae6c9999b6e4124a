"""Tomcat's MBeans, where a management agent runs in the JVM: it is asked about, never started."""

from __future__ import annotations

import time
from collections.abc import Callable

from jvmdiag.jmx.agent import START, STATUS, Agent, agents_of, is_status
from jvmdiag.metrics.exchange import Exchange
from jvmdiag.metrics.http import Credentials, NoPage, Vantage, Why
from jvmdiag.metrics.jmx import Jmx, look_up
from jvmdiag.metrics.tomcat_jmx import WANTED, TomcatBeans, tomcat_beans

Ask = Callable[[str], str | NoPage]
_AGAIN_AFTER_S = 60.0
_NONE = NoPage(
    Why.NOBODY,
    f"JMX: no management agent runs in the JVM. jvmdiag jcmd TARGET {START} starts one; it stays until the JVM ends",
)
_UNKNOWN = NoPage(Why.OTHER, "JMX: the JVM does not say whether a management agent runs")
_TLS = NoPage(
    Why.OTHER,
    "JMX: the management agent speaks TLS (com.sun.management.jmxremote.ssl), which is not spoken here",
)
_ASKS = NoPage(Why.OTHER, "JMX: the management agent asks for a user and a password (--jmx-user)")


class ManagementAgents:
    """Those of one JVM. `address` names one by its registry, else the JVM is asked by `ask`.

    Of what was not there or did not answer the reason is told for a minute, and then it is looked for again; of what
    refused, to the end.
    """

    def __init__(
        self,
        vantages: tuple[Vantage, ...],
        address: tuple[str, int] | None,
        credentials: Credentials | None,
        ask: Ask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange = Exchange(vantages, "JMX")
        self._address = address
        self._credentials = credentials
        self._ask = ask
        self._clock = clock
        self._found: Jmx | None = None
        self._lost = False
        self._failed: NoPage | None = None
        self._again_at_s = 0.0

    def tomcat(self) -> TomcatBeans | NoPage:
        """Raises nothing of ours."""
        if self._failed and (self._failed.why is Why.REFUSED or self._clock() < self._again_at_s):
            return self._failed
        came = self._read()
        # A JVM that does not answer now has its own time to be asked again.
        self._failed = came if isinstance(came, NoPage) and came.why is not Why.LATER else None
        self._again_at_s = self._clock() + _AGAIN_AFTER_S
        return came

    def _read(self) -> TomcatBeans | NoPage:
        jmx = self._jmx() if self._lost or self._found is None else self._found
        if isinstance(jmx, NoPage):
            return jmx
        self._found, came = jmx, tomcat_beans(jmx.read(WANTED))
        # It may have ended, and another one have come.
        self._lost = isinstance(came, NoPage)
        return came

    def _jmx(self) -> Jmx | NoPage:
        agent = self._agent()
        if isinstance(agent, NoPage):
            # Who cannot be asked does not say that the one from before has ended.
            return self._found if self._found and agent.why is not Why.NOBODY else agent
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
