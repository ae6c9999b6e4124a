"""Whether Ctrl-C, SIGTERM or SIGHUP came: an exception says so, and may be lost on its way."""

from __future__ import annotations

stopped_by: list[int] = []
"""The signals that came, in order."""


def check() -> None:
    """Raises KeyboardInterrupt where a signal came. For places that no cleanup passes.

    Python drops an exception that a signal's handler raises inside of a destructor: the work would go on to its end.
    """
    if stopped_by:
        raise KeyboardInterrupt
