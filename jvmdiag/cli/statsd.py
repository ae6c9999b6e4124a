"""--statsd: figures to a Datadog agent, and a mark at the beginning and the end of each dump."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jvmdiag.metrics.datadog import Agent
    from jvmdiag.metrics.figure import Metrics


@contextmanager
def sending(statsd: str | None) -> Iterator[Callable[[Metrics], Metrics]]:
    """Passes each set of figures on, and to the agent too. Raises BadRequest, MissingExtra."""
    if statsd is None:
        yield lambda metrics: metrics
        return
    from jvmdiag.metrics.datadog import Agent, address_of

    with Agent(address_of(statsd)) as agent:

        def send(metrics: Metrics) -> Metrics:
            agent.send(metrics)
            return metrics

        yield send


class Mark:
    """An event on the dashboard where a dump begins, and one where it ends, so that the dip explains itself."""

    def __init__(self, statsd: str | None, target: str) -> None:
        self._target = target
        self._what = ""
        self._agent: Agent | None = None
        self._begun = False
        self._told: list[str] = []
        if statsd is not None:
            from jvmdiag.metrics.datadog import Agent, address_of

            self._agent = Agent(address_of(statsd))

    def begin(self) -> None:
        """It has been agreed to. Heard by nobody outside of `around`."""
        if self._what and not self._begun:
            self._begun = True
            self._send("begins", f"{self._what} of {self._target}")

    def tell(self, text: str) -> None:
        """What the event of its end will say."""
        self._told.append(text)

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """Of what ends with this context: well, or with the error that leaves it. Nothing of what never began."""
        self._what = what
        try:
            yield
        except BaseException as error:
            self._send("failed", str(error) or type(error).__name__, failed=True)
            raise
        self._send("ended", "\n".join(self._told))

    def _send(self, how: str, text: str, *, failed: bool = False) -> None:
        if self._agent and self._begun:
            self._agent.event(f"jvmdiag: {self._what} {how}", text, self._target, failed=failed)
