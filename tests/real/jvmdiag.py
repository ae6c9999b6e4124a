"""jvmdiag as a user runs it: a process with its arguments, its two outputs and its exit code."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 180


@dataclass(frozen=True)
class Run:
    """How it ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What --json printed."""
        return json.loads(self.out)


def argv(*arguments: str) -> list[str]:
    """The command. What it costs is watched only where --sample says so: two seconds before each are minutes in all."""
    unwatched = arguments[:1] in (("heapdump",), ("histogram",)) and not {"--sample", "--help"} & {*arguments}
    return [sys.executable, "-m", "jvmdiag.cli.start", *arguments, *(("--no-sample",) if unwatched else ())]


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of this process, with a home of its own: no ~/.ssh, no config file of whoever runs the tests."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("JVMDIAG_", "SSH_", "XDG_"))
    }
    return kept | {"HOME": str(home), "COLUMNS": "100"} | dict(more or {})


def jvmdiag(*arguments: str, home: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run it to its end, with no terminal and nothing on stdin."""
    done = subprocess.run(
        argv(*arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        env=environment(home, env),
    )
    run = Run(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in run.err, run.err
    return run


def shown_on_a_terminal(*arguments: str, home: Path) -> str:
    """What somebody sees who runs it; it has to end with 0."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        argv(*arguments),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(home),
        start_new_session=True,
    ) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the last one who could write is gone
            while piece := os.read(leader, 1 << 16):
                shown += piece
    os.close(leader)
    assert process.returncode == 0, shown
    return shown.decode()


class Running:
    """jvmdiag in the background, for tests that disturb it."""

    def __init__(self, *arguments: str, home: Path) -> None:
        self.process = subprocess.Popen(
            argv(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home),
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Run:
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        run = Run(self.process.returncode, out.decode(), err.decode())
        assert "Traceback" not in run.err, run.err
        return run


def wait_for_partial(directory: Path, size_bytes: int, timeout_s: float = 60.0) -> Path:
    """The .partial file in `directory` once it holds that much."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        # Those with a dot are of documents on their way.
        for path in directory.glob("[!.]*.partial"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_size >= size_bytes:
                    return path
        time.sleep(0.005)
    raise AssertionError(f"no .partial of {size_bytes} bytes in {directory}: {final_names(directory)}")


def text_of(artifact: Mapping[str, Any]) -> str:
    """The text of a .txt.gz that --json named."""
    return gzip.decompress(Path(artifact["path"]).read_bytes()).decode()


def final_names(directory: Path) -> list[str]:
    """What a failed run must not leave: anything at all."""
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []
