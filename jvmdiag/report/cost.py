"""What a capture really cost, as a line or three: the pause, the requests, the disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jvmdiag.units import duration, size, span

if TYPE_CHECKING:
    from jvmdiag.collect.heap_request import HeapDumpTaken
    from jvmdiag.model import Cost, Dip, Forecast, Pause, ProbeToll

# A rate that falls by less than this is as it was before.
_A_DIP = 0.1
_MISSED = 5.0
_WIDTH = 60
_HELD_UP_S = 0.05
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


def pause_text(pause: Pause, forecast: Forecast | None = None) -> str:
    """paused 1.84 s (forecast 1.5 to 3.0 s; the JVM's own count)"""
    took = f"{pause.seconds:.2f} s" if pause.seconds >= 0.9995 else f"{pause.seconds * 1000:.2g} ms"
    if 0.0995 <= pause.seconds < 0.9995:
        took = f"{pause.seconds * 1000:.0f} ms"
    foretold = f"forecast {span(forecast.low_s, forecast.high_s)}; " if forecast else ""
    spent = f", {_collections_text(pause)} among it" if pause.collections else ""
    if pause.exact:
        return f"paused {took} ({foretold}the JVM's own count{spent})"
    others = f"the JVM's own count of {pause.safepoints} safepoints, others among them{spent}"
    return f"paused at most {took} ({foretold}{others})"


def _collections_text(pause: Pause) -> str:
    count = "a collection" if pause.collections == 1 else f"{pause.collections} collections"
    return f"{count} of {duration(pause.collecting_s)}"


def cost_lines(
    pause: Pause | None, forecast: Forecast | None, cost: Cost | None, *, disk: str = "", plain: bool = False
) -> list[str]:
    """The closing line, and the rates as a row of bars where there was traffic. `plain` keeps to ASCII."""
    parts = [pause_text(pause, forecast)] if pause else []
    if cost:
        parts += _traffic_parts(cost)
    if disk:
        parts.append(disk)
    lines = [(" - " if plain else " · ").join(parts)] if parts else []
    if cost and cost.traffic:
        bars = sparkline(cost.rates, width=_WIDTH, plain=plain)
        lines.append(f"{cost.unit}/s {bars} (0 to {max(cost.rates):.0f}; {cost.source})")
    return lines


def disk_part(taken: HeapDumpTaken) -> str:
    """disk +1.1 GB for 9 s, now clean"""
    if not taken.on_disk_s:
        return "no disk"
    grew = f"disk +{size(taken.artifact.raw_bytes)}"
    return (
        f"{grew}, still there" if taken.left_behind else f"{grew} for {duration(taken.on_disk_s)}, now clean"
    )


def _traffic_parts(cost: Cost) -> list[str]:
    parts = []
    if cost.traffic:
        parts.append(f"{cost.unit} {_dip_text(cost.traffic, cost.took_s)}")
    if cost.cut:
        parts.append("the watching was cut off before the answer")
    if cost.errors is not None and cost.traffic:
        parts.append(_errors_text(cost.errors, cost.errors_before))
    if cost.connections_dropped:
        parts.append(f"{cost.connections_dropped} connections dropped")
    if cost.probe:
        parts.append(_probe_text(cost.probe))
    if cost.probe_note:
        parts.append(cost.probe_note)
    if (cost.throttled_s or 0) >= _HELD_UP_S:
        parts.append(f"held up by its CPU quota for {duration(cost.throttled_s or 0)}")
    return parts


def _errors_text(errors: int, before: int | None) -> str:
    usual = f" ({before} in the ten seconds before)" if before else ""
    return f"{errors} errors{usual}" if errors else "no errors"


def _dip_text(dip: Dip, took_s: float) -> str:
    before = f"{dip.before_per_s:.0f}/s"
    if dip.still_s:
        back = (
            "not yet back" if dip.recovered_s is None else f"back to 95 % after {duration(dip.recovered_s)}"
        )
        return f"{before} -> {dip.lowest_per_s:.0f} for {duration(dip.still_s)}, {back}"
    # Of three that would have come, none is no less.
    enough = dip.before_per_s * took_s >= _MISSED
    if enough and dip.during_per_s < dip.before_per_s * (1 - _A_DIP):
        return f"{before} -> {dip.during_per_s:.0f}/s meanwhile"
    return f"{before} as before"


def _probe_text(probe: ProbeToll) -> str:
    failed = f", {probe.errors} failed" if probe.errors else ""
    return f"probe {duration(probe.usual_s)} -> {duration(probe.longest_s)}{failed}"


def sparkline(values: Sequence[float], *, width: int = 40, plain: bool = False) -> str:
    """A line of bars from 0 to the largest, at most `width` of them, each the mean of its values."""
    bars = _PLAIN_BARS if plain else _BARS
    width = min(width, len(values))
    parts = [values[len(values) * n // width : len(values) * (n + 1) // width] for n in range(width)]
    means = [sum(part) / len(part) for part in parts]
    most = max(means, default=0)
    return "".join(bars[round(mean / most * 7) if most > 0 else 0] for mean in means)
