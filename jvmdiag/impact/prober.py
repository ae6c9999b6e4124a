"""--probe URL: one gentle GET every 100 ms from this machine, one at a time; its waits and its errors."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from jvmdiag.errors import BadRequest

INTERVAL_S = 0.1
_TIMEOUT_S = 10.0
_BODY_BYTES = 1 << 20
# What may stand in a path and its query as it is; what is quoted already stays so.
_SAFE = "/%:=&?~#+!$,;'@()*[]"
# Of the time before the capture; longer than that nobody needs.
_KEPT_BEFORE = 300


@dataclass(frozen=True)
class Probed:
    """One GET: when it began (this machine's monotonic clock), how long it took, what it came to (None: nothing)."""

    began_s: float
    took_s: float
    status: int | None

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= 500


def check_url(url: str, option: str = "--probe") -> SplitResult:
    """Raises BadRequest for what is no http or https URL, or has a password in it."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is parsed when it is asked for
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if "@" in parts.netloc:
        raise BadRequest(
            f"{option} has a user in it",
            why="a password in a command line is seen by everybody on this machine",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.hostname[0] == "-":
        raise BadRequest(f"{option} {url!r} is no URL", advice=f"as in: {option} http://web:8080/health")
    return parts


class Prober:
    """Asks in a thread of its own until `close`. `seen` grows; `trouble` says why the latest had no answer."""

    def __init__(self, url: str) -> None:
        self._url = check_url(url)
        self.seen: list[Probed] = []
        self.keep_all = False
        self.trouble = ""
        self.under_way_s: float | None = None
        """When the request began that has no answer yet."""
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._work, name="probe", daemon=True)
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            self.under_way_s = began = time.monotonic()
            status = self._get()
            self.seen.append(Probed(began, time.monotonic() - began, status))
            self.under_way_s = None
            if not self.keep_all:
                del self.seen[:-_KEPT_BEFORE]
            self._over.wait(max(began + INTERVAL_S - time.monotonic(), 0))
        self._drop()

    def _get(self) -> int | None:
        """The status. A kept connection that the server closed meanwhile is no failure: a new one is asked."""
        for fresh in (self._connection is None, True):
            try:
                return self._ask()
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.trouble = str(error) or type(error).__name__
                self._drop()
                if fresh:
                    return None
        return None

    def _ask(self) -> int:
        if self._connection is None:
            https = self._url.scheme == "https"
            kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
            self._connection = kind(str(self._url.hostname), self._url.port, timeout=_TIMEOUT_S)
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        path = quote(path, safe=_SAFE)
        self._connection.request("GET", path, headers={"User-Agent": "jvmdiag-probe"})
        answer = self._connection.getresponse()
        if len(answer.read(_BODY_BYTES)) == _BODY_BYTES:
            self._drop()
        return answer.status

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def so_far(self) -> tuple[Probed, ...]:
        """Those that ended, and the one that still waits, as long as it has waited."""
        began, seen = self.under_way_s, tuple(self.seen)
        return seen if began is None else (*seen, Probed(began, time.monotonic() - began, 0))

    def close(self) -> None:
        """Ask no more. One that is under way is left to itself."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(INTERVAL_S)
