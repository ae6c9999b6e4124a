"""Results as text for a terminal: pure, prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jvmdiag.report.cost import cost_lines, disk_part, pause_text
from jvmdiag.units import duration, size

# A command imports the room of its own result, and pays for no other.
if TYPE_CHECKING:
    from jvmdiag.capture.histogram import Histogram
    from jvmdiag.collect.dry_run import DryRun
    from jvmdiag.collect.fetch import Fetched
    from jvmdiag.collect.going_on import Resumed
    from jvmdiag.collect.heap_request import HeapDumpTaken
    from jvmdiag.collect.listing import Listed, Listing
    from jvmdiag.collect.redact import Redacted
    from jvmdiag.collect.threads import ThreadDump
    from jvmdiag.model import Artifact
    from jvmdiag.transfer.verify import Verdict


def visible(line: str) -> str:
    """The line with what would steer a terminal spelled out: names of processes and threads are whoever's there."""
    return line if line.isprintable() else "".join(map(_visible, line))


def _visible(character: str) -> str:
    return (
        character
        if character.isprintable() or character == "\t"
        else character.encode("unicode_escape").decode()
    )


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as they need to be; those in `right` are set flush right. The first row is the head."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.rjust(w) if n in right else cell.ljust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def jvms_table(listing: Listing) -> str:
    """One line a JVM, and below them the places that could not be looked at."""
    head = ("TARGET", "PID", "USER", "VM", "UP", "HEAP", "THREADS", "METHODS", "MAIN")
    rows = [head, *(_jvm_row(one) for one in listing.jvms)]
    text = table(rows, right=frozenset({1, 6})) if listing.jvms else "no JVM found"
    unseen = (f"not looked at: {target}: {why}" for target, why in listing.unseen)
    return "\n".join((text, *unseen))


def _jvm_row(one: Listed) -> tuple[str, ...]:
    jvm = one.jvm
    heap = (
        f"{size(jvm.heap.used_bytes)} / {size(jvm.heap.max_bytes or jvm.heap.committed_bytes)}"
        if jvm.heap
        else "?"
    )
    ready = ",".join(name for name, reason in one.methods if not reason)
    vm = f"{jvm.vm.value if jvm.vm.value != 'unknown' else 'JVM'} {jvm.version or ''}".strip()
    return (
        one.target.removeprefix("docker://"),
        str(one.pid),
        jvm.user,
        vm,
        duration(jvm.uptime_s),
        heap,
        str(jvm.threads),
        ready or "none",
        jvm.main or jvm.java,
    )


def why_not(listing: Listing) -> str:
    """For each JVM the methods that would not work, and why."""
    lines = [
        f"{one.target} pid {one.pid}: {name}: {reason}"
        for one in listing.jvms
        for name, reason in one.methods
        if reason
    ]
    return "\n".join(lines)


def thread_dump_text(dump: ThreadDump, *, plain: bool = False) -> str:
    found = "   DEADLOCK found by the JVM" if dump.deadlock else ""
    head = f"{dump.threads} threads, {duration(dump.seconds)}, {dump.method} ({dump.detail})"
    if dump.forecast is None:
        return f"{head}{f', {pause_text(dump.pause)}' if dump.pause else ''}{found}"
    cost = cost_lines(dump.pause, dump.forecast, dump.cost, plain=plain)
    return "\n  ".join((head + found, *cost))


def heap_dump_text(taken: HeapDumpTaken, *, plain: bool = False) -> str:
    kept = taken.artifact
    ratio = kept.raw_bytes / kept.stored_bytes if kept.stored_bytes else 1.0
    lines = [
        f"{size(kept.raw_bytes)} dumped by the JVM in {duration(taken.says.seconds)}, here and verified after "
        f"{duration(taken.total_s)}: {size(kept.stored_bytes)} ({kept.codec}, {ratio:.1f} x)",
        *(f"  {witness.name}: {witness.detail}" for witness in kept.witnesses),
    ]
    if taken.redacted:
        lines.append(f"  redacted: {taken.redacted}")
    cost = cost_lines(taken.pause, taken.forecast, taken.cost, disk=disk_part(taken), plain=plain)
    lines += [f"  {line}" for line in cost]
    if taken.resumed:
        lines.append(f"the stream was cut and continued {taken.resumed} times")
    lines += [f"left behind: {left.where}; remove it with: {left.remove}" for left in taken.left_behind]
    return "\n".join(lines)


def resumed_text(resumed: Resumed) -> str:
    kept = resumed.artifact
    lines = [
        f"{size(kept.raw_bytes)}, of which {size(resumed.here_bytes)} were here, whole and verified after "
        f"{duration(resumed.total_s)}: {size(kept.stored_bytes)} ({kept.codec})",
        *(f"  {witness.name}: {witness.detail}" for witness in kept.witnesses),
        *(f"left behind: {left.where}; remove it with: {left.remove}" for left in resumed.left_behind),
    ]
    return "\n".join(lines)


def witnesses_line(kept: Artifact) -> str:
    return "; ".join(f"{w.name}: {w.detail}" for w in kept.witnesses)


def histogram_text(histogram: Histogram, top: int) -> str:
    """The `top` largest classes (0: all), and the total."""
    shown = histogram.classes[:top] if top else histogram.classes
    rows = [
        ("INSTANCES", "BYTES", "CLASS"),
        *((f"{c.instances:,}", f"{c.size_bytes:,}", c.name) for c in shown),
    ]
    rest = len(histogram.classes) - len(shown)
    more = f"\n(+{rest} classes: --top 0 shows all)" if rest else ""
    total = f"\n{histogram.instances:,} instances, {size(histogram.size_bytes)}"
    return table(rows, right=frozenset({0, 1})) + more + total


def dry_run_text(dry: DryRun) -> str:
    lines = [f"by {dry.method}; would run:"]
    for planned in dry.commands:
        lines += [f"  {planned.command}", f"      risk: {planned.risk}"]
    lines += [f"not by {name}: {why}" for name, why in dry.not_ready]
    return "\n".join(lines)


def verdict_text(verdict: Verdict) -> str:
    state = "whole" if verdict.ok else "NOT WHOLE"
    lines = [
        f"{verdict.path}: {state} ({verdict.kind}, {verdict.codec.value}, {size(verdict.raw_bytes)} raw)"
    ]
    lines += [f"  {'ok ' if w.agrees else 'BAD'} {w.name}: {w.detail}" for w in verdict.witnesses]
    return "\n".join(lines)


def fetched_text(fetched: Fetched) -> str:
    kept = fetched.artifact
    lines = [
        f"{size(kept.raw_bytes)}, stored as {size(kept.stored_bytes)} ({kept.codec}); {witnesses_line(kept)}"
    ]
    lines += [f"warning: {warning}" for warning in fetched.warnings]
    lines += [f"left behind: {left.where}; remove it with: {left.remove}" for left in fetched.left_behind]
    return "\n".join(lines)


def redacted_text(redacted: Redacted) -> str:
    """What went, what it came to, and what one must know who gives it away."""
    kept = redacted.artifact
    stored = f"{size(kept.raw_bytes)}, stored as {size(kept.stored_bytes)} ({kept.codec})"
    done = f"{redacted.what}; {stored} in {duration(redacted.total_s)}; {witnesses_line(kept)}"
    if kept.kind != "heap dump":
        return f"{done}\nnot hidden: names of classes, methods and files, addresses"
    if redacted.names:
        return f"{done}\nnot hidden: names that are the JDK's own"
    return f"{done}\nnot zeroed: names of classes, methods and fields, and string constants of class files"
