"""The clients of http.sh and exchange.sh, each where it is the only one on the PATH."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

# `sh` of what follows is the machine's own.
_SHELL = ("/bin/sh", "-c", 'shift; exec /bin/sh "$@"', "sh")
# What each takes beside itself.
CLIENTS = {
    "perl": ("perl",),
    "python3": ("python3",),
    "bash": ("bash", "cat", "head", "timeout"),
    "curl": ("curl", "head"),
    "wget": ("wget", "head"),
}


def alone(name: str, folder: Path, beside: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A prefix behind which no other client is found; skips the test where this machine has not even that one."""
    for tool in {*CLIENTS[name], *beside}:
        found = sys.executable if tool == "python3" else shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is not on this machine")
        wrapper = folder / tool
        wrapper.write_text(f'#!/bin/sh\nexec "{found}" "$@"\n')
        wrapper.chmod(0o755)
    # A proxy of the environment is not asked.
    return ("/usr/bin/env", f"PATH={folder}", "http_proxy=http://127.0.0.1:9", *_SHELL)
