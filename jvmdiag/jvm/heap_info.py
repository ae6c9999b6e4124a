"""What GC.heap_info says of the heap: the bytes in use, whichever collector words it."""

from __future__ import annotations

import re

# Serial, Parallel and G1: "used 10083K"; Z: "used 48M"; Shenandoah: "36369K used". Not "64% used".
_USED = re.compile(r"used (\d+)([BKMGT])\b|\b(\d+)([BKMGT]) used")
_SHIFT = {"B": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def heap_used_bytes(text: str) -> int | None:
    """The sum over the generations; None where nothing is said. Z rounds to 1 MiB. Measured on 11 to 25."""
    heap = text.partition("Metaspace")[0]
    used = [(a or b, unit_a or unit_b) for a, unit_a, b, unit_b in _USED.findall(heap)]
    return sum(int(number) << _SHIFT[unit] for number, unit in used) if used else None
