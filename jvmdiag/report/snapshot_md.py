"""A snapshot as Markdown, to be pasted into a channel or a ticket. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jvmdiag.report.metrics import percent
from jvmdiag.report.snapshot_rows import (
    busy_rows,
    class_rows,
    deadlock_line,
    jvm_line,
    missing,
    pause_rows,
    pool_rows,
    states_text,
    taken_line,
    verdict_rows,
)
from jvmdiag.snapshot.digest import Digest
from jvmdiag.transfer.bundle import Bundle

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")
_BUSY, _POOLS, _CLASSES = 5, 6, 5


def summary(bundle: Bundle, digest: Digest) -> str:
    """What target, when, which JVM, what stands out, what was not taken."""
    return "\n".join((*_lines(bundle, digest), ""))


def _lines(bundle: Bundle, digest: Digest) -> Iterator[str]:
    yield f"# Snapshot of {plain(bundle.target)}, {plain(bundle.started_at)}"
    yield ""
    yield f"- **JVM**: {plain(jvm_line(bundle))}"
    yield f"- **Taken**: {plain(taken_line(bundle))}"
    if bundle.interrupted:
        yield "- **Interrupted**: it is not all there"
    if said := deadlock_line(digest):
        yield f"- **{said}**" if digest.deadlock else f"- {said}, {digest.threads} threads"
    verdicts = (
        (row.group, row.level.value, plain(row.after or row.before), plain(row.advice))
        for row in verdict_rows(digest)
    )
    yield from _table("The machine around it", ("", "", "verdict", "what to do"), tuple(verdicts))
    busy = tuple(
        (
            percent(row.cpus),
            code(row.name),
            plain(row.state),
            ", ".join(code(f) for f in (row.top, row.own) if f),
        )
        for row in busy_rows(digest)
    )
    yield from _table(
        f"Threads by CPU, over {digest.busy_over_s:.0f} s", ("CPU", "thread", "state", "where"), busy[:_BUSY]
    )
    pools = tuple(
        (code(pool.name), str(pool.threads), plain(states_text(pool))) for pool in pool_rows(digest)
    )
    yield from _table("Pools", ("names", "threads", "states"), pools[:_POOLS])
    classes = tuple((big, count, code(name)) for big, count, name in class_rows(digest))
    yield from _table("Largest classes", ("bytes", "instances", "class"), classes[:_CLASSES])
    pauses = tuple((plain(name), plain(text)) for name, text in pause_rows(bundle))
    yield from _table("How long the application stood still for it", ("item", "pause"), pauses)
    rest = tuple((plain(names), status, plain(why)) for names, status, why in missing(bundle))
    yield from _table("Not taken, or not whole", ("item", "", "why"), rest)


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"## {title}", "")
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text of others in which nothing is markup, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """The same as code, in a table too."""
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
