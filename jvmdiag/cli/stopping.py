"""Whether Ctrl-C, SIGTERM or SIGHUP came: an exception says so, and may be lost on its way."""

from __future__ import annotations

import signal

from jvmdiag.errors import HangUp

stopped_by: list[int] = []
"""The signals that came, in order."""


def check() -> None:
    """Raises KeyboardInterrupt where a signal came. For places that no cleanup passes.

    Python drops an exception that a signal's handler raises inside of a destructor: the work would go on to its end.
    """
    if stopped_by:
        raise interruption(stopped_by[0])


def interruption(number: int) -> KeyboardInterrupt:
    """What that signal is to the work under way."""
    return HangUp() if number == signal.SIGHUP else KeyboardInterrupt()
