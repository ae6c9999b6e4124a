"""Bytes to a port and what it answers, from the target's own network namespace.

Nothing is installed there: perl, python3, bash or nc does it, whichever there is.
"""

from __future__ import annotations

from collections.abc import Sequence

from jvmdiag.errors import JvmdiagError
from jvmdiag.metrics.http import (
    AROUND_S,
    MOST_BYTES,
    NO_SHELL,
    NOBODY,
    TIMEOUT_S,
    NoPage,
    Vantage,
    Why,
    last_line,
    script_of,
)
from jvmdiag.model import Completed

_CLIENTS = "perl, python3, bash or nc"


class Exchange:
    """Sends from the first vantage that can, and keeps to that one. `client` is what did it there."""

    def __init__(self, vantages: Sequence[Vantage], name: str) -> None:
        self._vantages = tuple(vantages)
        self._name = name
        self.client = ""

    def send(self, host: str, port: int, request: bytes) -> bytes | NoPage:
        """What came up to the end of the connection. Takes 5 s at most, and 1 MiB; raises nothing of ours."""
        where = f"{self._name} at {host}:{port}"
        came: bytes | NoPage = NoPage(
            Why.NO_CLIENT, f"{where}: only root may speak to it in the network of that container"
        )
        for vantage in self._vantages:
            came = self._send(vantage, where, (host, str(port)), request)
            if not (isinstance(came, NoPage) and came.why is Why.NO_CLIENT):
                self._vantages = (vantage,)
                break
        return came

    def _send(self, vantage: Vantage, where: str, address: tuple[str, str], request: bytes) -> bytes | NoPage:
        arguments = (*address, str(TIMEOUT_S), str(MOST_BYTES), str(len(request)))
        argv = (*vantage.prefix, "sh", "-c", script_of("exchange.sh"), "sh", *arguments)
        try:
            done = vantage.host.run(argv, stdin=request, timeout_s=TIMEOUT_S + AROUND_S)
        except TimeoutError:
            return NoPage(Why.OTHER, f"{where}: no answer within {TIMEOUT_S} s")
        except JvmdiagError as error:
            return NoPage(Why.OTHER, f"{where}: {error}")
        came = read_exchange(where, done)
        if isinstance(came, bytes):
            self.client = done.stdout.partition(b"\n")[0].decode("ascii", "replace")
        return came


def read_exchange(where: str, done: Completed) -> bytes | NoPage:
    """What exchange.sh printed. Pure."""
    client, _, answer = done.stdout.partition(b"\n")
    if client == b"none":
        return NoPage(Why.NO_CLIENT, f"{where}: nothing there can send bytes to a port; it takes {_CLIENTS}")
    if not client and done.exit_code in NO_SHELL:
        return NoPage(Why.NO_CLIENT, f"{where}: there is no shell in the JVM's network from which to speak")
    if not client:
        return NoPage(
            Why.NO_CLIENT, f"{where}: {last_line(done.stderr) or 'the shell there printed nothing'}"
        )
    if any(said in done.stderr for said in NOBODY):
        return NoPage(Why.NOBODY, f"{where}: nobody listens there")
    if len(answer) >= MOST_BYTES:
        return NoPage(Why.OTHER, f"{where}: its answer is longer than 1 MiB")
    if not answer:
        return NoPage(Why.OTHER, f"{where}: {last_line(done.stderr) or 'no answer'}")
    return answer
