"""A snapshot of a loaded Tomcat, beside the same evidence collected by hand with ordinary tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.models.containers import Container

from tests.bench.comparison import Bench, Comparison, Goal, Measure, Row
from tests.bench.in_containers import pid_of
from tests.bench.rounds import BenchFailed, Contender, run_rounds
from tests.bench.startup import JVMDIAG
from tests.real import load_generator
from tests.real.containers import published_port

HOST, INSIDE, SIDECAR = (f"`jvmdiag snapshot NAME --view {view}`" for view in ("host", "inside", "sidecar"))
STOPPED = "`jvmdiag snapshot NAME`, the JVM stopped by SIGSTOP"
BY_HAND = "by hand"
_REQUESTS_PER_S = 40
_PARTIAL = 65  # SnapshotPartial
# Three thread dumps five seconds apart, each with the threads by CPU; what else the JVM says; logs; the machine.
_STEPS = r"""
set -e
name=$1 out=$2
pid=$(docker inspect --format '{{.State.Pid}}' "$name")
machine() {
    { uptime; vmstat; free; df; cat /proc/diskstats; } >"$out/machine-$1.txt"
    nsenter -t "$pid" -n sh -c 'ss -tan; ip -s link; nstat -asz' >"$out/network-$1.txt"
}
machine before
docker inspect "$name" >"$out/inspect.json"
cat "/proc/$pid/limits" "/proc/$pid/status" "/proc/$pid/mountinfo" >"$out/process.txt"
ls -l "/proc/$pid/fd" >"$out/files.txt"
for n in 1 2 3; do
    docker exec "$name" jstack 1 >"$out/threads-$n.txt"
    top -b -H -n 1 -p "$pid" >"$out/top-$n.txt"
    [ "$n" = 3 ] || sleep 5
done
docker exec "$name" jmap -histo 1 >"$out/histogram.txt"
for command in VM.info VM.flags VM.system_properties VM.command_line VM.uptime GC.heap_info; do
    docker exec "$name" jcmd 1 "$command" >"$out/$command.txt"
done
docker logs "$name" >"$out/container.log" 2>&1
docker cp -q "$name:/var/log/tomcat10" "$out/logs"
machine after
cd "$out"
find . -type f ! -name SUMS -exec sha256sum {} + >SUMS
tar -czf "$out.tar.gz" .
"""


def compare_snapshots(bench: Bench, jre: Container, jdk: Container, image: str) -> Comparison:
    """Ours of a container without a JDK; by hand it takes one with a JDK. `image` is what a sidecar is made of."""
    pid = pid_of(jre)

    def ours(home: Path, *options: str) -> list[str]:
        return [JVMDIAG, "snapshot", str(jre.name), "--yes", "--json", "-o", str(home), *options]

    def stopped(home: Path) -> list[str]:
        os.kill(pid, signal.SIGSTOP)
        return ["sh", "-c", f'"$@"; [ $? = {_PARTIAL} ]', "sh", *ours(home)]

    def hand(home: Path) -> list[str]:
        return ["sh", "-c", _STEPS, "sh", str(jdk.name), str(home)]

    whole = _verified(bench, frozenset())
    contenders = (
        Contender(HOST, lambda home: ours(home, "--view", "host"), check=whole),
        Contender(INSIDE, lambda home: ours(home, "--view", "inside"), check=whole),
        Contender(SIDECAR, lambda home: ours(home, "--view", "sidecar", "--jdk-image", image), check=whole),
        Contender(
            STOPPED,
            stopped,
            undo=lambda: os.kill(pid, signal.SIGCONT),
            check=_verified(bench, frozenset({"thread dump 1"})),
        ),
        Contender(BY_HAND, hand),
    )
    with _loaded(jre), _loaded(jdk):
        rounds = run_rounds(contenders, bench.scale.rounds, bench.env, warm=False)
    goal = Goal(Measure.SECONDS, 25)
    rows = (*(Row(one, BY_HAND, goal) for one in (HOST, INSIDE, SIDECAR)), Row(STOPPED, BY_HAND))
    return Comparison(
        "Snapshot of a Tomcat under 40 requests a second, three thread dumps in ten seconds", rounds, rows
    )


@contextmanager
def _loaded(container: Container) -> Iterator[None]:
    words = (published_port(container), "/", _REQUESTS_PER_S, 3600)
    process = subprocess.Popen(
        [sys.executable, str(load_generator.__file__), *map(str, words)], stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _verified(bench: Bench, failed: frozenset[str]) -> Callable[[Path, str], None]:
    """That nothing else failed, and that every sum of the folder and of its archive is right."""

    def check(home: Path, out: str) -> None:
        told = json.loads(out)
        missing = {item["name"] for item in told["items"] if item["status"] in ("failed", "interrupted")}
        if missing != failed:
            raise BenchFailed(f"the snapshot lacks {missing}")
        argv = [JVMDIAG, "verify", told["folder"], told["archive"]]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=bench.env)
        if done.returncode != 0:
            raise BenchFailed(f"the snapshot in {home} does not verify:\n{done.stderr}")

    return check
