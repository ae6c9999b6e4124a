"""How long a broken way is tried again: pauses that grow, and an end to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from jvmdiag.errors import (
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    EngineUnreachable,
    HostNotFound,
    JvmdiagError,
    TargetPaused,
    TargetSilent,
    TransferCut,
)

T = TypeVar("T")
PAUSES_S = (0.2, 1.0, 3.0, 10.0)
"""Before the first try that follows on a failure, the second, and so on."""
MAY_PASS = (
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    EngineUnreachable,
    HostNotFound,
    TargetPaused,
    TargetSilent,
    TimeoutError,
    TransferCut,
)
"""What a network, an sshd or an engine that comes back does away with. A key or a password that is refused stays so."""


class Patience:
    """Counts from the first failure since something went well: `moved` says that something did.

    `tell` hears what is tried again, and in how many seconds.
    """

    def __init__(
        self,
        most_s: float,
        tell: Callable[[str], None] = lambda _line: None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._most_s = most_s
        self._tell = tell
        self._pauses_s = pauses_s
        self.moved()

    def moved(self) -> None:
        self._tries = 0
        self._since_s: float | None = None

    def wait(self, error: BaseException) -> None:
        """Until the next try. Raises `error` where that would come too late, or trying again is of no use."""
        if self._since_s is None:
            self._since_s = time.monotonic()
        pause_s = self._pauses_s[min(self._tries, len(self._pauses_s) - 1)]
        spent_s = time.monotonic() - self._since_s
        if not isinstance(error, MAY_PASS) or spent_s + pause_s > self._most_s:
            raise error
        self._tries += 1
        what = error.what if isinstance(error, JvmdiagError) else str(error) or type(error).__name__
        self._tell(f"{what}; trying again in {pause_s:g} s, for {self._most_s - spent_s:.0f} s more")
        time.sleep(pause_s)

    def asked(self, ask: Callable[[], T], come_back: Callable[[], object]) -> T:
        """What `ask` gives; where the way breaks, what it gives once `come_back` has made another."""
        try:
            return ask()
        except MAY_PASS as error:

            def again() -> T:
                come_back()
                return ask()

            return self.until(again, error)

    def until(self, again: Callable[[], T], error: BaseException) -> T:
        """What `again` gives once it works. Raises `error`, or what came after it, where that is too late."""
        while True:
            self.wait(error)
            try:
                return again()
            except MAY_PASS as one:
                error = one
