"""Requests per second of a real Tomcat, by the access log that it writes itself, beside what its callers counted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from tests.real import load_generator
from tests.real.containers import (
    Containers,
    SshHost,
    home_of,
    http_get,
    left_behind,
    published_port,
    snapshot,
)
from tests.real.course import Between
from tests.real.fixtures import RunContainer, cases
from tests.real.held import held_requests
from tests.real.jvmdiag import TIMEOUT_S, argv, environment, jvmdiag
from tests.real.shown import checked, metrics

LOG = "access log"
CONNECTOR = "connector http-nio-8080"
DEFAULT = "/var/lib/tomcat10/logs/localhost_access_log"
OTHER = "/tmp/it's \"a\" $(id) dir/shop's access log"
PER_S = 50.0


def other_valve(date_format: str) -> str:
    """A command: its lines are written at once, with one more column, and into a log of another name."""
    valve = (
        '<Valve className="org.apache.catalina.valves.AccessLogValve" suffix=" .txt" buffered="false" '
        'directory="/tmp/it&apos;s &quot;a&quot; $(id) dir" prefix="shop&apos;s access log" '
        f'fileDateFormat=" {date_format}" pattern="%h %l %u %t &quot;%r&quot; %s %b %D" />'
    )
    return (
        "mkdir -p /tmp/base/logs /tmp/base/work && cd /tmp/base && cp -r /etc/tomcat10 conf && "
        "ln -s /var/lib/tomcat10/webapps webapps && "
        rf"sed '/AccessLogValve/,/\/>/c\{valve}' /etc/tomcat10/server.xml >conf/server.xml && "
        "CATALINA_BASE=/tmp/base exec /usr/share/tomcat10/bin/catalina.sh run"
    )


class Sets:
    """What --json printed, a set of figures a line."""

    def __init__(self, out: str) -> None:
        self.documents: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]

    def all(self, name: str, source: str | None = None) -> list[float]:
        return [
            figure["value"]
            for document in self.documents
            for group in document["groups"]
            for figure in group["figures"]
            if figure["name"] == name and (source is None or ["source", source] in figure["labels"])
        ]

    def moments(self, name: str) -> list[float]:
        """The Unix times of the sets that have such a figure."""
        return [
            datetime.fromisoformat(document["at"].replace("Z", "+00:00")).timestamp()
            for document in self.documents
            if any(figure["name"] == name for group in document["groups"] for figure in group["figures"])
        ]

    @property
    def verdicts(self) -> list[str]:
        return [
            group["verdict"]["text"]
            for document in self.documents
            for group in document["groups"]
            if group["name"] == "requests"
        ]


class Callers(threading.Thread):
    """Ask at a constant rate, then for what is slow until `stop`; the Unix time of the end of each request."""

    def __init__(self, container: Container, fast_s: float) -> None:
        super().__init__()
        self._fast_s = fast_s
        self._port = published_port(container)
        self._over = threading.Event()
        self.fast: list[float] = []
        self.slow: list[float] = []

    def run(self) -> None:
        self.fast = self._ask("/slow.jsp?ms=0", self._fast_s)
        self.slow = self._ask("/slow.jsp?ms=400", None)

    def _ask(self, path: str, seconds: float | None) -> list[float]:
        rate = (str(PER_S), str(seconds or 600))
        argv = [sys.executable, load_generator.__file__, str(self._port), path, *rate]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            if seconds is None:
                self._over.wait()
                process.terminate()
            out, _ = process.communicate()
        lines = [line.split() for line in out.splitlines()]
        assert {status for _, _, status in lines} == {"200"}
        return [float(end) for end, _, _ in lines]

    def stop(self) -> None:
        self._over.set()
        self.join()


def per_s(ends: list[float]) -> float:
    return len(ends) / (max(ends) - min(ends))


class Looking:
    """jvmdiag metrics, a set of figures a line, until `end`."""

    def __init__(self, container: Container, home: Path) -> None:
        self._out = home / f"{container.name}.jsonl"
        words = ("metrics", str(container.name), "--watch", "--interval", "2", "--no-threads", "--json")
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                argv(*words),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                env=environment(home),
            )

    @property
    def sets(self) -> Sets:
        text = self._out.read_text()
        return Sets(text[: text.rfind("\n") + 1])

    def end(self) -> str:
        """What it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=TIMEOUT_S)[1].decode()


def fell(sets: Sets) -> bool:
    return any(share < 0.5 for share in sets.all("requests.share", LOG))


@pytest.mark.parametrize(
    ("past_s", "fast_s", "date_format"),
    cases(long=[(300, 15, "yyyy-MM-dd"), (0, 55, "yyyy-MM-dd HH-mm")]),
    ids=["prepared past", "rotated"],
)
def test_requests_fall_where_a_page_becomes_slow_and_not_where_lines_come_in_bursts(
    run_container: RunContainer, tmp_path: Path, past_s: int, fast_s: float, date_format: str
) -> None:
    command = ["sh", "-c", other_valve(date_format)]
    containers = [run_container("tomcat-manager"), run_container("tomcat-manager", command=command)]
    for container in containers:
        http_get(container, "/slow.jsp?ms=0")  # it is compiled now
    before = [snapshot(container) for container in containers]
    now = int(time.time())
    if past_s:
        for container, log in zip(containers, (DEFAULT, OTHER), strict=True):
            begin_with(container, log, lines_of(int(PER_S), now - past_s, now + 1), now + 1)
    callers = [Callers(container, fast_s) for container in containers]
    for caller in callers:
        caller.start()
    looking = [Looking(container, tmp_path) for container in containers]
    until = time.monotonic() + fast_s + 90
    while not all(fell(one.sets) for one in looking) and time.monotonic() < until:
        time.sleep(0.5)
    errors = [one.end() for one in looking]
    for caller in callers:
        caller.stop()
    for caller, one, error, most_s in zip(callers, looking, errors, (14, 5), strict=True):
        assert "Traceback" not in error
        sets, fast, slow = one.sets, per_s(caller.fast), per_s(caller.slow)
        assert slow < fast / 2  # four callers, 0.4 s each
        rates = sets.all("requests.rate")
        # What the log says while all is well is what the callers counted: no burst, no gap, no rotation is in it.
        assert max(rates) == pytest.approx(fast, rel=0.1)
        slow_from = min(caller.slow)
        well = [rate for at, rate in zip(sets.moments("requests.rate"), rates, strict=True) if at < slow_from]
        assert well and min(well) > 0.7 * fast
        fallen = next(n for n, share in enumerate(sets.all("requests.share", LOG)) if share < 0.5)
        assert sets.all("requests.before", LOG)[fallen] == pytest.approx(fast, rel=0.1)
        assert sets.all("requests.now", LOG)[fallen] >= 0.9 * slow
        assert "requests down to " in sets.verdicts[-1]
        # None fell early: what was there before was known, and the page was not slow yet.
        moments = sets.moments("requests.share")
        assert moments[0] < slow_from < moments[fallen]
        assert max(sets.all("requests.age")) <= most_s
    assert past_s or len(listing(containers[1])) > 1  # it was rotated meanwhile
    for pair in zip(containers, before, strict=True):
        assert (
            left_behind(*pair, but=lambda thing: "shop's access log" in thing or "/tmp/lines" in thing) == []
        )
    # The valve of one says how long a request took.
    times = looking[1].sets.all("requests.time.max")
    assert times and times[0] < 0.4 <= times[-1] < 5
    assert looking[0].sets.all("requests.time.max") == []


def listing(container: Container) -> list[str]:
    done: Any = container.exec_run(["find", "/tmp", "-name", "shop*"])
    return list(done.output.decode().splitlines())


@pytest.fixture(scope="module")
def unbuffered(session_containers: Containers) -> Container:
    """A Tomcat that writes OTHER at once; each test begins that anew."""
    container = session_containers.run("tomcat-manager", command=["sh", "-c", other_valve("yyyy-MM-dd")])
    http_get(container, "/slow.jsp?ms=0")  # it is compiled now
    return container


def begin_with(container: Container, log: str, lines: bytes, modified_s: int) -> None:
    """`lines` instead of those in the log that its Tomcat writes, whose name begins like this; last changed then."""
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        about = tarfile.TarInfo("lines")
        about.size, about.mode = len(lines), 0o644
        tar.addfile(about, BytesIO(lines))
    container.put_archive("/tmp", archive.getvalue())
    # Its Tomcat may write what it still has at any time, at the end of what is there.
    script = 'for log in "$1"*; do :; done; : >"$log" && cat /tmp/lines >>"$log" && touch -d "@$2" "$log"'
    done: Any = container.exec_run(["sh", "-c", script, "sh", log, str(modified_s)])
    assert done.exit_code == 0, done.output


def lines_of(per_s: int, first: int, last: int) -> bytes:
    stamps = (datetime.fromtimestamp(second, timezone.utc) for second in range(first, last))
    return b"".join(
        f'10.0.0.1 - - [{one:%d/%b/%Y:%H:%M:%S %z}] "GET /?token=s3cret HTTP/1.1" 200 12\n'.encode() * per_s
        for one in stamps
    )


def test_requests_their_errors_and_times_are_what_their_callers_saw(
    unbuffered: Container, tmp_path: Path
) -> None:
    container = unbuffered
    # Where it takes half a minute to ask, it is another window.
    first = int(time.time()) - 31
    begin_with(container, OTHER, lines_of(int(PER_S), first, first + 1), first)
    paths = ["/slow.jsp?ms=1500"] + ["/slow.jsp?ms=300"] * 39 + ["/slow.jsp?ms=none"] * 10
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda path: timed(container, path), paths))
    # A page takes as long as it was told to, and its caller waits at least as long as it takes.
    mean_s = Between((1.5 + 39 * 0.3) / len(paths), sum(seconds for _, seconds in answers) / len(paths))
    longest_s, ended = Between(1.5, max(seconds for _, seconds in answers)), int(time.time())
    while int(time.time()) == ended:
        time.sleep(0.05)
    http_get(container, "/slow.jsp?ms=0")  # the second before is over: it is told whole
    newest = int(time.time())
    told = metrics(str(container.name), home=tmp_path)
    # Of the first second nobody knows whether the log begins in it.
    most_s = max(width for width in (60, 30, 10) if width <= newest - (first + 1))
    failed = sum(status >= 500 for status, _ in answers)
    checked("requests.seconds", told.one("requests.seconds"), most_s, by="the stamps in the log, by hand")
    checked("requests.rate", told.one("requests.rate"), len(paths) / most_s, by="requests as made")
    checked(
        "requests.errors.rate", told.one("requests.errors.rate"), failed / most_s, by="answers as received"
    )
    checked(
        "requests.errors.share",
        told.one("requests.errors.share"),
        failed / len(paths),
        by="answers as received",
    )
    checked("requests.time.mean", told.one("requests.time.mean"), mean_s, rel=0.02, by="answers as timed")
    checked("requests.time.max", told.one("requests.time.max"), longest_s, rel=0.02, by="answers as timed")


def timed(container: Container, path: str) -> tuple[int, float]:
    began = time.monotonic()
    status = http_get(container, path)[0]
    return status, time.monotonic() - began


def test_one_set_tells_a_fall_by_the_stamps_of_the_past(unbuffered: Container, tmp_path: Path) -> None:
    container = unbuffered

    def fall_now() -> None:
        """A log that ends now: 30 s later it would be one that is silent."""
        now = int(time.time())
        lines = lines_of(118, now - 600, now - 60) + lines_of(12, now - 60, now + 1)
        begin_with(container, OTHER, lines, now + 1)

    fall_now()
    shown = jvmdiag("metrics", str(container.name), home=tmp_path)
    assert shown.exit_code == 0, shown.err
    fall_now()
    told = metrics(str(container.name), home=tmp_path)
    checked("requests.now", told.one("requests.now", source=LOG), 12, by="lines as they came into the log")
    checked(
        "requests.before", told.one("requests.before", source=LOG), 118, by="lines as they came into the log"
    )
    checked(
        "requests.share",
        told.one("requests.share", source=LOG),
        12 / 118,
        by="lines as they came into the log",
    )
    checked("requests.hour", told.one("requests.hour", source=LOG), 118, by="lines as they came into the log")
    checked(
        "requests.hour.share",
        told.one("requests.hour.share", source=LOG),
        12 / 118,
        by="lines as they came into the log",
    )
    [verdict] = [line for line in shown.out.splitlines() if line.startswith("REQUESTS")]
    assert "TROUBLE" in verdict and "requests down to 12 from 118 a second" in verdict
    assert "s3cret" not in shown.out + shown.err


def test_a_tomcat_that_hangs_logs_nothing(unbuffered: Container, tmp_path: Path) -> None:
    container = unbuffered
    now = int(time.time())
    begin_with(container, OTHER, lines_of(118, now - 400, now - 45), now - 45)
    with held_requests(container, 1):
        asked_s = time.time()
        run = jvmdiag("metrics", str(container.name), "--json", home=tmp_path)
        answered_s = time.time()
    sets = Sets(run.out)
    assert sets.all("requests.now", LOG) == [0]
    assert sets.all("requests.before", LOG) == [118]
    [age], newest = sets.all("requests.age"), now - 46
    between_them = Between(asked_s - newest, answered_s - newest)
    checked("requests.age", age, between_them, abs=1, by="the newest stamp and this machine's clock, by hand")
    assert "requests down to 0 from 118 a second" in sets.verdicts[0]


def test_over_ssh_the_log_is_read_as_its_owner_or_not_at_all(ssh_jre: SshHost, tmp_path: Path) -> None:
    now = int(time.time())
    begin_with(
        ssh_jre.container,
        DEFAULT,
        lines_of(118, now - 300, now - 60) + lines_of(12, now - 60, now + 1),
        now + 1,
    )
    home = home_of(ssh_jre, tmp_path)
    seen, unseen = (
        jvmdiag(
            "metrics",
            ssh_jre.target(user),
            "--accept-new-host-key",
            "--no-threads",
            "--json",
            *options,
            home=home,
        )
        for user, options in (("ops", ("--sudo",)), ("plain", ()))
    )
    assert seen.exit_code == unseen.exit_code == 0, seen.err + unseen.err
    sets = Sets(seen.out)
    assert sets.all("requests.before", LOG) == [118]
    assert sets.all("requests.now", LOG) == [pytest.approx(12, abs=0.2)]
    sets = Sets(unseen.out)
    assert sets.all("requests.rate") == []
    said = [
        line
        for group in sets.documents[0]["groups"]
        if group["name"] == "requests"
        for line in group["unseen"]
    ]
    assert said == ["the access log: whose user it is, and root, alone see which files the JVM has open"]
