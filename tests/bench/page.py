"""The results as the page docs/reference/benchmarks.md, and the raw runs as JSON."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterator, Sequence

from tests.bench.comparison import Comparison, Measure, Row, Scale
from tests.bench.rounds import Sample

_HEAD = """\
# Benchmarks

Written by `{command} >docs/reference/benchmarks.md`. It runs jvmdiag and what people use today in turn, on the
same containers and hosts, and compares medians of {rounds} runs ({short_rounds} of the short ones). Ratios travel to
another machine; seconds do not.

- The **runbook** writes into the container's `/tmp` with the JDK's own tool, compresses there with `gzip`, and
  copies the result with `docker cp`. It is given the PID, and is not asked whether the result is whole.
- A heap dump of jvmdiag is the whole command: the preflight, and the two seconds before the dump that its cost is
  compared with, are in its time.
- jvmdiag has to find the JVM, and its file is verified: what was sent, what came, structure, sum.
- `--view inside` is what a user without root on the engine's host gets; root reads and speaks through `/proc`.
- A snapshot waits five seconds between its thread dumps, twice. By hand the same evidence is collected by a script:
  `jstack`, `jmap`, `jcmd`, `docker logs` and `docker cp` of an image that has a JDK, `top`, `ss`, `ip`, `nstat` and
  `/proc` of the machine, `sha256sum` and `tar`; nothing is joined, masked or checked, and there is no page.
- `scp` uses OpenSSH's default cipher. Neither it nor `ssh` nor `docker cp` compresses or verifies.
- The SSH host is this machine, so both ends share its cores; the file is read from memory. The round trip of 50 ms
  is made by a proxy that delays every byte.
"""


def page(comparisons: Sequence[Comparison], facts: Sequence[str], scale: Scale, command: str) -> str:
    head = _HEAD.format(command=command, rounds=scale.rounds, short_rounds=scale.short_rounds)
    parts = [head, "\n".join(["## Machine", "", *(f"- {fact}" for fact in facts), ""])]
    parts += [_ratios(comparisons), *_prices(comparisons)]
    return "\n".join(parts).rstrip()


def raw_runs(comparisons: Sequence[Comparison], facts: Sequence[str]) -> str:
    """Every sample, in the order in which each contender's were taken."""
    runs = {
        one.title: {name: [_fields(sample) for sample in samples] for name, samples in one.rounds.items()}
        for one in comparisons
    }
    return json.dumps({"schema": "jvmdiag.bench/1", "machine": list(facts), "runs": runs}, indent=2)


def _fields(sample: Sample) -> dict[str, float | int | None]:
    fields = dataclasses.asdict(sample)
    return {name: value for name, value in fields.items() if name != "out"}


def _ratios(comparisons: Sequence[Comparison]) -> str:
    lines = ["## Results", ""]
    for one in comparisons:
        lines += [f"### {one.title}", "", "| | median | beside it | median | ratio | goal | |"]
        lines += ["|---|---:|---|---:|---:|---|---|", *(_line(one, row) for row in one.rows), ""]
    return "\n".join(lines)


def _line(one: Comparison, row: Row) -> str:
    ours_s = one.median_s(row.ours)
    other_s = one.median_s(row.other) if row.other else None
    beside = (row.other or "", _seconds(other_s) if other_s else "")
    measure = row.goal.measure if row.goal else Measure.TIME
    ratio = ""
    if other_s:
        ratio = (
            f"{other_s / ours_s:.2f} {Measure.SPEED.value}"
            if measure is Measure.SPEED
            else f"{ours_s / other_s:.2f} {Measure.TIME.value}"
        )
    verdict = ""
    if row.goal:
        verdict = "met" if row.goal.met(row.goal.figure(ours_s, other_s or ours_s)) else "**missed**"
    cells = (row.ours, _seconds(ours_s), *beside, ratio, str(row.goal or ""), verdict)
    return f"| {' | '.join(cells)} |"


_PRICES = """\
## What it takes besides time

Medians. Memory is the largest process's peak (the goal for jvmdiag is less than 100 MB); disk is what the
target's directory grew by at its peak. The `docker` command's share is not that of the engine, which does
its work.
"""


def _prices(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """A heading, and a table for each comparison in which something was brought home."""
    bringing = [one for one in comparisons if any(map(_brought, one.rounds.values()))]
    if bringing:
        yield _PRICES
    for one in bringing:
        yield f"### {one.title}\n"
        yield "| | CPU here | memory here | disk there | the JVM's dump | stored |"
        yield "|---|---:|---:|---:|---:|---:|"
        for name, samples in one.rounds.items():
            yield f"| {name} | {' | '.join(_price(samples))} |"
        yield ""


def _brought(samples: Sequence[Sample]) -> bool:
    return any(sample.brought_bytes for sample in samples)


def _price(samples: Sequence[Sample]) -> Iterator[str]:
    def median(values: Sequence[float]) -> float:
        return statistics.median(values)

    dumps = [sample.dump_s for sample in samples if sample.dump_s is not None]
    disk = median([sample.target_disk_bytes for sample in samples])
    yield _seconds(median([sample.cpu_s for sample in samples]))
    yield _mb(median([sample.peak_rss_bytes for sample in samples]))
    yield _mb(disk) if disk else ""
    yield _seconds(median(dumps)) if dumps else ""
    yield _mb(median([sample.brought_bytes for sample in samples]))


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _mb(value: float) -> str:
    return f"{value / 1e6:,.0f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"
