"""What a sweep found and did, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jvmdiag.report.text import table, visible
from jvmdiag.units import duration, size

if TYPE_CHECKING:
    from jvmdiag.collect.leftover import Leftover
    from jvmdiag.collect.sweep import Swept

_HEAD = ("STATE", "WHAT", "SIZE", "AGE", "UID", "WHERE")


def leftovers_table(found: Sequence[Leftover]) -> str:
    """One line each, and below it what is to be known of it."""
    rows = [_HEAD, *(_row(one) for one in found)]
    head, *lines = table(rows, right=frozenset({2, 3, 4})).split("\n")
    notes = (
        f"{line}\n            {one.note}" if one.note else line
        for line, one in zip(lines, found, strict=True)
    )
    return "\n".join((head, *notes))


def _row(one: Leftover) -> tuple[str, ...]:
    # Sizes of what has none say nothing.
    size_text = size(one.size_bytes) if one.size_bytes else ""
    age = duration(one.age_s) if one.age_s is not None else ""
    uid = "" if one.uid is None else str(one.uid)
    # A path may hold a line break.
    return one.state.value, visible(one.what), size_text, age, uid, visible(one.where)


def swept_text(swept: Swept) -> str:
    """One target, from its name to the records that went."""
    body = leftovers_table(swept.found) if swept.found else "nothing is left there"
    return "\n".join((f"{swept.target}:", body, *(f"dropped {said}" for said in swept.dropped)))
