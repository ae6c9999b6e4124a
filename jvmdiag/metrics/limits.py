"""Limits of the JVM's process against what is used now: open files, processes and threads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jvmdiag.metrics.cgroup import pids_of
from jvmdiag.metrics.figure import Figure, Group, figure, flat
from jvmdiag.metrics.look import Look

_LIMIT = re.compile(r"^Max (processes|open files) +(\d+|unlimited) +(\d+|unlimited)", re.MULTILINE)
_DESCRIPTOR = re.compile(r"^l\S* .* -> ", re.MULTILINE)


def limits_group(after: Look) -> Group:
    unseen = []
    if after.pid is not None and not after.text("descriptors"):
        unseen.append("open files: /proc/PID/fd is for the JVM's owner and root")
    if after.pid is not None and _threads_of_user(after) is None:
        unseen.append("threads of the JVM's user: the owners of /proc/PID could not be read")
    return Group("limits", flat((_files(after), _processes(after), _cgroup(after))), tuple(unseen))


def limits_in(text: str) -> dict[str, tuple[int | None, int | None]]:
    """Of /proc/PID/limits: soft and hard of "open files" and "processes"; None where it is unlimited."""
    return {name: (_number(soft), _number(hard)) for name, soft, hard in _LIMIT.findall(text)}


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _against(name: str, used: int | None, soft: int | None, hard: int | None) -> Iterator[Figure]:
    if used is not None:
        yield figure(f"limit.{name}.used", used)
    for which, limit in (("soft", soft), ("hard", hard)):
        if limit is not None:
            yield figure(f"limit.{name}.{which}", limit)
    if used is not None and soft:
        yield figure(f"limit.{name}.used_share", used / soft)


def _files(after: Look) -> Iterator[Figure]:
    soft, hard = limits_in(after.text("process")).get("open files", (None, None))
    used = len(_DESCRIPTOR.findall(after.text("descriptors"))) if after.text("descriptors") else None
    yield from _against("files", used, soft, hard)


def _processes(after: Look) -> Iterator[Figure]:
    soft, hard = limits_in(after.text("process")).get("processes", (None, None))
    figures = _against("processes", _threads_of_user(after), soft, hard)
    # Root, by its capabilities, may go beyond.
    yield from (one for one in figures if _uid(after) != 0 or not one.name.endswith("_share"))


def _uid(look: Look) -> int | None:
    words = look.status.get("Uid", "").split()
    return int(words[0]) if words and words[0].isdigit() else None


def _threads_of_user(look: Look) -> int | None:
    """None where no owner was told. The namespace of the look and of its /proc may number users differently: the
    owner is that of the JVM's own process there, found by its innermost pid."""
    processes = {one.pid: one for one in look.processes()}
    inner = look.status.get("NSpid", "").split()
    own = next((processes[int(pid)] for pid in reversed(inner) if int(pid) in processes), None)
    if own is None or own.uid is None:
        return None
    return sum(one.threads for one in processes.values() if one.uid == own.uid)


def _cgroup(after: Look) -> Iterator[Figure]:
    found = pids_of(after)
    if found:
        yield figure("limit.cgroup.pids.used", found.used)
        if found.limit is not None:
            yield figure("limit.cgroup.pids.limit", found.limit)
            yield figure("limit.cgroup.pids.used_share", found.used / found.limit if found.limit else 1.0)
