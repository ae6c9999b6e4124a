"""--statsd: figures to a Datadog agent, and a mark at the beginning and the end of each dump."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


@contextmanager
def marked(statsd: str | None, what: str, target: str) -> Iterator[Callable[[str], None]]:
    """An event now, and one at the end: with what was told to the callable it yields, or with the error."""
    if statsd is None:
        yield lambda _: None
        return
    from jvmdiag.metrics.datadog import Agent, address_of

    with Agent(address_of(statsd)) as agent:
        agent.event(f"jvmdiag: {what} begins", f"{what} of {target}", target)
        told: list[str] = []
        try:
            yield told.append
        except BaseException as error:
            agent.event(f"jvmdiag: {what} failed", str(error) or type(error).__name__, target, failed=True)
            raise
        agent.event(f"jvmdiag: {what} ended", "\n".join(told) or f"{what} of {target}", target)
