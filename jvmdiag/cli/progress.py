"""Bars: bytes, rate and time left, or how a load goes; painted by tqdm on a terminal only."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from jvmdiag.cli import stopping
from jvmdiag.cli.console import Console
from jvmdiag.collect.job import Progress
from jvmdiag.units import duration

if TYPE_CHECKING:
    from tqdm import tqdm

    from jvmdiag.collect.load import SoFar

_ASSUMED_COLUMNS = 79
# What is over by then needs no bar.
_DELAY_S = 0.2


@contextmanager
def progress_of(console: Console, what: str) -> Iterator[Progress]:
    """A Progress that paints a bar named `what` from the moment that the size is expected."""
    if not console.paints:
        yield Progress(lambda _bytes: stopping.check(), warn=console.warn, note=console.say)
        return
    bar = _Bar(console, what)
    try:
        yield Progress(bar.advance, bar.expect, bar.warn, bar.note, bar.written)
    finally:
        bar.close()


@contextmanager
def load_line(console: Console, seconds: float) -> Iterator[Callable[[SoFar], None]]:
    """Paints how a load of so many seconds goes, over one line."""
    if not console.paints:
        yield lambda _: stopping.check()
        return
    from tqdm import tqdm

    with tqdm(
        total=seconds,
        bar_format="{n:.0f} of {total:.0f} s |{bar:20}| {desc}",
        file=sys.stderr,
        leave=False,
        disable=None,
        ncols=_columns(),
        nrows=2,
    ) as bar:

        def show(so_far: SoFar) -> None:
            stopping.check()
            slowest = "-" if so_far.p95_s is None else duration(so_far.p95_s)
            bar.n = min(so_far.elapsed_s, seconds)
            bar.set_description_str(f"{so_far.per_s:.1f} a second, P95 {slowest}, {so_far.failures} failed")

        yield show


class _Bar:
    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._bar: tqdm[NoReturn] | None = None
        self._passed = 0
        self._beside = 0

    def expect(self, size_bytes: int) -> None:
        self.close()
        self._bar = _painted(self._what, size_bytes, _DELAY_S)

    def advance(self, size_bytes: int) -> None:
        stopping.check()
        self._passed += size_bytes
        bar = self._bar
        if self._beside or bar is None:
            return
        # The estimate was of a heap that went on growing.
        if bar.total is not None and self._passed > bar.total:
            bar.total = None
        bar.update(size_bytes)

    def written(self, size_bytes: int) -> None:
        """Bytes that the JVM has written and that do not pass yet; 0 once they do."""
        bar = self._bar
        if size_bytes and bar is not None:
            bar.set_description("the JVM writes", refresh=False)
            bar.n = self._passed + size_bytes
            bar.total = max(bar.total or 0, bar.n)
            bar.refresh()
        elif self._beside and bar is not None:
            # A bar paints nothing while its count is below that which it painted last: this takes another.
            total = bar.total
            self.close()
            self._bar = _painted(self._what, total, 0, passed=self._passed)
        self._beside = size_bytes

    def warn(self, line: str) -> None:
        self._clear()
        self._console.warn(line)

    def note(self, line: str) -> None:
        self._clear()
        self._console.say(line)

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _painted(what: str, total: float | None, delay_s: float, *, passed: int = 0) -> tqdm[NoReturn]:
    from tqdm import tqdm

    return tqdm(
        desc=what,
        total=total,
        initial=passed,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        file=sys.stderr,
        leave=False,
        disable=None,
        delay=delay_s,
        miniters=1,  # else it learns from the jumps of `written` to wait for as many bytes again
        ncols=_columns(),
        nrows=2,  # a terminal that says 0 rows would hide the only bar there is
    )


def _columns() -> int | None:
    """None lets tqdm ask the terminal. One that nobody told its size says 0 columns, and would show nothing."""
    with contextlib.suppress(OSError):
        if os.get_terminal_size(sys.stderr.fileno()).columns == 0:
            return _ASSUMED_COLUMNS
    return None
