"""A snapshot as text for a terminal and as a document, and what its folder's own pages are made by. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jvmdiag.collect.snapshot_request import Pages
from jvmdiag.report.json import document
from jvmdiag.report.snapshot_html import page
from jvmdiag.report.snapshot_md import summary
from jvmdiag.report.snapshot_rows import deadlock_line, missing, taken_line, verdict_rows

if TYPE_CHECKING:
    from jvmdiag.collect.snapshot_request import SnapshotTaken

PAGES = Pages(page, summary, lambda metrics: document("metrics", **vars(metrics)) + "\n")
_LEFT_OUT = ("schema", "commands", "tool")


def snapshot_text(taken: SnapshotTaken) -> str:
    """What was taken, what stands out, what was not taken and why."""
    lines = [taken_line(taken.bundle)]
    if said := deadlock_line(taken.digest):
        lines.append(said)
    lines += [
        f"{row.group:<8} {row.level.value:<7}  {row.after or row.before}"
        for row in verdict_rows(taken.digest)
    ]
    lines += [f"{status} {names}: {why}" for names, status, why in missing(taken.bundle)]
    lines += [
        f"left behind: {left.where}; remove it with: {left.remove}" for left in taken.bundle.left_behind
    ]
    if taken.archive and taken.folder:
        lines.append(f"the same in one file: {taken.archive}")
    return "\n".join(lines)


def snapshot_summary(taken: SnapshotTaken) -> str:
    """Its summary, to be pasted: where the archive is encrypted, nobody here can read the one that is in it."""
    return summary(taken.bundle, taken.digest).rstrip("\n")


def snapshot_document(taken: SnapshotTaken) -> str:
    """The manifest but for its commands, and where it is."""
    told = {
        f.name: getattr(taken.bundle, f.name)
        for f in dataclasses.fields(taken.bundle)
        if f.name not in _LEFT_OUT
    }
    return document("snapshot", folder=taken.folder, archive=taken.archive, **told)
