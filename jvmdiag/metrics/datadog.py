"""Figures and events for a Datadog agent (DogStatsD over UDP), under Datadog's own names."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING

from jvmdiag.errors import BadRequest, MissingExtra
from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.figure import Metrics

if TYPE_CHECKING:
    from datadog.dogstatsd.base import DogStatsd

# What a tag may not hold: its own separators in the datagram.
_SEPARATORS = re.compile(r"[|,#\s]+")
_MOST_OF_TEXT = 4000


@dataclass(frozen=True)
class Gauge:
    """One datagram's line: a name of Datadog's, a value in Datadog's unit, tags of the form key:value."""

    name: str
    value: float
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Address:
    """Where the agent listens."""

    host: str
    port: int


def address_of(text: str) -> Address:
    """Of HOST:PORT, or [V6]:PORT. Raises BadRequest."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise BadRequest(
            f"--statsd {text!r} is no HOST:PORT", advice="an agent of this machine: 127.0.0.1:8125"
        )
    return Address(host, int(port))


def gauges(metrics: Metrics) -> Iterator[Gauge]:
    """Every figure that Datadog has a name for. Pure.

    One that is there whole and in parts is sent whole: what sums a name up would count its parts twice. Of two that
    have the same name there, the one that comes first in the catalogue is sent.
    """
    made = {figure.name for figure in metrics.figures}
    sent = {one.datadog: one.name for one in reversed(described().values()) if one.name in made}
    whole = {figure.name for figure in metrics.figures if not figure.labels}
    for figure in metrics.figures:
        about = described()[figure.name]
        if (
            about.datadog
            and sent[about.datadog] == figure.name
            and not (figure.labels and figure.name in whole)
        ):
            tags = (_tag("target", metrics.target), *(_tag(key, value) for key, value in figure.labels))
            yield Gauge(about.datadog, figure.value * about.datadog_factor, tags)


def _tag(key: str, value: str) -> str:
    return f"{key}:{_SEPARATORS.sub('_', value)}"


def _numeric(address: Address) -> str:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise BadRequest(f"--statsd: {address.host} has no address", why=str(error)) from error
    return str(found[0][4][0])


class Agent:
    """A Datadog agent. UDP: whether it listens, nobody learns. Raises MissingExtra, and BadRequest for a name of
    no address: the library would ask for it anew with every figure, and say nothing."""

    def __init__(self, address: Address) -> None:
        if find_spec("datadog") is None:
            raise MissingExtra("--statsd takes datadog", advice="install it: pip install 'jvmdiag[datadog]'")
        from datadog.dogstatsd.base import DogStatsd

        self._client: DogStatsd = DogStatsd(
            host=_numeric(address),
            port=address.port,
            # No figures about itself, and no guesses about where this runs.
            disable_telemetry=True,
            origin_detection_enabled=False,
        )

    def send(self, metrics: Metrics) -> None:
        for gauge in gauges(metrics):
            self._client.gauge(gauge.name, gauge.value, tags=list(gauge.tags))

    def event(self, title: str, text: str, target: str, *, failed: bool = False) -> None:
        """A mark on the dashboard: a dump begins, or has ended."""
        self._client.event(
            title,
            text[:_MOST_OF_TEXT],
            alert_type="error" if failed else "info",
            source_type_name="jvmdiag",
            tags=[_tag("target", target), "source:jvmdiag"],
        )

    def close(self) -> None:
        self._client.close_socket()

    def __enter__(self) -> Agent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
