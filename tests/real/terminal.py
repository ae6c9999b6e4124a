"""A pseudo terminal, for what is asked of a person."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.real.jvmdiag import argv, environment


def on_a_terminal(arguments: list[str], home: Path, prompt: str, answer: str) -> tuple[int, str]:
    """Run it on a pseudo terminal and type `answer` at `prompt`; exit code and all that was shown."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        argv(*arguments),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(home),
        start_new_session=True,
    )
    os.close(follower)
    shown, answered, until = "", False, time.monotonic() + 120
    while time.monotonic() < until:
        if not select.select([leader], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(leader, 4096)
        except OSError:
            break
        shown += data.decode(errors="replace")
        if prompt in shown and not answered:
            answered = True
            os.write(leader, answer.encode() + b"\n")
    os.close(leader)
    return process.wait(60), shown


def read_until(terminal: int, text: str, timeout_s: float = 60.0) -> str:
    """What was shown up to and with `text`."""
    shown, until = "", time.monotonic() + timeout_s
    while text not in shown:
        assert time.monotonic() < until, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
    return shown
