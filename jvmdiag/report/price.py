"""The preflight as text: one line a finding, what to do about it below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jvmdiag.impact.finding import Finding, Level, Subject

if TYPE_CHECKING:
    from jvmdiag.collect.check import Checked
    from jvmdiag.collect.price import Offer
    from jvmdiag.impact.preflight import Preflight

_MARKS = {Level.OK: "ok", Level.RISKY: "RISKY", Level.REFUSED: "REFUSED"}
# These say the price, and are shown before a dump also where they are fine.
_PRICE = (Subject.DISK, Subject.PAUSE)


def findings_table(findings: Iterable[Finding]) -> str:
    """The level, the subject, what was found; advice is indented below."""
    lines = []
    for finding in findings:
        lines.append(f"  {_MARKS[finding.level]:7}  {finding.subject.value:6}  {finding.what}")
        lines += [f"{'':19}{advice}" for advice in finding.advice]
    return "\n".join(lines)


def checked_text(checked: Checked) -> str:
    """What a heap dump would meet and cost; the last line is the verdict."""
    price = checked.price
    head = f"pid {checked.jvm.nspid} at {checked.where} ({checked.jvm.main or checked.jvm.java})"
    return f"{head}\n{findings_table(price.findings)}\n{_verdict(price)}"


def _verdict(price: Preflight) -> str:
    operation = price.intent.operation.value
    refused = sorted({f.subject.value for f in price.findings if f.level is Level.REFUSED})
    if refused:
        return f"a {operation} is refused; --force {' --force '.join(refused)} would take it all the same"
    risky = sorted({f.subject.value for f in price.findings if f.level is Level.RISKY})
    return f"a {operation} can be taken" + (f"; weigh: {', '.join(risky)}" if risky else "")


def offer_text(offer: Offer) -> str:
    """What is about to be done, and what it will cost, in plain words."""
    price = offer.price
    lines = [
        f"A {price.intent.operation.value} of pid {offer.jvm.nspid} at {offer.where}, by {offer.method}."
    ]
    if price.intent.live:
        lines.append("A full collection comes first (--live).")
    lines.append(costs_text(price))
    if price.room:
        lines.append(_holds(price.intent.redacted))
    return "\n".join(lines)


def _holds(redacted: str) -> str:
    if redacted:
        return f"Redacted before it is written here: {redacted}."
    return "The file holds whatever the application holds in memory, secrets included."


def costs_text(price: Preflight) -> str:
    """What is to be weighed before a yes: the price, and whatever is not fine."""
    shown = (f for f in price.findings if f.level is not Level.OK or f.subject in _PRICE)
    return findings_table(Finding(f.subject, f.level, f.what, _advice(f)) for f in shown)


def _advice(finding: Finding) -> tuple[str, ...]:
    return () if finding.level is Level.OK else finding.advice
