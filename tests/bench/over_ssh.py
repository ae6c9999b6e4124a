"""The same bytes brought home over SSH: jvmdiag, which verifies and compresses, beside ssh and scp, which do not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.comparison import Bench, Comparison, Goal, Measure, Row
from tests.bench.in_containers import megabytes, said_by_json, tmp_of
from tests.bench.rounds import BenchFailed, Contender, run_rounds
from tests.bench.startup import JVMDIAG
from tests.real.delay import DelayProxy
from tests.real.sshd import Sshd, missing

ONE_WAY_S = 0.025
FETCH, FETCH_PLAIN, SAME_WORK, CAT, SCP = (
    "`jvmdiag fetch ssh://HOST FILE`",
    "`jvmdiag fetch ssh://HOST FILE --compress none`",
    "`ssh -c aes128-gcm@openssh.com HOST cat FILE`, through `sha256sum` and `pigz -1`",
    "`ssh -c aes128-gcm@openssh.com HOST cat FILE >COPY`",
    "`scp HOST:FILE COPY`",
)
HEAP = "`jvmdiag heapdump ssh://HOST`"


@dataclass(frozen=True)
class Hosts:
    """One sshd under two names, `near` on loopback and `far` behind a long line, in an ssh_config."""

    config: Path


@contextmanager
def ssh_hosts(folder: Path) -> Iterator[Hosts]:
    if why := missing():
        raise BenchFailed(why)
    with (
        Sshd(folder, config=("Subsystem sftp internal-sftp",)) as sshd,
        DelayProxy(sshd.port, ONE_WAY_S) as line,
    ):
        sshd.trust(*sshd.host_keys, hosts=f"[127.0.0.1]:{sshd.port},[127.0.0.1]:{line.port}")
        config = folder / "config"
        config.write_text(
            f"Host near\n Port {sshd.port}\nHost far\n Port {line.port}\n"
            f"Host *\n HostName 127.0.0.1\n User root\n IdentityFile {sshd.client_key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {sshd.known_hosts}\n GlobalKnownHostsFile none\n"
        )
        yield Hosts(config)


def compare_fetching(bench: Bench, hosts: Hosts, file: Path) -> Comparison:
    rounds = run_rounds(_contenders(hosts, "near", file), bench.scale.rounds, bench.env, warm=True)
    rows = (
        Row(FETCH, SAME_WORK, Goal(Measure.SPEED, 1)),
        Row(FETCH, CAT, Goal(Measure.SPEED, 0.7)),
        Row(FETCH, SCP, Goal(Measure.SPEED, 1.2)),
        Row(FETCH_PLAIN, CAT, Goal(Measure.SPEED, 1)),
        Row(FETCH_PLAIN, SCP, Goal(Measure.SPEED, 1)),
    )
    return Comparison(f"A file of {megabytes(file)} over SSH, loopback", rounds, rows)


def compare_fetching_from_far(bench: Bench, hosts: Hosts, file: Path) -> Comparison:
    rounds = run_rounds(_contenders(hosts, "far", file), bench.scale.rounds, bench.env, warm=False)
    rows = (Row(FETCH, SCP, Goal(Measure.SPEED, 4)),)
    return Comparison(f"A file of {megabytes(file)} over SSH, round trip of 50 ms", rounds, rows)


def measure_heap_dump(bench: Bench, hosts: Hosts, pid: int) -> Comparison:
    """The JVM is that of the container, which the SSH host sees as its process `pid`."""
    argv = [JVMDIAG, "heapdump", "ssh://near", "-F", str(hosts.config), "--jvm", str(pid), "--yes", "--json"]
    ours = Contender(HEAP, lambda home: [*argv, "-o", str(home)], scratch=tmp_of(pid), dump_s=said_by_json)
    rounds = run_rounds((ours,), bench.scale.rounds, bench.env, warm=False)
    return Comparison("Heap dump of a JVM on an SSH host, loopback, end to end", rounds, (Row(HEAP),))


def _contenders(hosts: Hosts, host: str, file: Path) -> tuple[Contender, ...]:
    config = ["-F", str(hosts.config)]
    there = f"{host}:{file}"
    cat = 'ssh -F "$1" -c aes128-gcm@openssh.com "$2" cat "$3" >"$4"'
    # Compressed and summed, as ours is; bash for the second reader.
    same = (
        'ssh -F "$1" -c aes128-gcm@openssh.com "$2" cat "$3" | tee >(sha256sum >"$4.sum") | pigz -1 >"$4.gz"'
    )
    fetch = [JVMDIAG, "fetch", f"ssh://{host}", str(file), *config]
    contenders = (
        Contender(FETCH, lambda home: [*fetch, "-o", str(home)]),
        Contender(SCP, lambda home: ["scp", "-q", *config, there, str(home / "copy")]),
        Contender(CAT, lambda home: ["sh", "-c", cat, "sh", config[1], host, str(file), str(home / "copy")]),
        Contender(
            SAME_WORK, lambda home: ["bash", "-c", same, "sh", config[1], host, str(file), str(home / "copy")]
        ),
        Contender(FETCH_PLAIN, lambda home: [*fetch, "--compress", "none", "-o", str(home)]),
    )
    # Over a long line ssh and scp wait for the same window: one of them says it.
    return contenders if host == "near" else contenders[:2]
