"""Dumps out of a container, beside the runbook: docker exec of the JDK's tool, docker exec gzip, docker cp."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.bench.comparison import Bench, Comparison, Goal, Measure, Row
from tests.bench.rounds import BenchFailed, Contender, run_rounds
from tests.bench.startup import JVMDIAG

PS, PS_INSIDE = "`jvmdiag ps NAME`", "`jvmdiag ps NAME --view inside`"
THREADS, THREADS_INSIDE = "`jvmdiag threaddump NAME`", "`jvmdiag threaddump NAME --view inside`"
HEAP, HEAP_INSIDE = "`jvmdiag heapdump NAME`", "`jvmdiag heapdump NAME --view inside`"
FETCH, FETCH_PLAIN = "`jvmdiag fetch NAME FILE`", "`jvmdiag fetch NAME FILE --compress none`"
CP = "`docker cp NAME:FILE COPY`"
JPS = "`docker exec NAME jps -lv`"
JSTACK = "`docker exec` jstack, `docker exec` gzip, `docker cp`"
JMAP = "`docker exec` jmap, `docker exec` gzip, `docker cp`"
_FAR_THREADS, _FAR_HEAP, _FAR_FILE = (
    "/tmp/bench-threads.txt",
    "/tmp/bench-heap.hprof",
    "/tmp/bench-file.hprof",
)
_CREATED = re.compile(r"Heap dump file created \[\d+ bytes in ([\d.]+) secs\]")


def compare_ps(bench: Bench, tomcat: Container) -> Comparison:
    name = str(tomcat.name)
    contenders = (
        Contender(PS, lambda _: [JVMDIAG, "ps", name]),
        Contender(PS_INSIDE, lambda _: [JVMDIAG, "ps", name, "--view", "inside"]),
        Contender(JPS, lambda _: ["docker", "exec", name, "jps", "-lv"]),
    )
    rounds = run_rounds(contenders, bench.scale.short_rounds, bench.env, warm=True)
    rows = tuple(Row(ours, JPS, Goal(Measure.SECONDS, 1)) for ours in (PS, PS_INSIDE))
    return Comparison("JVMs of a Tomcat container", rounds, rows)


def compare_thread_dumps(bench: Bench, tomcat: Container) -> Comparison:
    name = str(tomcat.name)
    steps = (
        f'docker exec "$1" sh -c "jstack 1 >{_FAR_THREADS}" && docker exec "$1" gzip -f {_FAR_THREADS} && '
        f'docker cp "$1:{_FAR_THREADS}.gz" "$2"'
    )
    contenders = (
        Contender(THREADS, lambda home: [JVMDIAG, "threaddump", name, "-o", str(home)]),
        Contender(
            THREADS_INSIDE,
            lambda home: [JVMDIAG, "threaddump", name, "-o", str(home), "--view", "inside"],
        ),
        Contender(
            JSTACK,
            lambda home: ["sh", "-c", steps, "sh", name, str(home)],
            undo=lambda: remove(tomcat, f"{_FAR_THREADS}.gz"),
        ),
    )
    rounds = run_rounds(contenders, bench.scale.short_rounds, bench.env, warm=True)
    rows = tuple(Row(ours, JSTACK, Goal(Measure.TIME, 0.7)) for ours in (THREADS, THREADS_INSIDE))
    return Comparison(
        "Thread dump of a Tomcat container, start of the process to compressed file", rounds, rows
    )


def compare_heap_dumps(bench: Bench, loaded: Container) -> Comparison:
    name, scratch = str(loaded.name), tmp_of(pid_of(loaded))
    steps = (
        f'docker exec "$1" jmap -dump:format=b,file={_FAR_HEAP} 1 && docker exec "$1" gzip -f {_FAR_HEAP} && '
        f'docker cp "$1:{_FAR_HEAP}.gz" "$2"'
    )
    ours = ["heapdump", name, "--yes", "--json", "-o"]
    contenders = (
        Contender(HEAP, lambda home: [JVMDIAG, *ours, str(home)], scratch=scratch, dump_s=said_by_json),
        Contender(
            HEAP_INSIDE,
            lambda home: [JVMDIAG, *ours, str(home), "--view", "inside"],
            scratch=scratch,
            dump_s=said_by_json,
        ),
        Contender(
            JMAP,
            lambda home: ["sh", "-c", steps, "sh", name, str(home)],
            undo=lambda: remove(loaded, f"{_FAR_HEAP}.gz"),
            scratch=scratch,
            dump_s=lambda out: float(_CREATED.findall(out)[0]),
        ),
    )
    rounds = run_rounds(contenders, bench.scale.rounds, bench.env, warm=False)
    rows = tuple(Row(ours, JMAP, Goal(Measure.TIME, 0.25)) for ours in (HEAP, HEAP_INSIDE))
    return Comparison("Heap dump of a container to a local `.gz`, ours verified", rounds, rows)


def compare_copies(bench: Bench, loaded: Container) -> Comparison:
    """The file is a heap dump that lies in the container already."""
    name = str(loaded.name)
    done: Any = loaded.exec_run(["jmap", f"-dump:format=b,file={_FAR_FILE}", "1"])
    if done.exit_code != 0:
        raise BenchFailed(f"no file to copy: {done.output!r}")
    size = megabytes(tmp_of(pid_of(loaded)) / Path(_FAR_FILE).name)
    contenders = (
        Contender(FETCH, lambda home: [JVMDIAG, "fetch", name, _FAR_FILE, "-o", str(home)]),
        Contender(
            FETCH_PLAIN,
            lambda home: [JVMDIAG, "fetch", name, _FAR_FILE, "-o", str(home), "--compress", "none"],
        ),
        Contender(CP, lambda home: ["docker", "cp", f"{name}:{_FAR_FILE}", str(home / "copy")]),
    )
    try:
        rounds = run_rounds(contenders, bench.scale.rounds, bench.env, warm=True)
    finally:
        remove(loaded, _FAR_FILE)
    rows = tuple(Row(ours, CP, Goal(Measure.SPEED, 1)) for ours in (FETCH, FETCH_PLAIN))
    return Comparison(f"A file of {size} out of a container, ours verified", rounds, rows)


def megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.0f} MB"


def said_by_json(out: str) -> float:
    return float(json.loads(out)["says"]["seconds"])


def pid_of(container: Container) -> int:
    """PID 1 of the container as this machine numbers it."""
    container.reload()
    return int(container.attrs["State"]["Pid"])


def tmp_of(pid: int) -> Path:
    """A process's /tmp as this machine sees it. Needs root."""
    return Path(f"/proc/{pid}/root/tmp")


def remove(container: Container, path: str) -> None:
    container.exec_run(["rm", "-f", path])
