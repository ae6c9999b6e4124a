"""Locust in a process of its own: it changes the interpreter it runs in (gevent), and must not change ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from jvmdiag.errors import BadRequest, LoadFailed, MissingExtra
from jvmdiag.hosts.uninterrupted import uninterrupted
from jvmdiag.impact.prober import check_url
from jvmdiag.load.outcome import Request, failures_of, parse_requests

_HERE = Path(__file__).parent
_FIRST_WITHIN_S, _ALL_FAILED_S = 30.0, 5.0
_END_S = 10.0
_HOUR_S = 3600.0
_MOST_PER_S = 10_000.0
# Callers whose request is under way when the load ends wait so long for its answer: it counts there as here.
_LAST_ANSWERS_S = 3
_STEP_S = 0.1


class Scenario(str, Enum):
    """What each caller asks for; `mixed` is one of each in turn."""

    GET = "get"
    POST = "post"
    DELETE = "delete"
    MIXED = "mixed"


@dataclass(frozen=True)
class LoadSpec:
    """A load: `users` callers of `url`, each with a request (or a round of them) every `pace_s` seconds.

    `locustfile` is somebody's own: its users and their pace count then, and of the URL only the host.
    """

    url: str
    scenario: Scenario = Scenario.GET
    users: int = 10
    pace_s: float = 0.1
    body_bytes: int = 4096
    locustfile: Path | None = None
    spawn_per_s: float | None = None
    """How many callers begin in a second; None: all at once."""

    def check(self, url_is: str = "--url") -> None:
        """Raises BadRequest for what makes no load. `url_is` is what the URL is called on the command line."""
        check_url(self.url, url_is)
        if self.spawn_per_s is not None and not 0 < self.spawn_per_s <= _MOST_PER_S:
            raise BadRequest(f"--spawn-rate is more than 0, and {_MOST_PER_S:.0f} a second at most")
        if not 0 < self.pace_s <= _HOUR_S:
            raise BadRequest("--pace is more than 0, and an hour at most")
        if self.locustfile and not self.locustfile.is_file():
            raise BadRequest(f"there is no locustfile {self.locustfile}")

    @property
    def host(self) -> str:
        """Scheme, name and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    @property
    def asks(self) -> str:
        """What is asked for, in a word: the scenario, or the locustfile's name."""
        return self.locustfile.name if self.locustfile else self.scenario.value

    @property
    def shown(self) -> str:
        """The URL for any reader: a query may hold a token."""
        parts = urlsplit(self.url)
        return f"{self.host}{parts.path or '/'}" + ("?…" if parts.query else "")

    @property
    def is_loopback(self) -> bool:
        """Whether it stays on this machine, as far as the name says."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")


class Follower:
    """What recorder.py writes, as it comes: each request once."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen_bytes = 0

    def more(self) -> tuple[Request, ...]:
        """Those that came since this was asked last. A line that is half written comes the next time."""
        with self._log.open("rb") as file:
            file.seek(self._seen_bytes)
            lines, newline, _ = file.read().rpartition(b"\n")
        self._seen_bytes += len(lines) + len(newline)
        return parse_requests(lines.decode("utf-8", "replace").splitlines())


class Load:
    """A load that goes on. `requests()` is what came of it so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, said: Path) -> None:
        self._process = process
        self._log = log
        self._said = said
        self._started_s = time.monotonic()
        self._new = Follower(log)

    def requests(self) -> tuple[Request, ...]:
        with self._log.open(encoding="utf-8", errors="replace") as file:
            return parse_requests(file)

    def more(self) -> tuple[Request, ...]:
        """Those that came since this was asked last."""
        return self._new.more()

    def end(self) -> None:
        """End it: callers still get the answers that they wait for. A second call does nothing."""
        _end(self._process)

    def require_alive(self) -> None:
        """Raises LoadFailed, with Locust's last words, where it has ended."""
        if self._process.poll() is not None:
            lines = self._said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"exit code {self._process.returncode}"
            raise LoadFailed("Locust ended", why=why, advice=tuple(lines[-6:-1]))

    def wait(self, seconds: float) -> None:
        """Let it go on for so long. Raises LoadFailed where it does not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.require_alive()
            time.sleep(min(_STEP_S, max(until - time.monotonic(), 0)))

    def wait_for_first(self) -> None:
        """Until the first good answer is there. Raises LoadFailed where none comes."""
        until = time.monotonic() + _FIRST_WITHIN_S
        while True:
            requests = self.requests()
            if not all(request.failed for request in requests):
                return
            self.require_alive()
            if requests and time.monotonic() > self._started_s + _ALL_FAILED_S:
                raise LoadFailed("the load got no good answer", why=_why_none(requests))
            if time.monotonic() > until:
                raise LoadFailed("the load got no answer", why=f"none within {_FIRST_WITHIN_S:.0f} s")
            time.sleep(_STEP_S)


def _why_none(requests: Sequence[Request]) -> str:
    said = ", ".join(failure.text for failure in failures_of(requests)[:3])
    return f"all of {len(requests)} requests failed: {said}"


def require_extra(*packages: str) -> None:
    """Raises MissingExtra where one of them, "locust" or "matplotlib", is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(f"this takes {package}", advice="install it: pip install 'jvmdiag[load]'")


@contextmanager
def running_load(spec: LoadSpec) -> Iterator[Load]:
    """The load, from its first answer until the context is left. Raises BadRequest, MissingExtra, LoadFailed."""
    require_extra("locust")
    spec.check()
    with tempfile.TemporaryDirectory(prefix="jvmdiag-load-") as folder:
        log, said = Path(folder) / "requests", Path(folder) / "said"
        log.touch()
        with said.open("wb") as out, _started(_argv(spec), _environment(spec, log), out, folder) as process:
            load = Load(process, log, said)
            load.wait_for_first()
            yield load


@contextmanager
def _started(
    argv: list[str], environment: dict[str, str], out: IO[bytes], folder: str
) -> Iterator[subprocess.Popen[bytes]]:
    with ExitStack() as stack:
        with uninterrupted():
            # A session of its own: Ctrl-C in the terminal reaches jvmdiag, which ends it in order. A folder of
            # its own: it reads the locust.conf of that in which it runs.
            process = subprocess.Popen(
                argv,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(_end, process)
        yield process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _argv(spec: LoadSpec) -> list[str]:
    own = spec.locustfile.resolve() if spec.locustfile else _HERE / "scenarios.py"
    options = ["--headless", "--skip-log-setup", "--stop-timeout", str(_LAST_ANSWERS_S)]
    options += ["--users", str(spec.users), "--spawn-rate", str(spec.spawn_per_s or spec.users)]
    return [sys.executable, "-m", "locust", "-f", f"{own},{_HERE / 'recorder.py'}", *options]


def _environment(spec: LoadSpec, log: Path) -> dict[str, str]:
    # Settings of Locust's own may stand in LOCUST_*; what is wanted here is said here.
    others = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {
        **others,
        "LOCUST_HOST": spec.host,
        "_JVMDIAG_LOAD_PARENT": str(os.getpid()),
        "_JVMDIAG_LOAD_LOG": str(log),
        "_JVMDIAG_LOAD_SCENARIO": spec.scenario.value,
        "_JVMDIAG_LOAD_PATH": spec.path,
        "_JVMDIAG_LOAD_PACE_S": str(spec.pace_s),
        "_JVMDIAG_LOAD_BODY_BYTES": str(spec.body_bytes),
    }
