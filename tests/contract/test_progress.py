"""The bar, on a terminal of the test's own."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
# What is slept is the only time that passes.
now = [1e9]
time.time = lambda: now[0]
from jvmdiag.cli.console import Console
from jvmdiag.cli.progress import progress_of
with progress_of(Console(), "copy") as progress:
    progress.expect(900)  # less than comes: a heap grows on
    for _ in range(int(sys.argv[1])):
        now[0] += 0.05
        progress.advance(100)
    progress.note("a word")
print("done")
"""


def shown(steps: int) -> str:
    leader, follower = pty.openpty()
    argv = [sys.executable, "-c", PROGRAM, str(steps)]
    with subprocess.Popen(
        argv, stdout=follower, stderr=follower, cwd=ROOT, start_new_session=True
    ) as process:
        os.close(follower)
        text = b""
        with contextlib.suppress(OSError):  # EIO: the last one who could write is gone
            while piece := os.read(leader, 65536):
                text += piece
    os.close(leader)
    assert process.returncode == 0, text
    return text.decode()


def last_line_of(text: str) -> str:
    """The line as it stands in the end: what comes behind a return is painted over what was there."""
    line = ""
    for part in text.rstrip("\r\n").rpartition("\n")[2].split("\r"):
        line = part + line[len(part) :]
    return line.strip()


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_nothing_of_it_is_left_when_it_is_over(steps: int) -> None:
    text = shown(steps)
    assert last_line_of(text) == "done"
    assert ("copy:" in text) is (steps == 10)
    assert "a word" in text
