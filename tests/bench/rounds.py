"""Contenders for the same piece of work, run in turn: A B C, A B C, ... so that a noisy minute hits all."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from tests.bench import clock

_POLL_S = 0.02
Rounds = Mapping[str, Sequence["Sample"]]


class BenchFailed(Exception):
    """A contender did not do its work; the message has its complaint."""


@dataclass(frozen=True)
class Sample:
    """What one run took. `brought_bytes` is the largest file it made here, `target_disk_bytes` what it
    held on the target at its peak, `dump_s` the JVM's own account of the dump."""

    exit_code: int
    seconds: float
    cpu_s: float
    peak_rss_bytes: int
    brought_bytes: int = 0
    target_disk_bytes: int = 0
    dump_s: float | None = None
    out: str = field(default="", repr=False)


@dataclass(frozen=True)
class Contender:
    """`command` makes an argv, given a new folder for what it brings home. `undo` and `check`, of that folder and of
    what the command printed, are not timed.

    `scratch` is the directory of the target, as seen from here, whose growth is watched.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    undo: Callable[[], None] = lambda: None
    check: Callable[[Path, str], None] = lambda _home, _out: None
    scratch: Path | None = None
    dump_s: Callable[[str], float] | None = None


def run_rounds(contenders: Sequence[Contender], count: int, env: Mapping[str, str], *, warm: bool) -> Rounds:
    """`count` samples of each contender, interleaved, after one that is not counted where `warm`."""
    taken: dict[str, list[Sample]] = {one.name: [] for one in contenders}
    for number in range(0 if warm else 1, count + 1):
        for one in contenders:
            sample = _run(one, env)
            said = f"{one.name}: {sample.seconds:.3f} s" if number else f"{one.name}: warm"
            sys.stderr.write(f"  {said}\n")
            if number:
                taken[one.name].append(sample)
    return taken


def median_s(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples)


def _run(one: Contender, env: Mapping[str, str]) -> Sample:
    with tempfile.TemporaryDirectory(prefix="jvmdiag-bench-") as name:
        home = Path(name) / "home"
        home.mkdir()
        try:
            with _Watch(one.scratch) as watch:
                sample = _timed(one.command(home), Path(name), env)
        finally:
            one.undo()
        one.check(home, sample.out)
        brought = max((path.stat().st_size for path in home.rglob("*") if path.is_file()), default=0)
        dump_s = one.dump_s(sample.out) if one.dump_s else None
    return replace(sample, brought_bytes=brought, target_disk_bytes=watch.peak_bytes, dump_s=dump_s)


def _timed(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Sample:
    result, out, err = (folder / name for name in ("result", "out", "err"))
    clocked = [sys.executable, "-I", "-S", str(clock.__file__), str(result), *argv]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        subprocess.run(clocked, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, check=True)
    sample = Sample(**json.loads(result.read_text()), out=out.read_text(errors="replace"))
    if sample.exit_code != 0:
        tail = err.read_text(errors="replace")[-2000:] or sample.out[-2000:]
        raise BenchFailed(f"{' '.join(argv)[:300]} ended with {sample.exit_code}:\n{tail}")
    return sample


class _Watch:
    """How much the files of a directory grew at most; a directory that is None never grows."""

    def __init__(self, folder: Path | None) -> None:
        self.peak_bytes = 0
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        if self._folder is not None:
            self._before = _disk_bytes(self._folder)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._folder is not None:
            self._thread.join()

    def _look(self) -> None:
        assert self._folder is not None
        while not self._ended.wait(_POLL_S):
            self.peak_bytes = max(self.peak_bytes, _disk_bytes(self._folder) - self._before)


def _disk_bytes(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(OSError):
            total += path.lstat().st_blocks * 512
    return total
