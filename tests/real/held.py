"""Requests that a Tomcat works on for as long as a test wants, and a JVM all of whose threads stand still."""

from __future__ import annotations

import http.client
import os
import secrets
import select
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from docker.models.containers import Container

from tests.real.containers import published_port

_PATIENCE_S = 120.0


@contextmanager
def held_requests(
    container: Container, count: int, *, port: int = 8080, begun: int | None = None
) -> Iterator[None]:
    """So many requests to slow.jsp of a Tomcat, under way until the context ends.

    When this returns `begun` of them, or all, are in a thread of it; the others may wait for one.
    """
    container.reload()
    file = Path(f"/proc/{container.attrs['State']['Pid']}/root/dev/shm/held-{secrets.token_hex(4)}")
    file.touch()
    with ExitStack() as stack:
        stack.callback(file.unlink, missing_ok=True)
        callers = []
        for _ in range(count):
            caller = http.client.HTTPConnection(
                "127.0.0.1", published_port(container, port), timeout=_PATIENCE_S
            )
            stack.enter_context(closing(caller))
            caller.request("GET", f"/slow.jsp?held=/dev/shm/{file.name}", headers={"Connection": "close"})
            callers.append(caller)
        # A page that is held has sent its head. Whoever publishes the port connects in any order.
        sockets, until = [caller.sock for caller in callers], time.monotonic() + _PATIENCE_S
        while len(seen := select.select(sockets, [], [], 0)[0]) < (count if begun is None else begun):
            assert time.monotonic() < until, f"{len(seen)} of {count} have begun"
            time.sleep(0.02)
        yield
        file.unlink()
        for answer in [caller.getresponse() for caller in callers]:
            assert (answer.status, answer.read()[-5:]) == (200, b"slow\n")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process whose threads all stand still. Each stops when it is next on a CPU; until then it goes on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        until = time.monotonic() + _PATIENCE_S
        while (states := {_state_of(task) for task in Path(f"/proc/{pid}/task").iterdir()}) - {"T", "X"}:
            assert time.monotonic() < until, f"threads of {pid} are in {states}"
            time.sleep(0.01)
        yield
    finally:
        with suppress(ProcessLookupError):  # it was killed
            os.kill(pid, signal.SIGCONT)


def until_asleep(pids: Iterable[int], name: str) -> None:
    """Until no thread of these processes whose name begins like this runs or could.

    Who answers requests counts one, and is idle again, when its caller has the answer: on a busy machine a while later.
    """
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    own = [task for task in tasks if _comm_of(task).startswith(name)]
    until = time.monotonic() + _PATIENCE_S
    while (states := {_state_of(task) for task in own}) - {"S", "X"}:
        assert time.monotonic() < until, f"threads {name} are in {states}"
        time.sleep(0.01)


def _comm_of(task: Path) -> str:
    try:
        return (task / "comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _state_of(task: Path) -> str:
    """The state in the kernel's letters; of one that has just ended, X."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
