"""Tomcat's figures by JMX, beside its own page and Java's own client; what is left there, and what is told."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from docker.models.containers import Container

from jvmdiag.attach.rung import ImageChoice, Scene, reach_of
from jvmdiag.capture.choose import with_speaker
from jvmdiag.collect.asking import Questions
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.scene import open_scene
from jvmdiag.hosts.access import Access
from jvmdiag.hosts.opening import open_place
from jvmdiag.hosts.place import ContainerPlace, ViewKind
from jvmdiag.jmx.agent import STATUS, Agent, agents_of
from jvmdiag.metrics.exchange import Exchange
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import Vantage, vantages
from jvmdiag.metrics.jmx import Bean, Jmx, Wanted
from jvmdiag.metrics.look import Look, take_look
from jvmdiag.metrics.pulse import pulse_of
from jvmdiag.metrics.tomcat import tomcat_group
from jvmdiag.metrics.tomcat_jmx import WANTED, TomcatBeans, tomcat_beans
from jvmdiag.target import parse_target
from tests.real.containers import Containers, SshHost, home_of, left_behind, published_port, snapshot
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer, cases
from tests.real.held import held_requests, stopped
from tests.real.jvmdiag import Running, jvmdiag
from tests.real.shown import Shown, checked
from tests.real.test_metrics_servers import names_of_threads, number, page_for_people, settled
from tests.real.test_snapshot import names, take, taken, why
from tests.real.tls import make_certificates, tls_in_front_of

OWN, SHARED = "http-nio-8080", "http-nio-8081"
PASSWORD = 'it:is"s3cret'
FLAGS = (
    "-Dcom.sun.management.jmxremote.port=9010",
    "-Dcom.sun.management.jmxremote.ssl=false",
)
OPEN = "-Dcom.sun.management.jmxremote.authenticate=false"
FILES = (
    "-Dcom.sun.management.jmxremote.password.file=/tmp/password",
    "-Dcom.sun.management.jmxremote.access.file=/tmp/access",
)
# A connector of three threads, one on an executor of two, and one to look from.
SERVER = (
    r's|<Connector port="8080" protocol="HTTP/1.1"|'
    r'<Executor name="shared pool" maxThreads="2" minSpareThreads="1"/>'
    r'<Connector port="8081" executor="shared pool"/><Connector port="8082"/>'
    r'& maxThreads="3" maxConnections="50" acceptCount="7"|'
)
START = """umask 077
echo "monitor $JMX_PASSWORD" >/tmp/password
echo "monitor readonly" >/tmp/access
sed "$SERVER" /etc/tomcat10/server.xml >/tmp/server.xml
exec /usr/share/tomcat10/bin/catalina.sh run -config /tmp/server.xml
"""
MBEANS = ("*:type=ThreadPool,*", "*:type=GlobalRequestProcessor,*", "*:type=Executor,*")
JAVA = Path(__file__).parent / "java"


@contextmanager
def scene_of(container: Container, view: ViewKind | None = None) -> Iterator[Scene]:
    job = Job(parse_target(str(container.name)), access=Access(view=view), image=ImageChoice(pull=False))
    with open_scene(job, Journal()) as scene:
        yield scene


def status_of(scene: Scene) -> str:
    return with_speaker(scene, STATUS, None, lambda speaker: speaker.ask(STATUS, 5.0)).decode()


def get(container: Container, port: int, path: str = "/") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", published_port(container, port), timeout=60)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def until(what: str, seen: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < end, what


@pytest.fixture(scope="module")
def served(session_containers: Containers) -> Container:
    """A Tomcat with an agent that asks for a password, and so with a local one."""
    return session_containers.run(
        "tomcat-manager",
        ports=(8080, 8081, 8082),
        command=["sh", "-c", START],
        environment={
            "CATALINA_OPTS": " ".join((*FLAGS, *FILES)),
            "JMX_PASSWORD": PASSWORD,
            "SERVER": SERVER,
        },
    )


def beans_of(jmx: Jmx) -> TomcatBeans:
    beans = tomcat_beans(jmx.read(WANTED))
    assert isinstance(beans, TomcatBeans), beans
    return beans


def by_java(beside: Container, status: str, *patterns: str) -> dict[tuple[str, str], int]:
    """What Java's own client reads by the local agent."""
    url = re.search(r"^URL *: *(\S+)", status, re.MULTILINE)
    assert url
    done: Any = beside.exec_run(["java", "/client/JmxClient.java", url[1], *patterns])
    assert done.exit_code == 0, done.output
    rows = (line.split("\t") for line in done.output.decode().splitlines())
    return {(name, attribute): int(value) for name, attribute, value in rows}


def test_tomcats_figures_by_jmx_are_those_of_its_page_and_of_javas_client(
    served: Container, run_container: RunContainer
) -> None:
    client = {"command": ["sleep", "600"], "volumes": {str(JAVA): {"bind": "/client", "mode": "ro"}}}
    beside = run_container("jdk17", ready=None, ports=(), network_mode=f"container:{served.id}", **client)
    for port in (8080, 8081):
        assert get(served, port, "/slow.jsp?ms=0") == 200  # it is compiled now
    with scene_of(served) as scene:
        status = status_of(scene)
        local, remote = agents_of(status)
        assert (local.asks, remote.asks) == (False, True)
        jmx = Jmx(Exchange(vantages(scene), "JMX"), local, None)
        settled(served)
        first, started = beans_of(jmx), time.monotonic()
        for _ in range(20):
            assert get(served, 8080) == 200
        assert get(served, 8080, "/missing") == 404
        settled(served)
        last, seconds = beans_of(jmx), time.monotonic() - started
        page = page_for_people(served, "/manager/status", 8082, "ops:it is:seen").partition(OWN)[2]
        group = tomcat_group(first.status, last.status, seconds, None, (), (), (), last.figures)
        check_requests(group, seconds, page)
        with held_requests(served, 5, begun=3), held_requests(served, 4, port=8081, begun=2):
            until("every thread is busy", lambda: full(beans_of(jmx)))
            beans = beans_of(jmx)
            read = {bean.name: bean.attributes for bean in jmx_read(jmx)}
            java = by_java(beside, status, *MBEANS)
            run = jvmdiag("metrics", str(served.name), "--json", home=Path("/nonexistent"))
    assert beans.executors[0].queue == 2
    for name, attributes in read.items():
        for attribute, value in attributes.items():
            assert java[name, attribute] == value, (name, attribute)
    assert len(read) == 7  # three connectors of two each, and the executor
    # What the command shows while five are asked of three threads, and four of an executor of two.
    shown = Shown(run.document)
    own = {name: value for (bean, name), value in java.items() if "ThreadPool" in bean and OWN in bean}
    pool = {name: value for (bean, name), value in java.items() if "type=Executor" in bean}
    beside_it = shown.one("tomcat.connections.without_thread", connector=OWN)
    of_executor = {"executor": "shared pool"}
    checked("tomcat.connections.without_thread", beside_it, 2, by="requests as made")
    checked(
        "tomcat.connections.max",
        shown.one("tomcat.connections.max", connector=OWN),
        own["maxConnections"],
        by="Java's own client",
    )
    checked(
        "tomcat.queue.max",
        shown.one("tomcat.queue.max", connector=OWN),
        own["acceptCount"],
        by="Java's own client",
    )
    checked(
        "tomcat.executor.busy",
        shown.one("tomcat.executor.busy", **of_executor),
        pool["activeCount"],
        by="Java's own client",
    )
    checked(
        "tomcat.executor.threads",
        shown.one("tomcat.executor.threads", **of_executor),
        pool["poolSize"],
        by="Java's own client",
    )
    checked(
        "tomcat.executor.threads.max",
        shown.one("tomcat.executor.threads.max", **of_executor),
        pool["maxThreads"],
        by="Java's own client",
    )
    checked(
        "tomcat.executor.busy_share",
        shown.one("tomcat.executor.busy_share", **of_executor),
        pool["activeCount"] / pool["maxThreads"],
        by="Java's own client",
    )
    checked(
        "tomcat.executor.queue",
        shown.one("tomcat.executor.queue", **of_executor),
        pool["queueSize"],
        by="Java's own client",
    )
    check_full(shown)


def jmx_read(jmx: Jmx) -> tuple[Bean, ...]:
    beans = jmx.read(WANTED)
    assert isinstance(beans, tuple), beans
    return beans


def full(beans: TomcatBeans) -> bool:
    own = beans.status.named(OWN)
    return own is not None and own.threads_busy == 3 and beans.executors[0].queue == 2


def check_requests(group: Group, seconds: float, page: str) -> None:
    """Of twenty requests and one that is missing; beside the page for people, asked for just after."""
    assert (group.one("tomcat.requests.rate", connector=OWN) or 0) * seconds == pytest.approx(21)
    assert (group.one("tomcat.errors.rate", connector=OWN) or 0) * seconds == pytest.approx(1)
    assert group.one("tomcat.threads.max", connector=OWN) == number(page, r"Max threads: (\d+)") == 3
    assert group.one("tomcat.threads.current", connector=OWN) == number(page, r"Current thread count: (\d+)")
    assert group.one("tomcat.threads.busy", connector=OWN) == number(page, r"Current threads busy: (\d+)")
    assert group.one("tomcat.requests.total", connector=OWN) == number(page, r"Request count: (\d+)")
    assert group.one("tomcat.errors.total", connector=OWN) == number(page, r"Error count: (\d+)")
    longest = number(page, r"Max processing time: (\d+) ms") / 1000
    assert group.one("tomcat.time.max", connector=OWN) == longest


def check_full(shown: Shown) -> None:
    """As the server was made, and as it was asked: by numbers that stand here."""
    assert (
        shown.one("tomcat.threads.busy", connector=OWN) == shown.one("tomcat.threads.max", connector=OWN) == 3
    )
    assert shown.one("tomcat.connections", connector=OWN) == 5
    assert (
        shown.one("tomcat.connections.max", connector=OWN),
        shown.one("tomcat.queue.max", connector=OWN),
    ) == (50, 7)
    assert shown.one("tomcat.executor.queue") == 2
    assert shown.one("tomcat.connections.without_thread", connector=SHARED) == 2
    assert shown.verdict("tomcat") == "2 requests wait for one of the 2 threads of shared pool"
    assert shown.groups["tomcat"]["unseen"] == []


def test_a_remote_agents_password_is_asked_for_and_told_nowhere(served: Container, tmp_path: Path) -> None:
    command = ("metrics", str(served.name), "--jmx", "9010", "--interval", "0.1", "-v")

    def tomcat(*more: str, password: str = "") -> str:
        given = {"JVMDIAG_JMX_PASSWORD": password} if password else {}
        run = jvmdiag(*command, *more, home=tmp_path, env=given)
        assert run.exit_code == 0, run.err
        assert PASSWORD not in run.out + run.err and "s3cret" not in run.out + run.err
        return run.out.partition("TOMCAT")[2]

    shown = tomcat("--jmx-user", "monitor", password=PASSWORD)
    assert re.search(rf"{OWN} +0 busy +\d+ threads +of 3 ", shown), shown
    refused = tomcat("--jmx-user", "monitor", password="wrong")
    assert "Authentication failed! Invalid username or password" in refused
    # The rest is there all the same, by a thread dump.
    assert re.search(rf"{OWN} +0 busy", refused), refused
    assert "it takes a user and a password (--jmx-user)" in tomcat()
    run = jvmdiag(*command, "--jmx-user", "monitor", home=tmp_path)
    assert run.exit_code == 2 and "JVMDIAG_JMX_PASSWORD" in run.err


WRONG = "it does not know that user, or not with that password (401)"
MANAGER = "http://127.0.0.1:8082/manager/status?XML=true"


def test_a_snapshot_holds_the_same_figures_before_and_after(served: Container, tmp_path: Path) -> None:
    options = ("--light", "-n", "1", "--tomcat", MANAGER, "--tomcat-user", "ops")
    env = {"JVMDIAG_TOMCAT_PASSWORD": "it is:seen"}
    folder, manifest = take(str(served.name), *options, home=tmp_path, env=env)
    assert {"metrics before", "metrics after"} <= taken(manifest)
    for when in ("before", "after"):
        assert figures_of(folder, when)["tomcat.threads.max"] == 3
        assert "tomcat.threads.busy" in figures_of(folder, when)
    assert_told_nowhere(folder, "it is:seen")


def test_of_a_snapshot_a_wrong_password_takes_nothing_else_away(served: Container, tmp_path: Path) -> None:
    manager = ("--tomcat", MANAGER, "--tomcat-user", "nobody")
    agent = ("--jmx", "9010", "--jmx-user", "monitor")
    env = {"JVMDIAG_TOMCAT_PASSWORD": "Wr0ng it is", "JVMDIAG_JMX_PASSWORD": PASSWORD}
    options = ("--light", "-n", "1", *manager, *agent)
    folder, manifest = take(str(served.name), *options, home=tmp_path, env=env, exit_code=65)
    assert names(manifest, "partial") == {"metrics before", "metrics after"}
    assert names(manifest, "failed") == set() and "thread dump 1" in taken(manifest)
    for when in ("before", "after"):
        assert why(manifest, f"metrics {when}") == f"{MANAGER}: {WRONG}"
        # By the agent.
        found = figures_of(folder, when)
        assert found["tomcat.threads.max"] == 3 and found["tomcat.executor.threads.max"] == 2
    assert WRONG in (folder / "summary.md").read_text()
    assert_told_nowhere(folder, PASSWORD, "Wr0ng it is")


def figures_of(folder: Path, when: str) -> dict[str, float]:
    """Of the connector of its own threads, and of the executor."""
    shown = Shown(json.loads((folder / f"metrics-{when}.json").read_text()))
    found = (
        (name, shown.all(name))
        for name in ("tomcat.threads.busy", "tomcat.threads.max", "tomcat.executor.threads.max")
    )
    return {
        name: value
        for name, values in found
        for labels, value in values
        if labels.get("connector", OWN) == OWN
    }


def assert_told_nowhere(folder: Path, *secrets: str) -> None:
    """In no file of the bundle, as it is or as HTTP and URLs have it."""
    with tarfile.open(f"{folder}.tar.gz") as tar:
        packed = [file.read() for member in tar if (file := tar.extractfile(member))]
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(packed) == len(files) > 10
    for secret in secrets:
        users = ("ops", "nobody", "monitor")
        for form in (
            secret.encode(),
            quote(secret, safe="").encode(),
            *(base64.b64encode(f"{user}:{secret}".encode()) for user in users),
            json.dumps(secret)[1:-1].encode(),
        ):
            assert not [form for text in (*files, *packed) if form in text]


def test_a_port_of_something_else_is_told_so(served: Container, tmp_path: Path) -> None:
    for port, said in (("8082", "it does not speak RMI"), ("9", "nobody listens there")):
        run = jvmdiag("metrics", str(served.name), "--jmx", port, "--interval", "0.1", home=tmp_path)
        assert run.exit_code == 0 and f"JMX at 127.0.0.1:{port}: {said}" in run.out, run.out


def test_from_the_machine_that_has_the_container_and_over_tls(
    served: Container, engine: Engine, tmp_path: Path
) -> None:
    pid = int(served.attrs["State"]["Pid"])
    with open_scene(Job(parse_target("local://"), jvm=str(pid)), Journal()) as scene:
        assert scene.view.kind is ViewKind.MACHINE
        # On the machine itself nobody listens on that port.
        local = agents_of(status_of(scene))[0]
        assert beans_of(Jmx(Exchange(vantages(scene), "JMX"), local, None)).status.named(OWN)
    make_certificates(tmp_path)
    with tls_in_front_of(engine.url.removeprefix("unix://"), tmp_path) as port:
        env = {
            "DOCKER_HOST": f"tcp://127.0.0.1:{port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(tmp_path),
        }
        options = ("--view", "inside", "--interval", "0.1")
        run = jvmdiag("metrics", str(served.name), *options, home=tmp_path, env=env)
    assert run.exit_code == 0, run.err
    assert re.search(rf"{OWN} +0 busy +\d+ threads +of 3 ", run.out), run.out


def connections_of(container: Container) -> int:
    """How many connections of JMX the agent has open: it watches each by a thread."""
    return sum(name.startswith("JMX server conn") for name in names_of_threads(container))


def test_no_agent_is_started_and_one_that_runs_is_left_as_it_was(
    run_container: RunContainer, tmp_path: Path
) -> None:
    tomcat = run_container("tomcat-manager")
    name = str(tomcat.name)
    run = jvmdiag("metrics", name, "--interval", "0.1", home=tmp_path)
    assert f"{STATUS.partition('.')[0]}.start_local starts one; it stays until the JVM ends" in run.out, (
        run.out
    )
    assert re.search(rf"{OWN} +0 busy +10 threads", run.out), run.out
    run = jvmdiag("jcmd", name, STATUS, home=tmp_path)
    assert "Agent: disabled" in run.out
    assert not any(thread.startswith("RMI") for thread in names_of_threads(tomcat))
    assert jvmdiag("jcmd", name, "ManagementAgent.start_local", home=tmp_path).exit_code == 0
    before = snapshot(tomcat)
    run = jvmdiag("metrics", name, "--count", "3", "--interval", "0.2", "--json", home=tmp_path)
    assert run.exit_code == 0, run.err
    for line in run.out.splitlines():
        assert '"tomcat.threads.max"' in line
    until("its connections are closed", lambda: connections_of(tomcat) == 0)
    assert left_behind(tomcat, before) == []
    # And none of them is held in its memory.
    run = jvmdiag("jcmd", name, "GC.class_histogram", home=tmp_path)
    assert re.search(r"rmi\.RMIJRMPServerImpl( |$)", run.out, re.MULTILINE), run.out
    assert not re.search(r"rmi\.RMIConnectionImpl( |$)", run.out, re.MULTILINE), run.out
    tls = "ManagementAgent.start jmxremote.port=9011 jmxremote.authenticate=false"
    assert jvmdiag("jcmd", name, *tls.split(), home=tmp_path).exit_code == 0
    run = jvmdiag("metrics", name, "--jmx", "9011", "--interval", "0.1", home=tmp_path)
    assert "speaks TLS" in run.out, run.out
    not_waited_for(tomcat, tmp_path)


def not_waited_for(tomcat: Container, tmp_path: Path) -> None:
    """A JVM that stands still is not waited for, by whatever way, and asked when it goes on."""
    pid = int(tomcat.attrs["State"]["Pid"])
    with stopped(pid):
        watching = Running(
            "metrics", str(tomcat.name), "--watch", "--json", "--interval", "0.3", home=tmp_path
        )
        assert watching.process.stdout
        for _ in range(2):
            tomcats = Shown(json.loads(watching.process.stdout.readline()))
            assert "SIGCONT" in str(tomcats.groups["tomcat"]["unseen"])
    while not tomcats.all("tomcat.threads.busy"):
        tomcats = Shown(json.loads(watching.process.stdout.readline()))
    watching.signal(signal.SIGINT)
    watching.end()
    silent(tomcat)
    with stopped(pid):
        run = jvmdiag("metrics", str(tomcat.name), "--interval", "0.1", home=tmp_path)
        assert run.exit_code == 0 and "SIGCONT" in run.out.partition("TOMCAT")[2], run.out
        run = jvmdiag("metrics", str(tomcat.name), "--jmx", "9011", "--interval", "0.1", home=tmp_path)
        assert run.exit_code == 0 and "JMX at 127.0.0.1:9011: no answer within 5 s" in run.out, run.out


def silent(tomcat: Container) -> None:
    """It is asked again when it goes on, which its own counter of safepoints tells."""
    pid, now = int(tomcat.attrs["State"]["Pid"]), [0.0]
    with scene_of(tomcat) as scene, ExitStack() as stack:
        reach = reach_of(scene.view, scene.jvm)
        questions = Questions(scene, stack, lambda: now[0], timeout_s=1.0)

        def look() -> Look:
            return take_look(reach, scene.jvm, (), slow=False)

        def said(found: Look) -> str:
            questions.see(pulse_of(found))
            came = questions.ask("Thread.print")
            return "" if isinstance(came, str) else came.text

        first = look()
        assert said(first) == ""
        before, after = pulse_of(first), pulse_of(look())
        assert before and after and after.beats_since(before)
        with stopped(pid):
            assert {task.state for task in look().tasks()} == {"T"}
            # As of a moment ago.
            assert "did not answer within 1 s" in said(first)
            assert "SIGCONT" in said(look())
        assert "did not answer" in said(look())
        now[0] = 30.0
        assert said(look()) == ""


PLATFORM = (
    Wanted("java.lang:type=Runtime", ("SpecVersion", "VmVersion", "Nope")),
    Wanted("java.lang:type=Threading", ("ThreadCount",)),
    Wanted("nobody:*", ("Nothing",)),
)


@pytest.mark.parametrize("image", cases("jvm11", "jvm25", "shellless", long=("jvm17", "jvm21")))
def test_every_jvm_is_read_by_its_local_and_its_remote_agent(run_container: RunContainer, image: str) -> None:
    jvm = run_container(image, command=[*FLAGS, OPEN, "-cp", "/opt/load", "Load"])
    # The latter has no shell: nsenter takes this machine's.
    view = ViewKind.ENGINE_HOST if image == "shellless" else ViewKind.INSIDE
    with scene_of(jvm, view) as scene:
        found = agents_of(status_of(scene))
        assert [agent.local for agent in found] == [True, False]
        for agent in found:
            beans = jvm_beans(scene, agent)
            assert beans["java.lang:type=Runtime"]["SpecVersion"] == str(scene.jvm.major)
            assert beans["java.lang:type=Runtime"].keys() == {"SpecVersion", "VmVersion"}
            assert beans.keys() == {"java.lang:type=Runtime", "java.lang:type=Threading"}
            threads = int(str(beans["java.lang:type=Threading"]["ThreadCount"]))
            assert 10 < threads < len(names_of_threads(jvm))
    until("its connections are closed", lambda: connections_of(jvm) == 0)


def jvm_beans(scene: Scene, agent: Agent) -> dict[str, dict[str, str | int | float | None]]:
    beans = Jmx(Exchange(vantages(scene), "JMX"), agent, None).read(PLATFORM)
    assert isinstance(beans, tuple), beans
    return {bean.name: dict(bean.attributes) for bean in beans}


# What there is beside an agent to send bytes by: jre-minimal is a busybox, jdk17-noperl has bash alone.
@pytest.mark.parametrize(("image", "client"), [("jre-minimal", "nc"), ("jdk17-noperl", "bash")])
def test_by_busybox_and_by_bash_alone(
    served: Container, run_container: RunContainer, image: str, client: str
) -> None:
    # Without a JVM: its port is taken in that network.
    sleep = {"entrypoint": ["sleep"], "command": ["600"], "network_mode": f"container:{served.id}"}
    beside = run_container(image, ready=None, ports=(), **sleep)
    with scene_of(served) as scene:
        agent = agents_of(status_of(scene))[0]
    with open_place(parse_target(str(beside.name)), Access(), Journal()) as place:
        assert isinstance(place, ContainerPlace)
        exchange = Exchange([Vantage(place.inside)], "JMX")
        beans = tomcat_beans(Jmx(exchange, agent, None).read(WANTED))
    assert isinstance(beans, TomcatBeans), beans
    assert exchange.client == client
    assert beans.status.named(OWN) is not None


def test_an_unprivileged_user_of_an_ssh_host_names_the_agent(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    start = "ManagementAgent.start jmxremote.port=9012 jmxremote.ssl=false jmxremote.authenticate=false"
    ops = ("jcmd", "--sudo", ssh_jre.target("ops"))
    run = jvmdiag(*ops, *start.split(), home=home)
    assert run.exit_code == 0, run.err
    try:
        plain = ("metrics", ssh_jre.target("plain"), "--interval", "0.1")
        run = jvmdiag(*plain, home=home)
        assert run.exit_code == 0 and "tomcat.threads.max" not in run.out, run.err
        assert "it belongs to user" in run.out.partition("TOMCAT")[2], run.out
        run = jvmdiag(*plain, "--jmx", "9012", home=home)
        assert run.exit_code == 0, run.err
        assert re.search(rf"{OWN} +0 busy +10 threads +of 200", run.out), run.out
    finally:
        jvmdiag(*ops, "ManagementAgent.stop", home=home)
    run = jvmdiag(*plain, "--jmx", "9012", home=home)
    assert "JMX at 127.0.0.1:9012: nobody listens there" in run.out, run.out
