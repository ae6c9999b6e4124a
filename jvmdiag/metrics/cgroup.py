"""The limits of a process's control groups, versions 1 and 2, from its own group up to the root that is seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jvmdiag.metrics.look import Look

# Version 1 writes "no limit" as the largest multiple of a page.
_NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Throttled:
    """Since a group was made: its periods, in how many it was held up, and for how long, over all CPUs."""

    periods: int
    times: int
    seconds: float


def _lines(look: Look) -> Iterator[tuple[int, str, str]]:
    """Level (0: its own), file, and what stands in it; a file of several lines comes several times."""
    for line in look.text("cgroup").splitlines():
        level, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if level.isdigit() and value:
            yield int(level), name, value


def _by_level(look: Look) -> dict[int, dict[str, str]]:
    levels: dict[int, dict[str, str]] = {}
    for level, name, value in _lines(look):
        levels.setdefault(level, {})[name] = value
    return levels


def _counts(look: Look, file: str, of: int = 0) -> dict[str, int]:
    pairs = (value.split() for level, name, value in _lines(look) if level == of and name == file)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def cpu_quota(look: Look) -> float | None:
    """In CPUs; None where there is none."""
    return min((quota for files in _by_level(look).values() for quota in _quotas(files)), default=None)


def _quotas(files: dict[str, str]) -> Iterator[float]:
    pairs = [
        files.get("cpu.max", "max 0").split(),
        [files.get("cpu.cfs_quota_us", "-1"), files.get("cpu.cfs_period_us", "0")],
    ]
    for pair in pairs:
        if len(pair) == 2 and pair[0].isdigit() and pair[1].isdigit() and int(pair[1]):
            yield int(pair[0]) / int(pair[1])


def throttled(look: Look) -> dict[int, Throttled]:
    """By level, of those groups that have a CPU controller."""
    counts = {level: _counts(look, "cpu.stat", level) for level in _by_level(look)}
    return {level: _throttled(found) for level, found in counts.items() if "nr_throttled" in found}


def _throttled(counts: Mapping[str, int]) -> Throttled:
    # Version 2 counts microseconds, version 1 nanoseconds.
    seconds = (
        counts["throttled_usec"] / 1e6
        if "throttled_usec" in counts
        else counts.get("throttled_time", 0) / 1e9
    )
    return Throttled(counts.get("nr_periods", 0), counts["nr_throttled"], seconds)


@dataclass(frozen=True)
class Limited:
    """What is used of a limit: bytes of memory, or processes and threads. `limit` is None where there is none."""

    used: int
    limit: int | None


def memory_of(look: Look) -> Limited | None:
    """By the group with the least room. Page cache that can be dropped at once is not counted as use."""
    dropped = {level: _can_be_dropped(look, level) for level in _by_level(look)}
    return _tightest(
        look, (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")), dropped
    )


def _can_be_dropped(look: Look, level: int) -> int:
    # Version 1 counts a group alone, and with total_ those below it too, as version 2 does.
    counts = _counts(look, "memory.stat", level)
    return counts.get("total_inactive_file", counts.get("inactive_file", 0))


def pids_of(look: Look) -> Limited | None:
    """Processes and threads of its groups, by the tightest."""
    return _tightest(look, (("pids.max", "pids.current"),), {})


def _tightest(look: Look, names: tuple[tuple[str, str], ...], dropped: Mapping[int, int]) -> Limited | None:
    found = [
        Limited(max(int(files[used]) - dropped.get(level, 0), 0), _limit(files.get(limit, "max")))
        for level, files in _by_level(look).items()
        for limit, used in names
        if files.get(used, "").isdigit()
    ]
    limited = [one for one in found if one.limit is not None]
    if limited:
        return min(limited, key=lambda one: (one.limit or 0) - one.used)
    return found[0] if found else None


def _limit(text: str) -> int | None:
    return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None


def oom_kills(look: Look) -> int | None:
    """How often the kernel killed in its group for want of memory; None where it is not counted."""
    counts = _counts(look, "memory.events") or _counts(look, "memory.oom_control")
    return counts.get("oom_kill")


def frozen(look: Look) -> bool:
    """Whether its group is held still: docker pause does it, and the state of its processes does not tell."""
    return (0, "freezer.state", "FROZEN") in _lines(look) or _counts(look, "cgroup.events").get("frozen") == 1
