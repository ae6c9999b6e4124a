"""Memory: RAM, swap, the container's limit, and what the JVM's process has resident. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jvmdiag.metrics.cgroup import memory_of, oom_kills
from jvmdiag.metrics.cpu import pressure
from jvmdiag.metrics.figure import Figure, Group, figure, flat, maybe, present
from jvmdiag.metrics.look import Look, keyed

_COUNTER = re.compile(r"^(pswpin|pswpout|oom_kill) (\d+)$", re.MULTILINE)
_USUAL_PAGE = 4096


def memory_group(before: Look, after: Look) -> Group:
    return Group("memory", flat((_machine(after), _swap(before, after), _cgroup(after), _process(after))))


def _machine(after: Look) -> tuple[Figure, ...]:
    said = keyed(after.text("system"))
    total, swap = _bytes(said, "MemTotal"), _bytes(said, "SwapTotal")
    free_swap = _bytes(said, "SwapFree")
    return present(
        maybe("memory.total", total),
        maybe("memory.available", _bytes(said, "MemAvailable")),
        maybe("memory.free", _bytes(said, "MemFree")),
        maybe("memory.cached", _bytes(said, "Cached")),
        maybe("memory.buffers", _bytes(said, "Buffers")),
        maybe("memory.dirty", _bytes(said, "Dirty")),
        maybe("memory.pressure", pressure(after, "memory")),
        maybe("swap.total", swap),
        maybe("swap.used", None if swap is None or free_swap is None else swap - free_swap),
    )


def _bytes(said: dict[str, str], name: str) -> int | None:
    number, _, unit = said.get(name, "").partition(" ")
    return int(number) * 1024 if number.isdigit() and unit == "kB" else None


def _swap(before: Look, after: Look) -> Iterator[Figure]:
    earlier, later = (dict(_COUNTER.findall(look.text("system"))) for look in (before, after))
    seconds = after.at_s - before.at_s
    for name, counter in (("swap.in", "pswpin"), ("swap.out", "pswpout")):
        if counter in earlier and counter in later and seconds > 0:
            pages = int(later[counter]) - int(earlier[counter])
            yield figure(name, pages * _page_bytes(after) / seconds)
    if "oom_kill" in later:
        yield figure("memory.oom_kills", int(later["oom_kill"]))


def _page_bytes(look: Look) -> int:
    """By what the process has resident, in pages and in kB; the two are counted moments apart."""
    resident, pages = _bytes(look.status, "VmRSS"), int(look.stat[21]) if len(look.stat) > 21 else 0
    if not resident or not pages:
        return _USUAL_PAGE
    return min((4096, 16384, 65536), key=lambda size: abs(size - resident / pages))


def _cgroup(after: Look) -> tuple[Figure, ...]:
    found = memory_of(after)
    used = found.used if found else None
    limit = found.limit if found else None
    return present(
        maybe("memory.cgroup.limit", limit),
        maybe("memory.cgroup.used", used),
        maybe("memory.cgroup.used_share", used / limit if used is not None and limit else None),
        maybe("memory.cgroup.oom_kills", oom_kills(after)),
    )


def _process(after: Look) -> tuple[Figure, ...]:
    if after.pid is None:
        return ()
    return present(
        maybe("memory.jvm.resident", _bytes(after.status, "VmRSS")),
        maybe("memory.jvm.swapped", _bytes(after.status, "VmSwap")),
    )
