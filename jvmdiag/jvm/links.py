"""A path in the JVM's mount namespace without the links on its way, which would lead into that of whoever looks."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def real_sh() -> str:
    """The function `real` for a POSIX script, to be put before it."""
    return Path(__file__).with_name("real.sh").read_text(encoding="utf-8")
