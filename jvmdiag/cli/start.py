"""Where the program starts: Ctrl-C has its handler before anything slow is imported."""

from __future__ import annotations

import os
import signal
from types import FrameType


def _at_once(number: int, _frame: FrameType | None) -> None:
    """Nothing was begun yet, so nothing is to be undone."""
    interrupted = number == signal.SIGINT
    os.write(2, b"jvmdiag: interrupted\n" if interrupted else b"jvmdiag: terminated\n")
    os._exit(130 if interrupted else 143)


def main() -> None:
    """`jvmdiag`. Never returns."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _at_once)
    from jvmdiag.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
