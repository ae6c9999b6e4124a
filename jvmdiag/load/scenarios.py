"""The locustfile of jvmdiag: GET, binary POST, DELETE or all three on one path. Run by Locust, never imported.

_JVMDIAG_LOAD_SCENARIO, _JVMDIAG_LOAD_PATH, _JVMDIAG_LOAD_PACE_S and _JVMDIAG_LOAD_BODY_BYTES say what; they are
set by jvmdiag/load/running.py.
"""

from __future__ import annotations

import os
import random
import time

from locust import FastHttpUser, constant_pacing, task

SCENARIO = os.environ["_JVMDIAG_LOAD_SCENARIO"]
PATH = os.environ["_JVMDIAG_LOAD_PATH"]
BODY = os.urandom(int(os.environ["_JVMDIAG_LOAD_BODY_BYTES"]))
# What the figures stand under: a query may hold a token.
NAME = PATH.partition("?")[0] + ("?…" if "?" in PATH else "")
PACE_S = float(os.environ["_JVMDIAG_LOAD_PACE_S"])
BINARY = {"Content-Type": "application/octet-stream"}


class Caller(FastHttpUser):
    """One caller at a constant pace: a pause of the server is followed by no burst.

    Redirects are not followed: where they lead may be another machine, which nobody agreed to load.
    """

    wait_time = constant_pacing(PACE_S)

    def on_start(self) -> None:
        # They are started at one moment, and would call at one moment ever after.
        time.sleep(random.random() * PACE_S)  # noqa: S311 - gevent's sleep, by Locust

    def get(self) -> None:
        self.client.get(PATH, name=NAME, allow_redirects=False)

    def post(self) -> None:
        # Bytes go through as they are; its hints know of text and forms alone.
        self.client.post(PATH, name=NAME, data=BODY, headers=BINARY, allow_redirects=False)  # type: ignore[arg-type]

    def delete(self) -> None:
        self.client.delete(PATH, name=NAME, headers=BINARY, allow_redirects=False)

    @task
    def turn(self) -> None:
        """One request, or one of each kind in turn."""
        for kind in ("get", "post", "delete") if SCENARIO == "mixed" else (SCENARIO,):
            getattr(self, kind)()
