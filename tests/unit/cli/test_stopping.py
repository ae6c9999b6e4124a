"""A Ctrl-C whose exception was lost still ends the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
# The signal comes while a destructor runs: Python reports what the handler raised there, and drops it.
PROGRAM = """
import os, signal
from jvmdiag.cli import main, stopping
signal.signal(signal.SIGINT, main._stop)
class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
del Thing
"""


def test_what_a_destructor_swallowed_is_raised_at_the_next_check() -> None:
    program = PROGRAM.replace(
        "del Thing\n", "Thing()\nprint('went on')\nstopping.check()\nprint('to its end')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=os.environ
    )
    assert ran.stdout == "went on\n"
    assert "KeyboardInterrupt" in ran.stderr
    assert ran.returncode in (1, 130, -signal.SIGINT)
