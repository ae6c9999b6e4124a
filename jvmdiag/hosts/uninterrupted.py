"""A step that Ctrl-C and its like must not cut in two: what is made in it could not be undone by anybody."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that come inside take effect at its end. For steps of milliseconds: make a thing, note its undoing.

    Handlers are swapped and not the mask, which a child process would inherit for good. Only the main thread
    is ever interrupted; in another this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def later(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.getsignal(number) for number in _STOPPING}
    held = {number: was for number, was in before.items() if callable(was)}
    for number in held:
        signal.signal(number, later)
    try:
        yield
    finally:
        for number, was in held.items():
            signal.signal(number, was)
        for one in came:
            signal.raise_signal(one)
