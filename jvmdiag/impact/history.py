"""What captures did cost, kept on this machine: the next forecast for the same target goes by it.

One JSON line a measurement in history.jsonl, mode 0600. It holds names of targets and main classes, and no secrets.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_KEPT_LINES = 1000
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Measured:
    """One capture: when (Unix seconds), of what, how large the heap was, how long the JVM stood still."""

    at_s: float
    target: str
    main: str
    operation: str
    live: bool
    heap_used_bytes: int
    pause_s: float
    forecast_low_s: float
    forecast_high_s: float


class History:
    """The file at `path`. One that cannot be read or written costs nothing but the better forecast."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, target: str, main: str) -> tuple[Measured, ...]:
        """What was measured on that target, the latest last."""
        return tuple(m for m in self._lines() if (m.target, m.main) == (target, main))

    def add(self, measured: Measured) -> None:
        """One more line; the oldest go when there are too many."""
        line = json.dumps(asdict(measured)) + "\n"
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._path.exists() and self._path.stat().st_size > _MOST_BYTES:
                self._shorten()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            # One write of one line: two runs at once do not mix theirs.
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                file.write(line.encode())

    def _lines(self) -> Iterator[Measured]:
        with contextlib.suppress(OSError):
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError, TypeError):
                    yield Measured(**json.loads(line))

    def _shorten(self) -> None:
        kept = self._path.read_bytes().splitlines(keepends=True)[-_KEPT_LINES:]
        fresh = self._path.with_suffix(".partial")
        fresh.touch(mode=0o600)
        fresh.write_bytes(b"".join(kept))
        fresh.replace(self._path)


def default_path() -> Path:
    """history.jsonl in the state directory."""
    return state_directory() / "history.jsonl"


def state_directory() -> Path:
    """$XDG_STATE_HOME/jvmdiag, by default under ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or ""
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "jvmdiag"
