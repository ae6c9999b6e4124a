"""Numbers as a person reads them, and writes them."""

from __future__ import annotations

import re

_SECONDS = {"ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def size(size_bytes: float) -> str:
    """1.2 GB, 640 MB, 12 kB, 7 B: powers of a thousand, two or three digits."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        # The borders lie where rounding goes over to the next form: never 1,000 MB or 10.0 MB.
        if (value := size_bytes / factor) >= 0.9995:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
    return f"{size_bytes:.0f} B"


def duration(seconds: float) -> str:
    """3d 4h, 2h 5m, 1m 20s, 4.2 s, 12 ms."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, secs = divmod(int(seconds + 0.05), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {secs}s"


def span(low_s: float, high_s: float) -> str:
    """1.5 to 3.0 s: a range of durations; the unit stands once where both have the same."""
    low, high = duration(low_s), duration(high_s)
    number, _, unit = low.rpartition(" ")
    same = bool(number) and " " not in number and high.endswith(f" {unit}") and high.count(" ") == 1
    return f"{number if same else low} to {high}"


def seconds_of(text: str) -> float | None:
    """20s, 1.5 s, 500ms, 2m, or plain seconds; None where it is no such thing."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    factor = _SECONDS.get(found[2]) if found else None
    return float(found[1]) * factor if found and factor else None
