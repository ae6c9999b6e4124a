"""Figures of a real Tomcat and a real Apache, beside their own pages, read by hand, and /proc."""

from __future__ import annotations

import base64
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from jvmdiag.attach.rung import ImageChoice, Scene
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import open_scene
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.place import ViewKind
from jvmdiag.metrics.apache import ServerStatus, apache_group, read_apache
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import Credentials, Http, NoPage, Page, Why, vantages
from jvmdiag.metrics.look import Process
from jvmdiag.metrics.tomcat import ManagerStatus, read_tomcat, tomcat_group
from jvmdiag.target import parse_target
from tests.real.containers import http_get, left_behind, published_port, snapshot
from tests.real.fixtures import RunContainer
from tests.real.jvmdiag import jvmdiag

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
    """A page as a browser gets it from this machine, without its markup."""
    connection = http.client.HTTPConnection("127.0.0.1", published_port(container, port), timeout=5)
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.status
        return text_of(answer.read().decode())
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


def test_tomcats_figures_are_those_of_its_own_pages(tomcat: Container) -> None:
    http_get(tomcat, "/slow.jsp?ms=0")  # it is compiled now
    before = snapshot(tomcat)
    with scene_of(tomcat) as (scene, journal):
        http = Http(vantages(scene))
        first, started = reading(http), time.monotonic()
        for _ in range(20):
            http_get(tomcat)
        assert http_get(tomcat, "/missing")[0] == 404
        slow = [threading.Thread(target=http_get, args=(tomcat, "/slow.jsp?ms=2500")) for _ in range(3)]
        for thread in slow:
            thread.start()
        time.sleep(0.5)
        last, seconds = reading(http), time.monotonic() - started
        page = page_for_people(tomcat, "/manager/status", 8080, "ops:it is:seen")
        comms = names_of_threads(tomcat)
        for thread in slow:
            thread.join()
    group = tomcat_group(first, last, seconds, None, (), ())
    one = {figure.name: figure.value for figure in group.figures}
    assert {figure.label("connector") for figure in group.figures} == {CONNECTOR}
    # Three slow ones and the page itself; by the page for people it is that page.
    assert one["tomcat.threads.busy"] == number(page, r"Current threads busy: (\d+)") == 4
    assert one["tomcat.threads.max"] == number(page, r"Max threads: (\d+)") == 200
    workers = sum(name == "http-nio-8080-e" for name in comms)
    assert one["tomcat.threads.current"] == number(page, r"Current thread count: (\d+)") == workers
    # What came between is 20, one that is missing, and none of ours.
    assert one["tomcat.requests.rate"] * seconds == pytest.approx(21)
    assert one["tomcat.errors.rate"] * seconds == pytest.approx(1)
    assert one["tomcat.requests.total"] == number(page, r"Request count: (\d+)") - 1
    assert one["tomcat.errors.total"] == number(page, r"Error count: (\d+)")
    assert one["tomcat.time.max"] == number(page, r"Max processing time: (\d+) ms") / 1000
    assert one["tomcat.sent.rate"] > 0
    said = " ".join(str(command) for command in journal.commands)
    assert "it is" not in said and base64.b64encode(b"ops:it is:seen").decode() not in said
    assert left_behind(tomcat, before) == []


def test_a_containers_jvm_that_is_seen_on_its_machine_is_asked_in_its_own_network(tomcat: Container) -> None:
    pid = int(tomcat.attrs["State"]["Pid"])
    with open_scene(Job(parse_target("local://"), jvm=str(pid)), Journal()) as scene:
        assert scene.view.kind is ViewKind.MACHINE
        # Nobody listens on this port of the machine itself.
        assert isinstance(read_tomcat(Http(vantages(scene)), OPS), ManagerStatus)


def test_idle_callers_are_accepted_connections(tomcat: Container, tmp_path: Path) -> None:
    callers = [http.client.HTTPConnection("127.0.0.1", published_port(tomcat), timeout=10) for _ in range(7)]
    try:
        for caller in callers:
            caller.request("GET", "/")
            assert caller.getresponse().read()  # and it is kept alive
        run = jvmdiag("metrics", str(tomcat.name), "--no-threads", "--json", home=tmp_path)
    finally:
        for caller in callers:
            caller.close()
    assert run.exit_code == 0, run.err
    groups = {group["name"]: group for group in run.document["groups"]}
    figures = {figure["name"]: figure["value"] for figure in groups["tomcat"]["figures"]}
    assert figures["tomcat.connections"] == len(callers)
    assert figures["tomcat.queue"] == 0


def test_without_credentials_a_thread_dump_tells_who_is_busy(tomcat: Container, tmp_path: Path) -> None:
    with scene_of(tomcat, ViewKind.INSIDE) as (scene, _):
        came = Http(vantages(scene)).get("http://127.0.0.1:8080/manager/status?XML=true")
        assert isinstance(came, NoPage) and came.why is Why.REFUSED
        assert "401" in came.text
    slow = [threading.Thread(target=http_get, args=(tomcat, "/slow.jsp?ms=4000")) for _ in range(3)]
    for thread in slow:
        thread.start()
    time.sleep(0.5)
    run = jvmdiag("threaddump", str(tomcat.name), "-o", str(tmp_path), "--compress", "none", home=tmp_path)
    comms = names_of_threads(tomcat)
    for thread in slow:
        thread.join()
    dump = Path(run.out.strip()).read_text()
    group = tomcat_group(None, None, 1.0, dump, (), ())
    workers = sum(name == "http-nio-8080-e" for name in comms)
    assert group.one("tomcat.threads.busy", connector=CONNECTOR) == 3
    assert group.one("tomcat.threads.current", connector=CONNECTOR) == workers
    assert group.one("tomcat.acceptors", connector=CONNECTOR) == 1
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
        first, started = read_apache(http), time.monotonic()
        for _ in range(10):
            fetch(apache)
        last, seconds = read_apache(http), time.monotonic() - started
        shown = http.get("http://127.0.0.1/server-status")
    assert isinstance(first, ServerStatus) and isinstance(last, ServerStatus)
    assert isinstance(shown, Page)
    processes = processes_of(apache)
    group = apache_group(first, last, seconds, processes, ())
    compare(group, last, text_of(shown.text), seconds)
    assert group.one("apache.processes") == len(by_name(apache, "apache2"))
    configured = in_(apache, "cat /etc/apache2/mods-enabled/mpm_event.conf")
    assert group.one("apache.workers.max") == number(configured, r"MaxRequestWorkers\s+(\d+)")


def compare(group: Group, last: ServerStatus, page: str, seconds: float) -> None:
    """With the page for people, asked for just after."""
    assert group.one("apache.workers.busy") == number(page, r"(\d+) requests currently being processed")
    assert group.one("apache.workers.idle") == number(page, r"(\d+) idle workers")
    assert (group.one("apache.requests.rate") or 0) * seconds == pytest.approx(10)
    # The page for people counts the page for programs before it.
    assert last.accesses == number(page, r"Total accesses: (\d+)") - 1
    assert group.one("apache.scoreboard", state="waiting") == group.one("apache.workers.idle")


def fetch(apache: Container) -> None:
    """Its first page."""
    connection = http.client.HTTPConnection("127.0.0.1", published_port(apache, 80), timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().read()
    connection.close()


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
    # A page that is refused costs the rest nothing, and the threads are told by a dump.
    assert run.exit_code == 0, run.err
    assert "(401)" in run.out and re.search(rf"{CONNECTOR} +0 busy", run.out), run.out


def test_the_command_shows_an_apache_where_there_is_no_jvm(
    run_container: RunContainer, tmp_path: Path
) -> None:
    apache = run_container("httpd", ready=None, ports=(80,))
    until = time.monotonic() + 20
    while len(by_name(apache, "apache2")) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    run = jvmdiag("metrics", str(apache.name), "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    [group] = [one for one in run.document["groups"] if one["name"] == "apache"]
    figures = {one["name"]: one["value"] for one in group["figures"]}
    assert figures["apache.processes"] == len(by_name(apache, "apache2"))
    assert figures["apache.workers.busy"] == 1
    limits = Path(f"/proc/{by_name(apache, 'apache2')[0]}/limits").read_text()
    assert figures["apache.limit.files.soft"] == number(limits, r"Max open files +(\d+)")
    assert group["verdict"]["text"].startswith("1 workers busy")
