"""Passes over a heap dump beside the machine's own `cat | wc -c`, and streaming with and without redaction. No Docker.

Everything runs in this process, in turn, and with a kernel that is compiled already: start-up is not in the figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from jvmdiag.hprof.careful import CarefulZeroing
from jvmdiag.hprof.histogram import class_counts
from jvmdiag.hprof.kernel import KernelTally, KernelZeroing
from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules
from jvmdiag.hprof.scan import PythonTally, PythonZeroing, Scan, Tally
from jvmdiag.hprof.stream import HeapStream, Readable
from jvmdiag.transfer.codec import Codec, read_raw
from jvmdiag.transfer.hprof import StructureWalk
from jvmdiag.transfer.pump import pump
from tests.bench.forecast import compile_load, unpack_runtime
from tests.bench.machine import load_average
from tests.bench.rounds import BenchFailed
from tests.bench.startup import JVMDIAG
from tests.real import local_jvm

_BLOCK_BYTES = 1 << 20
# The load program's heap dump is about that much for each of its --megabytes.
_DUMP_BYTES_PER_MEGABYTE = 1_700_000
CAT, PLAIN = "`cat FILE \\| wc -c`", "streaming alone"
_ALL = Rules.parse("all")


@dataclass(frozen=True)
class Pass:
    """What one took; `cpu_s` is of this process with its children."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True)
class Work:
    """`beside` names what it is compared with, `goal_gb_s` is in 10^9 bytes a second."""

    name: str
    run: Callable[[Path], object]
    beside: str = CAT
    goal_gb_s: float | None = None


def works() -> tuple[Work, ...]:
    return (
        Work(CAT, _cat),
        Work("sha256", _sha256),
        Work("histogram, compiled", lambda path: _histogram(path, KernelTally()), goal_gb_s=4),
        Work("redaction (all), compiled", lambda path: _redact(path, KernelZeroing(_ALL.kinds)), goal_gb_s=4),
        Work(
            "redaction (all, fields), compiled",
            lambda path: _redact(path, KernelZeroing(_ALL.kinds, fields=True)),
        ),
        Work("histogram, Python", lambda path: _histogram(path, PythonTally()), goal_gb_s=0.25),
        Work(
            "redaction (all), Python", lambda path: _redact(path, PythonZeroing(_ALL.kinds)), goal_gb_s=0.25
        ),
        Work("redaction (all, fields), Python", lambda path: _redact(path, CarefulZeroing(_ALL.kinds))),
        Work(PLAIN, lambda path: _pump(read_raw(path))),
        Work("streaming with redaction (all), compiled", lambda path: _pump(_redacted(path)), beside=PLAIN),
    )


def _cat(path: Path) -> None:
    subprocess.run(
        ["sh", "-c", f"cat {shlex.quote(str(path))} | wc -c"], stdout=subprocess.DEVNULL, check=True
    )


def _sha256(path: Path) -> None:
    buffer, digest = bytearray(_BLOCK_BYTES), hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(memoryview(buffer)[:size])


def _histogram(path: Path, tally: Tally) -> None:
    with path.open("rb", buffering=0) as file:
        class_counts(cast(Readable, file), tally)


def _redact(path: Path, scan: Scan) -> None:
    stream = HeapStream(scan)
    with path.open("rb", buffering=0) as file:
        for _ in stream.over_file(cast(Readable, file)):
            pass
    stream.finish()


class _Nowhere:
    def write(self, data: bytes, /) -> None:
        pass


def _pump(chunks: Iterator[bytes]) -> None:
    """As a heap dump that is stored as it is: summed and walked, in threads of its own."""
    pump(chunks, _Nowhere(), Codec.NONE, walk=StructureWalk(), advance=lambda _: None)


def _redacted(path: Path) -> Iterator[bytes]:
    redactor = Redactor(_ALL, size_bytes=path.stat().st_size)
    yield from map(redactor.feed, read_raw(path))
    yield redactor.finish()


def measure_passes(folder: Path, dump: Path | None, *, quick: bool) -> tuple[str, str]:
    """The table, and every pass as JSON. Without a `dump` a JVM of this machine is filled and dumped: 1 GB, or a
    quarter of it where `quick`."""
    path = dump or _dump(folder, (256 if quick else 1024) << 20)
    before, taken = load_average(), {work.name: list[Pass]() for work in works()}
    for number in range(3 if quick else 6):
        for work in works():
            done = _timed(work, path)
            sys.stderr.write(f"  {work.name}: {done.seconds:.3f} s\n")
            if number:  # the first compiles
                taken[work.name].append(done)
    size = path.stat().st_size
    loads = f"load average {before} at the start, {load_average()} at the end"
    busy = f"{size / 1e6:,.0f} MB; {os.cpu_count()} cores, {loads}"
    raw = {name: [asdict(one) for one in passes] for name, passes in taken.items()}
    return f"{busy}\n\n{_table(taken, size)}", json.dumps({"size_bytes": size, "passes": raw}, indent=1)


def _timed(work: Work, path: Path) -> Pass:
    cpu_s, started = _cpu_s(), time.perf_counter()
    work.run(path)
    return Pass(time.perf_counter() - started, _cpu_s() - cpu_s)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _table(taken: dict[str, list[Pass]], size: int) -> str:
    lines = [
        "| | median | CPU | GB/s | GB for each CPU second | ratio | beside | goal for one core | |",
        "|---|---:|---:|---:|---:|---:|---|---|---|",
    ]
    seconds = {name: statistics.median(one.seconds for one in passes) for name, passes in taken.items()}
    for work in works():
        passes, median_s = taken[work.name], seconds[work.name]
        cpu_s = statistics.median(one.cpu_s for one in passes)
        rate = size / 1e9 / cpu_s
        ratio = f"{seconds[work.beside] / median_s:.2f} × its speed" if work.beside != work.name else ""
        goal = f"≥ {work.goal_gb_s:g} GB/s" if work.goal_gb_s else ""
        verdict = ("met" if rate >= work.goal_gb_s else "**missed**") if work.goal_gb_s else ""
        wall = (work.name, f"{median_s:.3f} s", f"{cpu_s:.3f} s", f"{size / 1e9 / median_s:.2f}")
        cells = (*wall, f"{rate:.2f}", ratio)
        lines.append(f"| {' | '.join((*cells, work.beside if ratio else '', goal, verdict))} |")
    return "\n".join(lines)


def _dump(folder: Path, size_bytes: int) -> Path:
    """Of a JVM 17 with the load program's heap."""
    opt, megabytes = folder / "opt", size_bytes // _DUMP_BYTES_PER_MEGABYTE
    opt.mkdir()
    (opt / "java").symlink_to(unpack_runtime(folder / "jdk17", 17))
    compile_load(opt / "load")
    argv = [
        JVMDIAG,
        "heapdump",
        "local://",
        "--yes",
        "--no-sample",
        "--compress",
        "none",
        "-o",
        str(folder / "out"),
    ]
    with local_jvm.start(opt, folder / "log", "--megabytes", str(megabytes), java=("-Xmx3g",)) as process:
        words = [*argv, "--dump-dir", str(folder), "--jvm", str(process.pid)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchFailed(f"no heap dump to go over: {done.stderr}")
    return next((folder / "out").glob("*.hprof"))
