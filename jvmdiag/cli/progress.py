"""The bar: bytes, rate and time left, painted by tqdm on a terminal only."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from jvmdiag.cli.console import Console
from jvmdiag.collect.job import Progress

_ASSUMED_COLUMNS = 79


def _columns() -> int | None:
    """None lets tqdm ask the terminal. One that nobody told its size says 0 columns, and would show nothing."""
    with contextlib.suppress(OSError):
        if os.get_terminal_size(sys.stderr.fileno()).columns == 0:
            return _ASSUMED_COLUMNS
    return None


@contextmanager
def progress_of(console: Console, what: str) -> Iterator[Progress]:
    """A Progress that paints a bar named `what` from the moment that the size is expected."""
    if not console.paints:
        yield Progress(warn=console.warn, note=console.say)
        return
    from tqdm import tqdm

    bar: tqdm[NoReturn] = tqdm(
        desc=what,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        file=sys.stderr,
        leave=False,
        disable=None,
        delay=0.2,
        ncols=_columns(),
        nrows=2,  # a terminal that says 0 rows would hide the only bar there is
        miniters=1,  # else it learns from the jumps of `written` to wait for as many bytes again
    )

    passed, beside = 0, 0

    def expect(size_bytes: int) -> None:
        bar.reset(total=size_bytes)

    def advance(size_bytes: int) -> None:
        nonlocal passed
        passed += size_bytes
        if beside:
            return
        # The estimate was of a heap that went on growing.
        if bar.total is not None and passed > bar.total:
            bar.total = None
        bar.update(size_bytes)

    def written(size_bytes: int) -> None:
        nonlocal beside
        if size_bytes:
            bar.set_description("the JVM writes", refresh=False)
            bar.n = passed + size_bytes
            bar.total = max(bar.total or 0, bar.n)
            bar.refresh()
        elif beside:
            # tqdm paints nothing while its count is below that which it painted last; a reset forgets that.
            bar.set_description(what, refresh=False)
            bar.reset(total=bar.total)
            bar.update(passed)
        beside = size_bytes

    def warn(line: str) -> None:
        bar.clear()
        console.warn(line)

    def note(line: str) -> None:
        bar.clear()
        console.say(line)

    with bar:
        yield Progress(advance, expect, warn, note, written)
