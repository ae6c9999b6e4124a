"""scripts/bench: measures everything, and prints docs/reference/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from docker.models.containers import Container

from tests.bench.comparison import FULL, QUICK, Bench, Comparison, Scale
from tests.bench.forecast import measure_forecasts
from tests.bench.hprof import measure_passes
from tests.bench.in_containers import (
    compare_copies,
    compare_heap_dumps,
    compare_ps,
    compare_thread_dumps,
    pid_of,
)
from tests.bench.incident import compare_snapshots
from tests.bench.machine import describe_machine, load_average
from tests.bench.over_ssh import (
    compare_fetching,
    compare_fetching_from_far,
    measure_heap_dump,
    ssh_hosts,
)
from tests.bench.page import page, raw_runs
from tests.bench.rounds import BenchFailed
from tests.bench.startup import JVMDIAG, compare_startup
from tests.real.containers import Containers
from tests.real.engine import CannotHave, Engine
from tests.real.images import Images, load

# The engine and the page are of the other parts alone.
FORECAST, HPROF = "forecast", "hprof"
PARTS = ("startup", "container", "snapshot", "heap", "copy", "ssh")
# The load program's heap dump is about that much for each of its --megabytes.
_DUMP_BYTES_PER_MEGABYTE = 1_700_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Prints docs/reference/benchmarks.md.")
    parser.add_argument("--quick", action="store_true", help="a heap of 256 MiB and fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument(
        "--only", choices=(*PARTS, FORECAST, HPROF), action="append", help="one part; may be repeated"
    )
    parser.add_argument("--dump", type=Path, metavar="FILE", help="a plain heap dump for --only hprof")
    given = parser.parse_args()
    if {FORECAST, HPROF} & {*(given.only or ())} and len(given.only) > 1:
        parser.error(f"{FORECAST} and {HPROF} are measured alone")
    scale = QUICK if given.quick else FULL
    try:
        if given.only == [FORECAST]:
            return _alone(given.json, lambda folder: measure_forecasts(folder, quick=given.quick))
        if given.only == [HPROF]:
            return _alone(given.json, lambda folder: measure_passes(folder, given.dump, quick=given.quick))
        comparisons, facts = _measure(scale, given.only or PARTS)
    except (BenchFailed, CannotHave) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shown = [f"--only {part}" for part in given.only or ()]
    print(page(comparisons, facts, scale, " ".join(["scripts/bench", *(["--quick"] * given.quick), *shown])))
    if given.json:
        given.json.write_text(raw_runs(comparisons, facts), encoding="utf-8")
    return 0


def _alone(raw: Path | None, measure: Callable[[Path], tuple[str, str]]) -> int:
    with tempfile.TemporaryDirectory(prefix="jvmdiag-bench-") as folder:
        tables, runs = measure(Path(folder))
    print(tables)
    if raw:
        raw.write_text(runs, encoding="utf-8")
    return 0


def _measure(scale: Scale, parts: Sequence[str]) -> tuple[list[Comparison], list[str]]:
    """Every comparison of `parts`, and what the machine is."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jvmdiag-bench-")))
        engine = stack.enter_context(Engine())
        client = engine.client()
        stack.callback(client.close)
        images = Images(client)
        containers = Containers(client, images, secrets.token_hex(4))
        stack.callback(containers.remove_all)
        bench = Bench(scale, folder, _environment(folder, engine.url))
        before = load_average()
        comparisons = list(_comparisons(bench, containers, images, parts))
        busy = (
            f"load average {before} at the start, {load_average()} at the end (the benchmark's own included)"
        )
        return comparisons, [*describe_machine(client, folder), busy]


def _comparisons(
    bench: Bench, containers: Containers, images: Images, parts: Sequence[str]
) -> Iterator[Comparison]:
    if "startup" in parts:
        yield compare_startup(bench)
    if "container" in parts:
        tomcat = containers.run("tomcat-jdk")
        yield compare_ps(bench, tomcat)
        yield compare_thread_dumps(bench, tomcat)
    if "snapshot" in parts:
        jre, jdk = containers.run("tomcat-jre"), containers.run("tomcat-jdk")
        yield compare_snapshots(bench, jre, jdk, images.get("jdk17"))
    if {"heap", "copy", "ssh"} & {*parts}:
        loaded = _loaded(bench, containers)
        if "heap" in parts:
            yield compare_heap_dumps(bench, loaded)
        if "copy" in parts:
            yield compare_copies(bench, loaded)
        if "ssh" in parts:
            yield from _over_ssh(bench, loaded)


def _over_ssh(bench: Bench, loaded: Container) -> Iterator[Comparison]:
    file = _dump_file(bench, loaded)
    with ssh_hosts(bench.folder) as hosts:
        yield compare_fetching(bench, hosts, file)
        yield compare_fetching_from_far(bench, hosts, file)
        yield measure_heap_dump(bench, hosts, pid_of(loaded))


def _loaded(bench: Bench, containers: Containers) -> Container:
    """A JVM 17 with a JDK whose heap dump has about the size that is asked for."""
    megabytes = bench.scale.heap_bytes // _DUMP_BYTES_PER_MEGABYTE
    command = ["java", *load("--megabytes", str(megabytes), java=("-Xmx3g",))]
    return containers.run("load", ready="ready", ports=(), command=command)


def _dump_file(bench: Bench, loaded: Container) -> Path:
    """A heap dump as it came, on this machine, which is the SSH host as well."""
    out = bench.folder / "there"
    argv = [JVMDIAG, "heapdump", str(loaded.name), "--yes", "--compress", "none", "-o", str(out)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=bench.env)
    if done.returncode != 0:
        raise BenchFailed(f"no heap dump for the SSH host: {done.stderr}")
    return next(out.glob("*.hprof"))


def _environment(home: Path, docker_host: str) -> dict[str, str]:
    """That of this process, with a home of its own: no ~/.ssh, no config file, no Docker context."""
    foreign = ("JVMDIAG_", "SSH_", "XDG_", "DOCKER_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return kept | {"HOME": str(home), "DOCKER_HOST": docker_host}


if __name__ == "__main__":
    sys.exit(main())
