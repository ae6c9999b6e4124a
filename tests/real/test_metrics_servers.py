"""Figures of a real Tomcat and a real Apache, beside their own pages, read by hand, and /proc."""

from __future__ import annotations

import base64
import http.client
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from docker.types import Ulimit

from jvmdiag.attach.rung import ImageChoice, Scene
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import open_scene
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.place import ViewKind
from jvmdiag.metrics.apache import ServerStatus, apache_group, parse_server_status, read_apache
from jvmdiag.metrics.http import Credentials, Http, NoPage, Page, Why, vantages
from jvmdiag.metrics.look import Process
from jvmdiag.metrics.tomcat import ManagerStatus, read_tomcat, tomcat_group
from jvmdiag.target import parse_target
from tests.real.containers import http_get, left_behind, published_port, snapshot
from tests.real.course import Between, between
from tests.real.fixtures import RunContainer
from tests.real.held import held_requests, until_asleep
from tests.real.jvmdiag import jvmdiag
from tests.real.shown import (
    ATTEMPTS,
    checked,
    entries,
    metrics,
    pid_of,
    sets,
    until_connected,
    until_now,
    within,
)

OPS = Credentials("ops", "it is:seen")
CONNECTOR = "http-nio-8080"


@contextmanager
def scene_of(container: Container, view: ViewKind | None = None) -> Iterator[tuple[Scene, Journal]]:
    journal = Journal()
    job = Job(parse_target(str(container.name)), access=Access(view=view), image=ImageChoice(pull=False))
    with open_scene(job, journal) as scene:
        yield scene, journal


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def page_for_people(container: Container, path: str, port: int, user: str = "") -> str:
    """A page as a browser shows it on this machine, without its markup."""
    return text_of(page_of(container, path, port, user))


def page_of(container: Container, path: str, port: int, user: str = "") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", published_port(container, port), timeout=60)
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return str(answer.read().decode())
    finally:
        connection.close()


def number(page: str, pattern: str) -> float:
    found = re.search(pattern, page)
    assert found, page
    return float(found[1])


def names_of_threads(container: Container) -> list[str]:
    pid = container.attrs["State"]["Pid"]
    return [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]


def reading(http: Http) -> ManagerStatus:
    found = read_tomcat(http, OPS)
    assert isinstance(found, ManagerStatus), found
    return found


@pytest.fixture(scope="session")
def tomcat(shared: Callable[[str], Container]) -> Container:
    return shared("tomcat-manager")


POSTS, POST_MS = 5, 200


def post(container: Container, ms: int, size: int) -> None:
    """A form that is so large, to the page that sleeps so long."""
    connection = http.client.HTTPConnection("127.0.0.1", published_port(container), timeout=60)
    try:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/slow.jsp", body=f"ms={ms}&more={'x' * size}", headers=form)
        assert connection.getresponse().read()
    finally:
        connection.close()


def settled(container: Container) -> None:
    """Until what was asked of its port 8080 before is counted, and its threads are idle or held."""
    until_asleep([pid_of(container)], "http-nio-8080-e")


def test_tomcats_figures_are_those_of_its_own_pages(tomcat: Container) -> None:
    http_get(tomcat, "/slow.jsp?ms=0")  # it is compiled now
    before = snapshot(tomcat)
    with scene_of(tomcat) as (scene, journal):
        http = Http(vantages(scene))
        settled(tomcat)
        asked = time.monotonic()
        first, started = reading(http), time.monotonic()
        bodies = [http_get(tomcat)[1] for _ in range(20)]
        status, missing = http_get(tomcat, "/missing")
        assert status == 404
        for _ in range(POSTS):
            post(tomcat, POST_MS, 20_000)
        # Its callers, the first reading among them, waited at least as long as Tomcat worked on them.
        worked = Between(POSTS * POST_MS / 1000, time.monotonic() - asked)
        with held_requests(tomcat, 3):
            settled(tomcat)
            last, seconds = reading(http), time.monotonic() - started
            settled(tomcat)
            page = page_for_people(tomcat, "/manager/status", 8080, "ops:it is:seen")
            comms = names_of_threads(tomcat)
    group = tomcat_group(first, last, seconds, None, (), ())
    one = {figure.name: figure.value for figure in group.figures}
    assert {figure.label("connector") for figure in group.figures} == {CONNECTOR}
    # Three slow ones and the page itself; by the page for people it is that page.
    busy, most = number(page, r"Current threads busy: (\d+)"), number(page, r"Max threads: (\d+)")
    assert (busy, most) == (4, 200)
    checked("tomcat.threads.busy", one["tomcat.threads.busy"], busy, by="the manager's page for people")
    checked("tomcat.threads.max", one["tomcat.threads.max"], most, by="the manager's page for people")
    share = one["tomcat.threads.busy_share"]
    checked("tomcat.threads.busy_share", share, busy / most, by="the manager's page for people")
    workers = sum(name == "http-nio-8080-e" for name in comms)
    assert number(page, r"Current thread count: (\d+)") == workers
    checked(
        "tomcat.threads.current", one["tomcat.threads.current"], workers, by="/proc/PID/task/TID/comm by hand"
    )
    # What came between is ours: none of it is the readings'.
    requests, posted = len(bodies) + 1 + POSTS, POSTS * 20_000
    checked("tomcat.requests.rate", one["tomcat.requests.rate"] * seconds, requests, by="requests as made")
    checked("tomcat.errors.rate", one["tomcat.errors.rate"] * seconds, 1, by="requests as made")
    checked(
        "tomcat.received.rate", one["tomcat.received.rate"] * seconds, posted, by="requests as made", rel=0.05
    )
    body = sum(map(len, bodies)) + len(missing) + POSTS * len("slow")
    checked("tomcat.sent.rate", one["tomcat.sent.rate"] * seconds, body, by="answers as received", rel=0.05)
    served = one["tomcat.processing.rate"] * seconds
    checked("tomcat.processing.rate", served, worked, by="answers as timed", rel=0.02)
    # The first reading is one of them.
    every = requests + 1
    mean, each = one["tomcat.time.mean"], between(worked.low / every, worked.high / every)
    checked("tomcat.time.mean", mean, each, by="answers as timed", rel=0.02)
    total, errors = number(page, r"Request count: (\d+)"), number(page, r"Error count: (\d+)")
    # The page for people counts the page for programs before it.
    checked(
        "tomcat.requests.total", one["tomcat.requests.total"], total - 1, by="the manager's page for people"
    )
    checked("tomcat.errors.total", one["tomcat.errors.total"], errors, by="the manager's page for people")
    longest = number(page, r"Max processing time: (\d+) ms") / 1000
    checked("tomcat.time.max", one["tomcat.time.max"], longest, by="the manager's page for people")
    said = " ".join(str(command) for command in journal.commands)
    assert "it is" not in said and base64.b64encode(b"ops:it is:seen").decode() not in said
    assert left_behind(tomcat, before) == []


def test_requests_that_take_threads_start_them(tomcat: Container, tmp_path: Path) -> None:
    """More at once than the pool has ever had."""
    tasks = f"/proc/{pid_of(tomcat)}/task"
    jvmdiag(
        "jcmd", str(tomcat.name), "Thread.print", home=tmp_path
    )  # the first that is asked starts a thread
    with sets(str(tomcat.name), "--interval", "0.5", "--no-threads", home=tmp_path) as following:
        following()
        least = entries(tasks)
        with held_requests(tomcat, 60):
            came = until_now(following)
            most = entries(tasks)
            dump = jvmdiag("jcmd", str(tomcat.name), "Thread.print", home=tmp_path).out
    started = sum(shown.one("jvm.threads.started") * shown.seconds for shown in came)
    checked("jvm.threads.started", started, most - least, by="/proc/PID/task before and after", rel=0.1)
    hidden = re.compile(r"C[12] CompilerThread|Sweeper thread|Service Thread|Monitor Deflation")
    names = [name for name in re.findall(r'^"(.*)" #\d+ ', dump, re.MULTILINE) if not hidden.match(name)]
    checked(
        "jvm.threads.peak",
        came[-1].one("jvm.threads.peak"),
        len(names),
        by="a thread dump when they were most",
        abs=2,
    )


def test_a_containers_jvm_that_is_seen_on_its_machine_is_asked_in_its_own_network(tomcat: Container) -> None:
    pid = int(tomcat.attrs["State"]["Pid"])
    with open_scene(Job(parse_target("local://"), jvm=str(pid)), Journal()) as scene:
        assert scene.view.kind is ViewKind.MACHINE
        # Nobody listens on this port of the machine itself.
        assert isinstance(read_tomcat(Http(vantages(scene)), OPS), ManagerStatus)


def test_idle_callers_are_accepted_connections(tomcat: Container, tmp_path: Path) -> None:
    for _ in range(ATTEMPTS):
        with ExitStack() as callers:
            for _ in range(7):
                caller = http.client.HTTPConnection("127.0.0.1", published_port(tomcat), timeout=60)
                callers.enter_context(closing(caller))
                caller.request("GET", "/")
                assert caller.getresponse().read()  # and it is kept alive
            until_connected(tomcat, 7)
            shown = metrics(str(tomcat.name), "--no-threads", home=tmp_path)
            kept = len(
                within(tomcat, "ss", "-tnH", "state", "established", "sport", "=", ":8080").splitlines()
            )
        # Tomcat ends a connection that has asked for nothing for 20 s.
        if kept == 7:
            break
    assert shown.one("tomcat.connections") == kept == 7
    assert shown.one("tomcat.queue") == 0


def test_without_credentials_a_thread_dump_tells_who_is_busy(tomcat: Container, tmp_path: Path) -> None:
    with scene_of(tomcat, ViewKind.INSIDE) as (scene, _):
        came = Http(vantages(scene)).get("http://127.0.0.1:8080/manager/status?XML=true")
        assert isinstance(came, NoPage) and came.why is Why.REFUSED
        assert "401" in came.text
    with held_requests(tomcat, 3):
        options = ("-o", str(tmp_path), "--compress", "none")
        most = names_of_threads(tomcat).count("http-nio-8080-e")
        run = jvmdiag("threaddump", str(tomcat.name), *options, home=tmp_path)
        comms = names_of_threads(tomcat)
    dump = Path(run.out.strip()).read_text()
    group = tomcat_group(None, None, 1.0, dump, (), ())
    workers = comms.count("http-nio-8080-e")
    one = {figure.name: figure.value for figure in group.figures}
    assert {figure.label("connector") for figure in group.figures} == {CONNECTOR}
    checked("tomcat.threads.busy", one["tomcat.threads.busy"], 3, by="requests as made")
    # Of sixty that there were in another test those that are idle for a minute end.
    current = between(workers, most)
    checked(
        "tomcat.threads.current", one["tomcat.threads.current"], current, by="/proc/PID/task/TID/comm by hand"
    )
    accepting, polling = comms.count("http-nio-8080-A"), comms.count("http-nio-8080-P")
    checked("tomcat.acceptors", one["tomcat.acceptors"], accepting, by="/proc/PID/task/TID/comm by hand")
    checked("tomcat.pollers", one["tomcat.pollers"], polling, by="/proc/PID/task/TID/comm by hand")
    by_names = tomcat_group(None, None, 1.0, None, comms, ())
    assert by_names.one("tomcat.threads.current", connector=CONNECTOR) == workers


# The client that each image has: jre-minimal is a busybox, shellless has nothing, so nsenter takes this machine's.
@pytest.mark.parametrize(
    ("image", "view", "client"),
    [("jre-minimal", ViewKind.INSIDE, "nc"), ("shellless", ViewKind.ENGINE_HOST, "perl")],
)
def test_apaches_figures_are_those_of_its_own_page(
    run_container: RunContainer, image: str, view: ViewKind, client: str
) -> None:
    apache = run_container("httpd", ready=None, ports=(80,))
    beside = run_container(image, ready=None, ports=(), network_mode=f"container:{apache.id}")
    with scene_of(beside, view) as (scene, _):
        http = Http(vantages(scene))
        page = http.get("http://127.0.0.1/server-status?auto")
        assert isinstance(page, Page) and page.client == client, page
        refused = http.get("http://127.0.0.1/refused")
        assert isinstance(refused, NoPage) and refused.why is Why.REFUSED
        nobody = http.get("http://127.0.0.1:81/")
        assert isinstance(nobody, NoPage) and nobody.why is Why.NOBODY, nobody
        # All of its processes, and some seconds over which it can say what it did each second.
        until = time.monotonic() + 60
        while True:
            idle_again(apache)
            first = status_of(http)
            if first.idle == WORKERS - 1 and (first.uptime_s or 0) >= 2:
                break
            assert time.monotonic() < until, first
        started = time.monotonic()
        made = 10
        sent = sum(fetch(apache) for _ in range(made))
        idle_again(apache)
        last, seconds = status_of(http), time.monotonic() - started
        idle_again(apache)
        shown = http.get("http://127.0.0.1/server-status")
        idle_again(apache)
        again = status_of(http)
    assert isinstance(shown, Page)
    group = apache_group(first, last, seconds, processes_of(apache), ())
    one = {figure.name: figure.value for figure in group.figures}
    people = text_of(shown.text)
    busy = number(people, r"(\d+) requests currently being processed")
    checked("apache.workers.busy", one["apache.workers.busy"], busy, by="server-status for people")
    idle = number(people, r"(\d+) idle workers")
    checked("apache.workers.idle", one["apache.workers.idle"], idle, by="server-status for people")
    waiting = group.one("apache.scoreboard", state="waiting") or 0
    checked("apache.scoreboard", waiting, idle, by="server-status for people")
    most = number(in_(apache, "cat /etc/apache2/mods-enabled/mpm_event.conf"), r"MaxRequestWorkers\s+(\d+)")
    checked("apache.workers.max", one["apache.workers.max"], most, by="its configuration")
    share = one["apache.workers.busy_share"]
    checked("apache.workers.busy_share", share, busy / most, by="server-status for people")
    checked("apache.requests.rate", one["apache.requests.rate"] * seconds, made, by="requests as made")
    checked("apache.sent.rate", one["apache.sent.rate"] * seconds, sent, by="answers as received", rel=0.1)
    # The page for people counts the page for programs before it.
    assert last.accesses == number(people, r"Total accesses: (\d+)") - 1
    words = re.search(r"Server uptime:(?: (\d+) minutes?)?(?: (\d+) seconds?)?", people)
    assert words, people
    uptime = int(words[1] or 0) * 60 + int(words[2] or 0)
    # It was made between two pages for programs, of which the first is looked at.
    assert last.uptime_s and again.uptime_s
    sooner = between(uptime, uptime - (again.uptime_s - last.uptime_s))
    checked("apache.uptime", one["apache.uptime"], sooner, by="server-status for people")
    each_s, bytes_s = number(people, r"([\d.]+) requests/sec"), number(people, r"([\d.]+) k?B/second")
    bytes_s *= 1024 if "kB/second" in people else 1
    each, bytes_each = (
        between(*(rate * uptime / seconds for seconds in (sooner.low, sooner.high)))
        for rate in (each_s, bytes_s)
    )
    checked(
        "apache.requests.since_start",
        one["apache.requests.since_start"],
        each,
        by="server-status for people",
        rel=0.2,
    )
    checked(
        "apache.sent.since_start",
        one["apache.sent.since_start"],
        bytes_each,
        by="server-status for people",
        rel=0.2,
    )
    own = by_name(apache, "apache2")
    checked("apache.processes", one["apache.processes"], len(own), by="docker top")
    threads = sum(entries(f"/proc/{pid}/task") for pid in own)
    checked("apache.threads", one["apache.threads"], threads, by="/proc/PID/task of each")


# Of the two processes that it begins with.
WORKERS = 50


def idle_again(apache: Container) -> None:
    """Until what was asked of it is counted, and its workers are idle."""
    until_asleep(by_name(apache, "apache2"), "apache2")


def status_of(http: Http) -> ServerStatus:
    found = read_apache(http)
    assert isinstance(found, ServerStatus), found
    return found


def until_begun(apache: Container) -> None:
    until = time.monotonic() + 60
    # And the one that began them.
    while (seen := len(by_name(apache, "apache2"))) < 3:
        assert time.monotonic() < until, f"{seen} processes"
        time.sleep(0.1)


# Its counts of connections are brought up to date when the time of one is over: soon, here. And a large answer does not
# keep its worker.
_IN_A_HURRY = r"""
printf 'KeepAliveTimeout 1\nEnableSendfile On\n<Location /server-status>\nRequire all granted\n</Location>\n' \
    >/etc/apache2/conf-enabled/zz.conf
truncate -s 1G /var/www/html/large
exec apachectl -D FOREGROUND
"""


def test_apaches_connections_are_those_of_its_own_page(run_container: RunContainer) -> None:
    """One that is kept, one that does not read what it asked for, and one that does not close what the server has."""
    apache = run_container("httpd", ready=None, ports=(80,), command=["sh", "-c", _IN_A_HURRY])
    until_begun(apache)
    until = time.monotonic() + 120
    with ExitStack() as callers:
        asks(apache, callers, "/large")
        asks(apache, callers, "/", Connection="close")
        while True:
            asks(apache, callers, "/").getresponse().read()
            last, people, again = (
                page_of(apache, f"/server-status{which}", 80) for which in ("?auto", "", "?auto")
            )
            status, later = parse_server_status(last), parse_server_status(again)
            assert status and later
            told = connections(status)
            # The page for people was made between two that say the same.
            if all(told) and told == connections(later):
                break
            assert time.monotonic() < until, status
            time.sleep(0.3)
    group = apache_group(None, status, 1.0, (), ())
    one = {figure.name: figure.value for figure in group.figures}
    # The last row has the sums.
    row = re.search(r"Sum ((?:(?:\d+|&nbsp;) )+)", text_of(people))
    assert row, people
    _, _, open_, *_, writing, kept, ends = (int(word) for word in row[1].split() if word.isdigit())
    checked("apache.connections", one["apache.connections"], open_, by="server-status for people")
    ours = [one[f"apache.connections.{what}"] for what in ("writing", "keepalive", "closing")]
    checked("apache.connections.writing", ours[0], writing, by="server-status for people")
    checked("apache.connections.keepalive", ours[1], kept, by="server-status for people")
    checked("apache.connections.closing", ours[2], ends, by="server-status for people")


def connections(status: ServerStatus) -> tuple[int | None, ...]:
    return status.connections, status.writing, status.keepalive, status.closing


def asks(apache: Container, stack: ExitStack, path: str, **headers: str) -> http.client.HTTPConnection:
    """Somebody who has asked, and stays."""
    caller = http.client.HTTPConnection("127.0.0.1", published_port(apache, 80), timeout=60)
    stack.enter_context(closing(caller))
    caller.request("GET", path, headers=headers)
    return caller


def fetch(apache: Container) -> int:
    """Its first page: how large it is."""
    connection = http.client.HTTPConnection("127.0.0.1", published_port(apache, 80), timeout=60)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return len(body)


def in_(container: Container, command: str) -> str:
    done: Any = container.exec_run(["sh", "-c", command])
    return str(done.output.decode())


def by_name(container: Container, name: str) -> list[int]:
    """The processes of the container with that name, by this machine's /proc."""
    found: Any = container.top(ps_args="-eo pid,comm")["Processes"]
    return [int(pid) for pid, comm in found if comm == name]


def processes_of(container: Container) -> list[Process]:
    found = []
    for pid in (int(row[0]) for row in container.top(ps_args="-eo pid,comm")["Processes"]):
        line = Path(f"/proc/{pid}/stat").read_text()
        name, rest = line[line.index("(") + 1 : line.rindex(")")], line[line.rindex(")") + 2 :].split()
        found.append(Process(pid, name, rest[0], int(rest[1]), int(rest[17])))
    return found


def test_the_command_shows_what_the_manager_says(tomcat: Container, tmp_path: Path) -> None:
    password = {"JVMDIAG_TOMCAT_PASSWORD": OPS.password}
    run = jvmdiag("metrics", str(tomcat.name), "--tomcat-user", OPS.user, "-v", home=tmp_path, env=password)
    assert run.exit_code == 0, run.err
    shown = run.out.partition("TOMCAT")[2].partition("APACHE")[0]
    assert re.search(rf"{CONNECTOR} +1 busy +\d+ threads +of 200 .*\s+0 requests/s", shown), run.out
    assert OPS.password not in run.out + run.err
    wrong = {"JVMDIAG_TOMCAT_PASSWORD": "wrong"}
    run = jvmdiag("metrics", str(tomcat.name), "--tomcat-user", OPS.user, home=tmp_path, env=wrong)
    # A page that is refused costs the rest nothing, and the threads are told by a dump; the one that refused may not be
    # idle yet.
    assert run.exit_code == 0, run.err
    assert "(401)" in run.out and re.search(rf"{CONNECTOR} +[01] busy", run.out), run.out


def test_the_command_shows_an_apache_where_there_is_no_jvm(
    run_container: RunContainer, tmp_path: Path
) -> None:
    limits = [Ulimit(name="nofile", soft=3000, hard=4000), Ulimit(name="nproc", soft=20000, hard=30000)]
    apache = run_container("httpd", ready=None, ports=(80,), ulimits=limits)
    until_begun(apache)
    run = jvmdiag("metrics", str(apache.name), "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    [group] = [one for one in run.document["groups"] if one["name"] == "apache"]
    figures = {one["name"]: one["value"] for one in group["figures"]}
    assert figures["apache.processes"] == len(by_name(apache, "apache2"))
    assert figures["apache.workers.busy"] == 1
    # What docker was given: httpd itself changes none of it.
    soft, hard = figures["apache.limit.files.soft"], figures["apache.limit.files.hard"]
    checked("apache.limit.files.soft", soft, 3000, by="what docker was given")
    checked("apache.limit.files.hard", hard, 4000, by="what docker was given")
    soft, hard = figures["apache.limit.processes.soft"], figures["apache.limit.processes.hard"]
    checked("apache.limit.processes.soft", soft, 20000, by="what docker was given")
    checked("apache.limit.processes.hard", hard, 30000, by="what docker was given")
    assert group["verdict"]["text"].startswith("1 workers busy")
