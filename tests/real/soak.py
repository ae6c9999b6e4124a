"""Heap dumps that are disturbed on their way, at points of chance: is anything lost, is anything left?

    scripts/soak 200 --seed 7

Each run takes a dump over a slow line, from a JVM over SSH or from a container through an engine on bare TCP, and
something happens to it. Where the command fails it is gone on with, as its own advice says. In the end the artefact
has to be, byte for byte, the file that the JVM wrote, and nothing may be left on the target; every other end has to be
a clear error with that file still there.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from jvmdiag.hprof.redact import Redactor
from jvmdiag.hprof.rules import Rules
from jvmdiag.transfer.codec import read_raw
from tests.real.containers import Containers
from tests.real.delay import DelayProxy
from tests.real.engine import Engine
from tests.real.images import Images, load
from tests.real.jvmdiag import Run, argv, environment
from tests.real.local_jvm import start as local_jvm
from tests.real.local_jvm import unpack
from tests.real.pausing import pause_for
from tests.real.sshd import Sshd, descendants

HEAP, ROOM = ("--megabytes", "90"), ("-Xmx400m",)
DUMP_BYTES = 147_000_000
LINE_BYTES_PER_S = 120e6
_REDACTED_SHARE = 0.3
TIMEOUT_S = 120
# jvmdiag ends with these where the way, the disk or somebody's signal is to blame.
GO_ON = frozenset({-9, 11, 12, 13, 20, 24, 25, 26, 53, 60, 61, 62, 143})
SIGNALS = {"kill -9": signal.SIGKILL, "hang up": signal.SIGHUP}


@dataclass
class Route:
    """One way to one JVM. `tmp` is where its dumps are, as this machine sees it."""

    name: str
    target: str
    options: tuple[str, ...]
    home: Path
    env: dict[str, str]
    line: DelayProxy
    tmp: Callable[[], Path]
    faults: dict[str, Callable[[], None]]
    """What may happen to it, by name; each is called once, in midstream."""


@dataclass(frozen=True)
class Ended:
    """What came of one run."""

    fault: str
    route: str
    at_bytes: int
    codes: tuple[int, ...]
    resumed: int
    identical: bool
    error_and_intact: bool
    leftovers: tuple[str, ...]
    words: str
    took_s: float
    redacted: bool

    @property
    def lost(self) -> bool:
        return not self.identical and not self.error_and_intact

    def __str__(self) -> str:
        state = (
            "identical" if self.identical else "error, far file intact" if self.error_and_intact else "LOST"
        )
        left = f"  LEFT: {', '.join(self.leftovers)}" if self.leftovers else ""
        how = "redacted" if self.redacted else ""
        where = f"{self.route:6} {self.fault:14} {how:8} at {self.at_bytes / 1e6:4.0f} MB"
        return f"{where}  exit {self.codes!s:12} {self.took_s:4.1f} s  {state}{left}"


@dataclass
class Witness:
    """Holds on to every dump that a journal in `out` names, by a second name beside it: that outlives the first.
    Other people's dumps in that directory are not looked at."""

    out: Path
    tmp: Callable[[], Path]
    names: set[str] = field(default_factory=set)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Witness:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for name in self.names:
            (self.tmp() / name).unlink(missing_ok=True)
            self._second(name).unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            for journal in self.out.glob("*.journal"):
                with contextlib.suppress(OSError, ValueError):
                    self.names.add(Path(json.loads(journal.read_text())["path"]).name)
            for name in self.names:
                with contextlib.suppress(OSError):
                    os.link(self.tmp() / name, self._second(name))

    def _second(self, name: str) -> Path:
        return self.tmp() / f"witness-{name}"

    def there(self) -> list[Path]:
        """The dumps that are there by their own names, and their parts."""
        return [file for name in sorted(self.names) for file in self.tmp().glob(f"{name}*")]

    def sums(self, *, redacted: bool) -> set[str]:
        """Of every dump that was there, as it is or as it should be here."""
        files = [file for name in self.names if (file := self._second(name)).exists()]
        return {digest(redact(read(file)) if redacted else read(file)) for file in files}


class Soak:
    """Runs on `routes`, in `folder`; the same `seed` makes the same faults at the same points."""

    def __init__(self, routes: list[Route], folder: Path, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        faults = [(route, fault) for route in routes for fault in (*route.faults, *SIGNALS, "disk full")]
        # Each once, in an order of chance, before any comes again.
        self._pairs = self._chance.sample(faults, len(faults))

    def run(self, number: int) -> Ended:
        route, fault = self._pairs[number % len(self._pairs)]
        at_bytes = int(self._chance.uniform(0.02, 0.9) * DUMP_BYTES)
        out = self._folder / f"out{number}"
        self._began_s = time.monotonic()
        self._redacts = self._chance.random() < _REDACTED_SHARE
        with small_disk(out) if fault == "disk full" else made(out), Witness(out, route.tmp) as witness:
            codes, words = self._commands(route, fault, at_bytes, out)
            return self._judge(route, fault, at_bytes, out, witness, codes, words)

    def _commands(self, route: Route, fault: str, at_bytes: int, out: Path) -> tuple[list[int], str]:
        """heapdump, disturbed, and resume for as long as the error is one that time or the user may heal."""
        words = ("heapdump", route.target, *route.options, "--yes", "--retry-for", "20s", "-o", str(out))
        ballast = out / "ballast"
        if fault == "disk full":
            words += ("--force", "here")
            self._fill(ballast)
        if self._redacts:
            words += ("--redact", "strings")
        run = self._disturbed(route, words, fault, at_bytes)
        codes, said = [run.exit_code], run.err
        ballast.unlink(missing_ok=True)
        for _ in range(3):
            if codes[-1] not in GO_ON or not list(out.glob("*.journal")):
                break
            again = ("resume", str(out), *route_access(route), "--retry-for", "20s")
            run = ended(start(route, again))
            codes.append(run.exit_code)
            said += run.err
        return codes, said

    def _fill(self, ballast: Path) -> None:
        """All of its file system but 1 to 12 MB."""
        room = shutil.disk_usage(ballast.parent).free - int(self._chance.uniform(1, 12) * 1e6)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)

    def _disturbed(self, route: Route, words: tuple[str, ...], fault: str, at_bytes: int) -> Run:
        begin = route.line.passed_bytes
        process = start(route, words)
        while route.line.passed_bytes - begin < at_bytes and process.poll() is None:
            time.sleep(0.002)
        if fault in SIGNALS:
            process.send_signal(SIGNALS[fault])
        elif fault in route.faults and process.poll() is None:
            route.faults[fault]()
        return ended(process)

    def _judge(
        self,
        route: Route,
        fault: str,
        at_bytes: int,
        out: Path,
        witness: Witness,
        codes: list[int],
        words: str,
    ) -> Ended:
        finals = [p for p in out.iterdir() if p.name.endswith((".hprof.gz", ".hprof"))]
        identical = (
            codes[-1] == 0
            and len(finals) == 1
            and digest(read_raw(finals[0])) in witness.sums(redacted=self._redacts)
        )
        intact = codes[-1] != 0 and not finals and bool(witness.there())
        left = tuple(p.name for p in witness.there()) if identical else ()
        left += tuple(p.name for p in out.iterdir() if ".partial" in p.name) if identical else ()
        return Ended(
            fault,
            route.name,
            at_bytes,
            tuple(codes),
            len(codes) - 1,
            identical,
            intact,
            left,
            words,
            time.monotonic() - self._began_s,
            self._redacts,
        )


def route_access(route: Route) -> tuple[str, ...]:
    """What `resume` takes of the options: how to get there, and not which JVM."""
    taken = [n for n, word in enumerate(route.options) if word in ("-i", "--view")]
    return tuple(word for n in taken for word in route.options[n : n + 2])


def start(route: Route, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(route.home, route.env),
    )


def ended(process: subprocess.Popen[bytes]) -> Run:
    out, err = process.communicate(timeout=TIMEOUT_S)
    run = Run(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in run.err, run.err
    return run


def read(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while block := source.read(1 << 20):
            yield block


def redact(blocks: Iterator[bytes]) -> Iterator[bytes]:
    redactor = Redactor(Rules.parse("strings"))
    for block in blocks:
        yield redactor.feed(block)
    yield redactor.finish()


def digest(blocks: Iterator[bytes]) -> str:
    sum_ = hashlib.sha256()
    for block in blocks:
        sum_.update(block)
    return sum_.hexdigest()


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, with room for the artefact and not much more."""
    with made(folder):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "none", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def over_ssh(sshd: Sshd, line: DelayProxy, home: Path, pid: int) -> Route:
    """The JVM `pid` of this machine, over SSH and the line; its dumps are not among those of others in /tmp."""
    sshd.trust(*sshd.host_keys, hosts=f"[127.0.0.1]:{line.port}")
    (home / ".ssh").mkdir(parents=True)
    (dumps := home / "dumps").mkdir()
    (home / ".ssh" / "known_hosts").write_text(sshd.known_hosts.read_text())

    def kill_reader() -> None:
        for one in descendants(int((sshd.folder / "sshd.pid").read_text())):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{one}/comm").read_text().strip() in ("cat", "tail"):
                    os.kill(one, signal.SIGKILL)

    faults = {
        "cut": line.cut,
        "sshd restarted": sshd.restart,
        "exec killed": kill_reader,
        "bit flipped": line.flip,
    }
    options = ("-i", str(sshd.client_key), "--jvm", str(pid), "--dump-dir", str(dumps))
    return Route("ssh", str(sshd.target(port=line.port)), options, home, {}, line, lambda: dumps, faults)


def over_tcp(container: Container, line: DelayProxy, home: Path) -> Route:
    """The JVM of a container, through an engine on bare TCP."""
    home.mkdir(parents=True, exist_ok=True)

    def tmp() -> Path:
        container.reload()
        return Path(f"/proc/{container.attrs['State']['Pid']}/root/tmp")

    where = tmp()

    def kill_reader() -> None:
        container.exec_run(["sh", "-c", _KILL_READER])

    faults = {
        "cut": line.cut,
        "exec killed": kill_reader,
        "bit flipped": line.flip,
        "paused": lambda: pause_for(container, 1.0),
    }
    env = {"DOCKER_HOST": f"tcp://127.0.0.1:{line.port}"}
    return Route("engine", str(container.name), ("--view", "inside"), home, env, line, lambda: where, faults)


_KILL_READER = """
for p in /proc/[0-9]*; do
    read -r name <"$p/comm" || continue
    case $name in cat|tail) kill -9 "${p#/proc/}";; esac
done 2>/dev/null
"""


@contextmanager
def both_routes(
    engine: Engine, images: Images, containers: Containers, folder: Path
) -> Iterator[list[Route]]:
    """A JVM of this machine over SSH, and one in a container over TCP, each behind a slow line of its own."""
    opt = unpack(images.client, images, folder / "opt")
    container = containers.run("jvm17", ready="ready", ports=(), command=load(*HEAP, java=ROOM))
    (folder / "sshd").mkdir()
    with (
        local_jvm(opt, folder / "log", *HEAP, java=ROOM) as process,
        Sshd(folder / "sshd") as sshd,
        DelayProxy(sshd.port, bytes_per_s=LINE_BYTES_PER_S) as near,
        DelayProxy(engine.url.removeprefix("unix://"), bytes_per_s=LINE_BYTES_PER_S) as far,
    ):
        yield [
            over_ssh(sshd, near, folder / "home-ssh", process.pid),
            over_tcp(container, far, folder / "home-tcp"),
        ]


def summary(runs: list[Ended]) -> str:
    """Runs, faults, losses and leftovers, by route and fault."""
    rows = [f"{len(runs)} runs, {sum(run.resumed for run in runs)} times gone on with by jvmdiag resume"]
    for key in sorted({(run.route, run.fault) for run in runs}):
        mine = [run for run in runs if (run.route, run.fault) == key]
        whole, clear = sum(r.identical for r in mine), sum(r.error_and_intact for r in mine)
        rows.append(
            f"  {key[0]:6} {key[1]:14} {len(mine):4} runs  {whole:4} identical  {clear:3} clear errors"
        )
    rows.append(f"losses: {sum(r.lost for r in runs)}, leftovers: {sum(bool(r.leftovers) for r in runs)}")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    runs: list[Ended] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine = stack.enter_context(Engine())
        client = stack.enter_context(closing(engine.client()))
        images = Images(client)
        containers = Containers(client, images, "soak")
        stack.callback(containers.remove_all)
        routes = stack.enter_context(both_routes(engine, images, containers, folder))
        soak = Soak(routes, folder, given.seed)
        for number in range(given.runs):
            runs.append(soak.run(number))
            print(runs[-1], flush=True)
    print(summary(runs))
    for run in runs:
        if run.lost or run.leftovers:
            print(f"\n{run}\n{run.words}")
    return 1 if any(run.lost or run.leftovers for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
