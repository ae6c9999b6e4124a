"""A snapshot as one page: no scripts, nothing from elsewhere, and all text of others escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote

from jvmdiag.report.metrics import metrics_text, percent
from jvmdiag.report.snapshot_rows import (
    BusyRow,
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
from jvmdiag.snapshot.busy import Pool
from jvmdiag.snapshot.digest import Digest
from jvmdiag.transfer.bundle import TAKEN, Bundle, BundledItem
from jvmdiag.units import duration, size

# Nothing is loaded and nothing runs, whatever got into the text.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SUM_SHOWN = 12
_LINES_SHOWN = 60


@cache
def _style() -> str:
    return Path(__file__).with_name("snapshot.css").read_text(encoding="utf-8")


def page(bundle: Bundle, digest: Digest) -> str:
    """A whole document; its links lead to the files beside it."""
    title = f"Snapshot of {escape(bundle.target)}, {escape(bundle.started_at)}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{_style()}</style></head>\n'
        f"<body>\n{''.join(_body(bundle, digest))}</body></html>\n"
    )


def _body(bundle: Bundle, digest: Digest) -> Iterator[str]:
    yield f"<header><h1>{escape(bundle.target)}</h1>\n<p>{escape(jvm_line(bundle))}</p>\n"
    moment = bundle.started_at.replace("T", " ").replace("Z", " UTC")
    yield f'<p class="soft">{escape(moment)} · {escape(taken_line(bundle))}</p></header>\n'
    if bundle.interrupted:
        yield '<section class="banner">The snapshot was interrupted: it is not all there.</section>\n'
    if digest.deadlock:
        yield f'<section class="banner">{escape(deadlock_line(digest))}: see {_dump_links(bundle)}</section>\n'
    yield _verdicts(digest)
    yield _busy(digest)
    yield '<div class="two">'
    yield _pools(digest)
    yield _classes(digest)
    yield _pauses(bundle)
    yield _missing(bundle)
    yield "</div>\n"
    yield _items(bundle)
    yield _figures(digest)
    yield f"<footer>{escape(bundle.tool.name)} · sums and commands are in {_link('manifest.json')}</footer>\n"


def _section(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], empty: str = "") -> str:
    """A table of cells that are HTML already; a head with > is of numbers. Without rows `empty`, or nothing."""
    lines = [f"<tr>{''.join(_cell(h, cell) for h, cell in zip(head, row, strict=True))}</tr>" for row in rows]
    if not lines:
        return f"<section><h2>{escape(title)}</h2><p>{escape(empty)}</p></section>\n" if empty else ""
    heads = "".join(f'<th class="{_kind(h)}">{escape(h.lstrip(">!"))}</th>' for h in head)
    return (
        f"<section><h2>{escape(title)}</h2><table><tr>{heads}</tr>\n"
        + "\n".join(lines)
        + "</table></section>\n"
    )


def _kind(head: str) -> str:
    return {">": "number", "!": "tight"}.get(head[:1], "")


def _cell(head: str, cell: str) -> str:
    return f'<td class="{_kind(head)}">{cell}</td>'


def _tag(word: str, of: str) -> str:
    return f'<span class="tag {escape(of)}">{escape(word)}</span>'


def _link(file: str, words: str = "") -> str:
    return f'<a href="{escape(quote(file))}">{escape(words or file)}</a>'


def _dump_links(bundle: Bundle) -> str:
    dumps = (i.file for i in bundle.having(TAKEN) if i.name.startswith("thread dump"))
    return ", ".join(_link(file) for file in dumps)


def _verdicts(digest: Digest) -> str:
    rows = (
        (
            escape(row.group),
            _tag(row.level.value, row.level.value),
            escape(row.before),
            escape(row.after) if row.after != row.before else '<span class="soft">the same</span>',
            escape(row.advice),
        )
        for row in verdict_rows(digest)
    )
    head = ("!group", "!", "before", "after", "what to do")
    return _section("The machine around the JVM", head, rows, "It could not be looked at.")


def _busy(digest: Digest) -> str:
    if len(digest.times) < 2 or not digest.dumps:
        return _section("Threads by CPU", (), (), "They could not be looked at: it takes thread dumps.")
    found = tuple(busy_rows(digest))
    most = max((row.cpus for row in found), default=1.0)
    title = f"Threads by CPU, over {duration(digest.busy_over_s)}"
    rows = (
        (_share(row, most), f'<code class="name">{escape(row.name)}</code>', _state(row), _where(row))
        for row in found
    )
    return _section(
        title,
        ("CPU", "thread", "!state", "innermost frames: of all, and outside of the JDK"),
        rows,
        "No thread was seen to be busy.",
    )


def _share(row: BusyRow, most: float) -> str:
    width = row.cpus / most * 100
    return f'<div class="share">{percent(row.cpus)}<div class="bar"><i style="width:{width:.0f}%"></i></div></div>'


def _state(row: BusyRow) -> str:
    stands = '<div class="soft small">in every dump</div>' if row.stands else ""
    return f"{escape(row.state)}{stands}"


def _where(row: BusyRow) -> str:
    return "<br>".join(f"<code>{escape(frame)}</code>" for frame in (row.top, row.own) if frame)


def _pools(digest: Digest) -> str:
    rows = (
        (
            f"<code>{escape(pool.name)}</code>",
            str(pool.threads),
            f"{escape(states_text(pool))}{_states(pool)}",
        )
        for pool in pool_rows(digest)
    )
    title = f"Pools{f', of {digest.threads} threads' if digest.threads else ''}"
    return _section(title, ("names", ">threads", "states"), rows)


def _states(pool: Pool) -> str:
    parts = (
        f'<i class="{escape(state.replace(" ", "-"))}" style="width:{count / pool.threads * 100:.1f}%"></i>'
        for state, count in pool.states
    )
    return f'<div class="bar">{"".join(parts)}</div>'


def _classes(digest: Digest) -> str:
    rows = ((big, count, f"<code>{escape(name)}</code>") for big, count, name in class_rows(digest))
    return _section("Largest classes", (">bytes", ">instances", "class"), rows)


def _pauses(bundle: Bundle) -> str:
    rows = ((escape(name), escape(text)) for name, text in pause_rows(bundle))
    return _section("How long the application stood still for it", ("!item", "pause"), rows)


def _missing(bundle: Bundle) -> str:
    rows = ((escape(names), _tag(status, status), escape(why)) for names, status, why in missing(bundle))
    return _section("Not taken, or not whole", ("item", "!", "why"), rows)


def _items(bundle: Bundle) -> str:
    rows = (_item(one, bundle.took_s) for one in bundle.held)
    head = ("item", "file", ">size", ">took", "when", "!sha256")
    return _section(f"Taken, over {duration(bundle.took_s)}", head, rows)


def _item(one: BundledItem, took_s: float) -> tuple[str, ...]:
    about = f'<div class="soft small">{escape(one.note or one.about)}</div>'
    file = _link(one.file) if one.file else f"{escape(one.beside)}, beside the archive"
    when = ""
    if one.began_s is not None:
        left, width = (min(part / max(took_s, 0.001) * 100, 100) for part in (one.began_s, one.took_s))
        when = f'<div class="bar line"><i style="left:{min(left, 98):.1f}%;width:{width:.1f}%;height:8px"></i></div>'
    return (
        f"{escape(one.name)}",
        f"{file}{about}",
        size(one.size_bytes),
        duration(one.took_s) if one.began_s is not None else "",
        when,
        f'<code class="soft" title="{escape(one.sha256)}">{escape(one.sha256[:_SUM_SHOWN])}</code>',
    )


def _figures(digest: Digest) -> str:
    parts = [
        f"<details><summary>Figures {when}</summary><pre>{escape(metrics_text(metrics))}</pre></details>"
        for when, metrics in (("before", digest.before), ("after", digest.after))
        if metrics
    ]
    return f"<section>{''.join(parts)}</section>\n" if parts else ""
