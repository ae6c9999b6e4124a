"""Numbers as a person reads them."""

from __future__ import annotations


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
