"""A locustfile without users: a line for each request that any other locustfile makes. Run by Locust, never imported.

Ends Locust when the process that started it, _JVMDIAG_LOAD_PARENT, is gone: a load must not go on for ever.

A line of _JVMDIAG_LOAD_LOG is a JSON list: Unix time of the end, seconds it took, method and name, whether it failed;
where it did, the status or the name of the error: its text may hold a token of the URL.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import gevent
from locust import events

# A line at a time: what was recorded stays where Locust is killed.
_LOG = Path(os.environ["_JVMDIAG_LOAD_LOG"]).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115


@events.request.add_listener  # type: ignore[untyped-decorator]
def _record(
    request_type: str, name: str, response_time: float, exception: object, response: object = None, **_: Any
) -> None:
    status = getattr(response, "status_code", 0) or 0
    why = str(status) if status >= 400 else type(exception).__name__
    line = [time.time(), response_time / 1000, f"{request_type} {name}", exception is not None]
    if exception is not None:
        line.append(why)
    _LOG.write(json.dumps(line) + "\n")


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        gevent.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


gevent.spawn(_end_with_parent, int(os.environ["_JVMDIAG_LOAD_PARENT"]))
