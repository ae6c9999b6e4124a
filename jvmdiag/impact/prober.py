"""--probe URL: one gentle GET every 100 ms from this machine, one at a time; its waits and its errors."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from jvmdiag.errors import BadRequest

INTERVAL_S = 0.1
_TIMEOUT_S = 10.0
_BODY_BYTES = 1 << 20
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


def check_url(url: str) -> SplitResult:
    """Raises BadRequest for what is no http or https URL."""
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018 - it is parsed when it is asked for
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(f"--probe {url!r} is no URL", advice="as in: --probe http://web:8080/health")
    return parts


class Prober:
    """Asks in a thread of its own until `close`. `seen` grows."""

    def __init__(self, url: str) -> None:
        self._url = check_url(url)
        self.seen: list[Probed] = []
        self.keep_all = False
        self._over = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._work, name="probe", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            status = self._get()
            self.seen.append(Probed(began, time.monotonic() - began, status))
            if not self.keep_all:
                del self.seen[:-_KEPT_BEFORE]
            self._over.wait(max(began + INTERVAL_S - time.monotonic(), 0))
        self._drop()

    def _get(self) -> int | None:
        """The status. A kept connection that the server closed meanwhile is no failure: a new one is asked."""
        for fresh in (self._connection is None, True):
            try:
                return self._ask()
            except (OSError, http.client.HTTPException):
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
        self._connection.request("GET", path, headers={"User-Agent": "jvmdiag-probe"})
        answer = self._connection.getresponse()
        if len(answer.read(_BODY_BYTES)) == _BODY_BYTES:
            self._drop()
        return answer.status

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Ask no more. One that is under way is left to itself."""
        self._over.set()
        self._thread.join(INTERVAL_S)
