"""Figures of the machine around a JVM, each beside a second source that jvmdiag does not read: ss, nstat, ip, the
engine, prlimit, df, other files of the kernel, and the JVM itself."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.real.containers import SshHost, home_of, left_behind, published_port, snapshot
from tests.real.course import Between, Course, between, rate_of
from tests.real.fixtures import RunContainer
from tests.real.held import stopped
from tests.real.images import Images, load
from tests.real.jvmdiag import argv, environment, jvmdiag
from tests.real.shown import (
    ATTEMPTS,
    Shown,
    checked,
    entries,
    metrics,
    number_in,
    pid_of,
    stalled_s,
    stalled_share,
    stats_of,
    until_connected,
    within,
)

QUOTA_CPUS = 0.5
MEMORY = 600 << 20
PIDS = 200


@pytest.fixture(scope="module")
def busy(session_containers: Any) -> Iterator[Container]:
    """A JVM that computes and collects, with a quota, a memory limit, a limit of processes and one of files. It does
    not go on when these tests are over: what comes behind them has half a core more."""
    from docker.types import Ulimit

    container: Container = session_containers.run(
        "jvm17",
        command=load("--busy", "--churn", java=("-Xmx300m", "-XX:+UseSerialGC", "-Xlog:gc")),
        nano_cpus=int(QUOTA_CPUS * 1e9),
        mem_limit=MEMORY,
        pids_limit=PIDS,
        # Of processes there are limits that no other container of the same user reaches.
        ulimits=[Ulimit(name="nofile", soft=512, hard=1024), Ulimit(name="nproc", soft=20000, hard=30000)],
    )
    yield container
    container.remove(force=True, v=True)


@pytest.fixture(scope="module", params=["host", "inside"])
def watched(
    request: pytest.FixtureRequest, busy: Container, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Shown, Course]:
    """The busy one over three seconds, from the engine's host and from inside, and its memory meanwhile."""
    home = tmp_path_factory.mktemp("home")
    with Course(lambda: memory_of(busy), every_s=0.3) as course:
        return metrics(str(busy.name), "--view", request.param, "--interval", "3", home=home), course


@pytest.fixture(scope="module")
def seen(watched: tuple[Shown, Course]) -> Shown:
    return watched[0]


def memory_of(container: Container) -> dict[str, float]:
    """By the engine, and by the kernel's sum of all mappings of PID 1."""
    stats = stats_of(container)["memory_stats"]
    assert stats["limit"] == MEMORY
    inactive = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
    rollup = Path(f"/proc/{pid_of(container)}/smaps_rollup").read_text()
    return {
        "used": stats["usage"] - inactive,
        "resident": number_in(r"^Rss: +(\d+) kB", rollup) * 1024,
    }


def test_cpu_is_that_of_the_machine_and_its_quota_that_of_the_container(seen: Shown, busy: Container) -> None:
    online = Path("/sys/devices/system/cpu/online").read_text().strip()
    cores = [core for part in online.split(",") for core in _range(part)]
    checked("cpu.count", seen.one("cpu.count"), len(cores), by="/sys/devices/system/cpu/online")
    shares = [seen.one(f"cpu.{state}") for state in ("user", "system", "idle", "iowait", "steal")]
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert {labels.get("core") for labels, _ in seen.all("cpu.idle")} == {None, *map(str, cores)}
    checked("cpu.quota", seen.one("cpu.quota"), QUOTA_CPUS, by="what docker was given")
    allowed = min(len(os.sched_getaffinity(pid_of(busy))), QUOTA_CPUS)
    checked(
        "cpu.jvm.allowed",
        seen.one("cpu.jvm.allowed"),
        allowed,
        by="sched_getaffinity, docker's quota",
    )


def _range(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def test_the_jvm_uses_what_the_engine_says_of_its_container(busy: Container, tmp_path: Path) -> None:
    tasks = Path(f"/proc/{pid_of(busy)}/task")
    [spinning] = [task for task in tasks.iterdir() if (task / "comm").read_text() == "busy-1\n"]

    def counted() -> dict[str, float]:
        cpu = stats_of(busy)["cpu_stats"]
        held_up = cpu["throttling_data"]
        return {
            "used": cpu["cpu_usage"]["total_usage"] / 1e9,
            "spun": int((spinning / "schedstat").read_text().split()[0]) / 1e9,
            "periods": held_up["periods"],
            "held up": held_up["throttled_periods"],
            "for": held_up["throttled_time"] / 1e9,
        }

    for _ in range(ATTEMPTS):
        with Course(counted, every_s=0.3) as course:
            shown = metrics(str(busy.name), "--interval", "3", home=tmp_path)
        # Where others of the machine leave it less than its quota, that holds up nobody.
        if course.rate("for", shown.seconds).low > 0:
            break
    used = course.rate("used", shown.seconds)
    checked("cpu.jvm", shown.one("cpu.jvm"), used, by="docker stats", rel=0.2)
    share = between(used.low / QUOTA_CPUS, used.high / QUOTA_CPUS)
    checked("cpu.jvm.share", shown.one("cpu.jvm.share"), share, by="docker stats", rel=0.2)
    share = course.share("held up", "periods", shown.seconds)
    checked("cpu.throttled_periods", shown.one("cpu.throttled_periods"), share, by="docker stats", rel=0.2)
    held_up = course.rate("for", shown.seconds)
    checked("cpu.throttled", shown.one("cpu.throttled"), held_up, by="docker stats", rel=0.2)
    spun = course.rate("spun", shown.seconds)
    checked("cpu.thread", shown.one("cpu.thread", name="busy-1"), spun, by="its schedstat", rel=0.2)


def test_what_waits_for_a_cpu_is_what_the_kernel_adds_up(busy: Container, tmp_path: Path) -> None:
    """One that its quota holds up waits for a CPU, and has done so for longer than the ten seconds it is about."""
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("this kernel tells no pressure")
    before = stalled_share("cpu")
    with Course(lambda: {"waited": stalled_s("cpu")}) as course:
        began = time.monotonic()
        shown = metrics(str(busy.name), "--interval", "4", home=tmp_path)
    waited = course.mean_of_ten("waited", before, since=began + shown.seconds)
    checked("cpu.pressure", shown.one("cpu.pressure"), waited, by="total of /proc/pressure/cpu", rel=0.1)


def test_the_threads_that_take_the_cpu_are_those_of_a_thread_dump(
    seen: Shown, busy: Container, tmp_path: Path
) -> None:
    threads = {labels["name"]: labels for labels, _ in seen.all("cpu.thread")}
    assert "busy-1" in threads
    run = jvmdiag("jcmd", str(busy.name), "Thread.print", home=tmp_path)
    nid = re.search(r'^"busy-1" .* nid=(\w+)', run.out, re.MULTILINE)
    assert nid and int(nid[1], 0) == int(threads["busy-1"]["tid"])
    # Being asked for threads starts one.
    every = entries(f"/proc/{pid_of(busy)}/task")
    checked(
        "cpu.threads", sum(value for _, value in seen.all("cpu.threads")), every, by="/proc/PID/task", abs=2
    )


def test_memory_is_what_the_engine_and_the_kernel_say_elsewhere(watched: tuple[Shown, Course]) -> None:
    seen, course = watched
    used = course.valued("used")
    checked("memory.cgroup.limit", seen.one("memory.cgroup.limit"), MEMORY, by="docker stats")
    checked("memory.cgroup.used", seen.one("memory.cgroup.used"), used, by="docker stats", rel=0.1)
    share = seen.one("memory.cgroup.used_share")
    part = between(used.low / MEMORY, used.high / MEMORY)
    checked("memory.cgroup.used_share", share, part, by="docker stats", rel=0.1)
    resident = course.valued("resident")
    checked(
        "memory.jvm.resident", seen.one("memory.jvm.resident"), resident, by="/proc/PID/smaps_rollup", rel=0.1
    )


def _prlimit(container: Container, resource: str) -> list[int]:
    """Soft and hard, as the process's own user is told."""
    return [
        int(limit)
        for limit in subprocess.run(
            ["prlimit", "--pid", str(pid_of(container)), f"--{resource}", "--noheadings", "-o", "SOFT,HARD"],
            check=True,
            capture_output=True,
            text=True,
            user=1001,  # whose process it is
            group=1001,
            extra_groups=[],
        ).stdout.split()
    ]


def test_limits_are_those_that_were_given(seen: Shown, busy: Container) -> None:
    # The JVM raises the soft limit to the hard one.
    soft, hard = _prlimit(busy, "nofile")
    assert hard == 1024
    checked("limit.files.soft", seen.one("limit.files.soft"), soft, by="prlimit")
    checked("limit.files.hard", seen.one("limit.files.hard"), hard, by="prlimit")
    files = entries(f"/proc/{pid_of(busy)}/fd")
    checked("limit.files.used", seen.one("limit.files.used"), files, by="/proc/PID/fd by hand", abs=2)
    checked(
        "limit.files.used_share",
        seen.one("limit.files.used_share"),
        files / soft,
        by="/proc/PID/fd, prlimit",
        rel=0.2,
    )
    running = stats_of(busy)["pids_stats"]["current"]
    checked("limit.cgroup.pids.limit", seen.one("limit.cgroup.pids.limit"), PIDS, by="what docker was given")
    checked("limit.cgroup.pids.used", seen.one("limit.cgroup.pids.used"), running, by="docker stats", abs=2)
    share = seen.one("limit.cgroup.pids.used_share")
    checked("limit.cgroup.pids.used_share", share, running / PIDS, by="docker stats", rel=0.2)
    soft, hard = _prlimit(busy, "nproc")
    checked("limit.processes.soft", seen.one("limit.processes.soft"), soft, by="prlimit")
    checked("limit.processes.hard", seen.one("limit.processes.hard"), hard, by="prlimit")
    threads = entries(f"/proc/{pid_of(busy)}/task")
    checked(
        "limit.processes.used",
        seen.one("limit.processes.used"),
        threads,
        by="/proc/PID/task",
        abs=2,
    )
    share = seen.one("limit.processes.used_share")
    checked("limit.processes.used_share", share, threads / soft, by="/proc/PID/task, prlimit", rel=0.2)
    assert seen.verdict("limits").startswith("1,024 open files are little for a server")


def test_the_disk_is_as_df_has_it(seen: Shown, busy: Container) -> None:
    df = subprocess.run(
        ["df", "--block-size=1", "--output=size,used,avail,itotal,iused", f"/proc/{pid_of(busy)}/root/"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()[1].split()  # fmt: skip
    total, used, free, inodes, inodes_used = map(int, df)
    checked("disk.total", seen.one("disk.total", mount="/"), total, by="df")
    checked("disk.used", seen.one("disk.used", mount="/"), used, by="df", rel=0.05)
    checked("disk.free", seen.one("disk.free", mount="/"), free, by="df", rel=0.05)
    checked(
        "disk.used_share", seen.one("disk.used_share", mount="/"), used / (used + free), by="df", rel=0.05
    )
    share = seen.one("disk.inodes_used_share", mount="/")
    checked("disk.inodes_used_share", share, inodes_used / inodes, by="df", rel=0.05)


def test_the_heap_and_its_collections_are_what_the_jvm_says(busy: Container, tmp_path: Path) -> None:
    def logged() -> str:
        return bytes(busy.logs()).decode()

    # The first that is asked of a JVM starts its Attach Listener, a thread that is counted.
    dump = jvmdiag("jcmd", str(busy.name), "Thread.print", home=tmp_path).out
    first = len(pauses(logged(), "Pause Full"))
    shown = metrics(str(busy.name), "--interval", "3", home=tmp_path)
    last = until_logged(lambda: pauses(logged(), "Pause Full"))
    rate, share = rates(last[max(first - 1, 0) :], shown.seconds)
    checked("jvm.gc.major.collections", shown.one("jvm.gc.major.collections"), rate, by="-Xlog:gc", rel=0.1)
    checked("jvm.gc.major.time", shown.one("jvm.gc.major.time"), share, by="-Xlog:gc", rel=0.3)
    info = jvmdiag("jcmd", str(busy.name), "GC.heap_info", home=tmp_path).out
    total = sum(int(kb) * 1024 for kb in re.findall(r"generation +total (\d+)K", info))
    # One of the two survivor spaces is in no total.
    checked("jvm.heap.committed", shown.one("jvm.heap.committed"), total, by="jcmd GC.heap_info", rel=0.3)
    flags = jvmdiag("jcmd", str(busy.name), "VM.flags", home=tmp_path).out
    most = number_in(r"-XX:MaxHeapSize=(\d+)", flags)
    assert most == 300 << 20
    checked("jvm.heap.max", shown.one("jvm.heap.max"), most, by="jcmd VM.flags", rel=0.1)
    # G1, Serial and others bring what is used up to date at a collection, of which there are some each second here.
    used = sum(int(kb) * 1024 for kb in re.findall(r"generation +total \d+K, used (\d+)K", info))
    checked("jvm.heap.used", shown.one("jvm.heap.used"), used, by="jcmd GC.heap_info", rel=0.3)
    checked(
        "jvm.heap.used_share", shown.one("jvm.heap.used_share"), used / most, by="jcmd GC.heap_info", rel=0.3
    )
    names = re.findall(r'^"(.*)" #\d+ ', dump, re.MULTILINE)
    # HotSpot's own, which java.lang.management does not show.
    hidden = re.compile(r"C[12] CompilerThread|Sweeper thread|Service Thread|Monitor Deflation")
    visible = sum(1 for name in names if not hidden.match(name))
    checked("jvm.threads", shown.one("jvm.threads"), visible, by="a thread dump")


def pauses(log: str, what: str) -> list[tuple[float, float]]:
    """Each that a JVM's log has a line of: when it was over, by the JVM's own clock, and how long it took."""
    lines = re.findall(rf"^\[([\d.]+)s\].*{what}.* ([\d.]+)ms$", log, re.MULTILINE)
    return [(float(at), float(ms) / 1000) for at, ms in lines]


Events = list[tuple[float, float]]


def until_logged(events: Callable[[], Events]) -> Events:
    """What there was until now, and one more: the log comes through the engine, in its time."""
    known, until = len(events()), time.monotonic() + 60
    while len(found := events()) == known:
        assert time.monotonic() < until, "the JVM logs nothing more"
        time.sleep(0.05)
    return found


def rates(events: Events, seconds: float) -> tuple[Between, Between]:
    """How many each second, and how much of the time they took: the JVM counts one when it begins, and its time when it
    is over."""
    return rate_of([(at - took, 1) for at, took in events], seconds), rate_of(events, seconds)


@contextmanager
def asked_again_and_again(container: Container, callers: int = 2) -> Iterator[None]:
    """Each of so many callers asks for a page, 50 times a second at most."""
    over, port = threading.Event(), published_port(container)

    def ask() -> None:
        while not over.wait(0.02):
            # Where packets are lost, who is unlucky waits twice as long each time.
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=180)) as caller:
                caller.request("GET", "/")
                caller.getresponse().read()

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_traffic_is_what_ip_and_nstat_count_in_its_namespace(tomcat_jre: Container, tmp_path: Path) -> None:
    def counted() -> dict[str, float]:
        [eth0] = [
            one for one in json.loads(within(tomcat_jre, "ip", "-s", "-j", "link")) if one["ifname"] == "eth0"
        ]
        segments = within(tomcat_jre, "nstat", "-asz", "TcpOutSegs", "TcpInSegs")
        way = {name: eth0["stats64"][name]["bytes"] for name in ("rx", "tx")}
        return way | {name: number_in(rf"{name} +(\d+)", segments) for name in ("TcpOutSegs", "TcpInSegs")}

    with asked_again_and_again(tomcat_jre):
        for _ in range(ATTEMPTS):
            with Course(counted) as course:
                shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
            # Who answers few requests may take too little CPU time to be shown, or be at one when it is looked.
            if waiting := answering(shown):
                break
    received, sent, segments, came = (
        course.rate(name, shown.seconds) for name in ("rx", "tx", "TcpOutSegs", "TcpInSegs")
    )
    ours = shown.one("network.received", interface="eth0")
    checked("network.received", ours, received, by="ip -s link", rel=0.1)
    checked("network.sent", shown.one("network.sent", interface="eth0"), sent, by="ip -s link", rel=0.1)
    checked("tcp.segments_out", shown.one("tcp.segments_out"), segments, by="nstat", rel=0.1)
    checked("tcp.segments_in", shown.one("tcp.segments_in"), came, by="nstat", rel=0.1)
    assert shown.one("network.receive_drops", interface="eth0") == 0
    # Those that answer wait for the next request, with what they did to be seen beside it.
    tasks = Path(f"/proc/{pid_of(tomcat_jre)}/root/proc/1/task")
    assert waiting == {tid: _waits_in(tasks / tid) for tid in waiting}
    assert any("futex" in wchan for wchan in waiting.values())


def answering(shown: Shown) -> dict[str, str]:
    """Where in the kernel the threads wait that answer a Tomcat's requests, of those that took CPU time."""
    return {
        labels["tid"]: labels["wchan"]
        for labels, _ in shown.all("cpu.thread")
        if labels["wchan"] and labels["state"] == "S" and labels["name"].startswith("http-nio-8080-e")
    }


def _waits_in(task: Path) -> str:
    """Where in the kernel it waits, once it does."""
    until = time.monotonic() + 60
    while (wchan := (task / "wchan").read_text()) == "0":
        assert time.monotonic() < until, f"{task} never waits"
        time.sleep(0.01)
    return wchan


def test_connections_are_those_that_ss_lists(tomcat_jre: Container, tmp_path: Path) -> None:
    port = published_port(tomcat_jre)
    for _ in range(ATTEMPTS):
        with ExitStack() as stack:
            for _ in range(7):
                stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            # Whoever publishes the port connects in their own time, and those of before go in theirs.
            until_connected(tomcat_jre, 7)
            shown = metrics(str(tomcat_jre.name), "--no-threads", home=tmp_path)
            listed = [line.split() for line in within(tomcat_jre, "ss", "-tanH").splitlines()]
        established = [fields for fields in listed if fields[0] == "ESTAB" and fields[3].endswith(":8080")]
        # Tomcat ends a connection that has asked for nothing for 20 s.
        if len(established) == 7:
            break
    assert len(established) == 7
    open_ = sum(fields[0] == "ESTAB" for fields in listed)
    checked("connections", shown.one("connections", state="ESTABLISHED"), open_, by="ss -tan")
    assert shown.one("connections", state="LISTEN") == sum(fields[0] == "LISTEN" for fields in listed)
    remote = {(labels["port"], labels["address"]): value for labels, value in shown.all("connections.remote")}
    address = established[0][4].rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]")
    assert set(remote) == {("8080", address)}
    checked("connections.remote", remote["8080", address], 7, by="ss -tan")
    checked("tcp.established", shown.one("tcp.established"), open_, by="ss -tan")
    checked("tomcat.connections", shown.one("tomcat.connections"), len(established), by="ss -tan")


def test_lost_packets_are_seen_as_retransmits(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("tomcat-jre")

    def counted() -> dict[str, float]:
        said = within(container, "nstat", "-asz", "TcpRetransSegs", "TcpOutSegs")
        return {name: number_in(rf"{name} +(\d+)", said) for name in ("TcpRetransSegs", "TcpOutSegs")}

    # Every third packet that goes out is dropped behind TCP's back; of one that is an ACK alone nobody notices.
    rule = ["-o", "eth0", "-m", "statistic", "--mode", "nth", "--every", "3", "--packet", "0", "-j", "DROP"]
    with asked_again_and_again(container, callers=20):
        within(container, "iptables", "-A", "OUTPUT", *rule)
        until = time.monotonic() + 60
        while not counted()["TcpRetransSegs"]:
            assert time.monotonic() < until, "nothing is sent again"
            time.sleep(0.05)
        for _ in range(ATTEMPTS):
            with Course(counted) as course:
                shown = metrics(str(container.name), "--interval", "4", home=tmp_path)
            # Of fewer segments there is no share; who has lost one waits, and the more of them in a row the longer.
            if course.rate("TcpOutSegs", shown.seconds).low * shown.seconds >= 100:
                break
        within(container, "iptables", "-D", "OUTPUT", *rule)
    again = course.rate("TcpRetransSegs", shown.seconds)
    checked("tcp.retransmits", shown.one("tcp.retransmits"), again, by="nstat", rel=0.2)
    share, ever = shown.one("tcp.retransmit_share"), shown.one("tcp.retransmit_share_since_boot")
    again = course.share("TcpRetransSegs", "TcpOutSegs", shown.seconds)
    checked("tcp.retransmit_share", share, again, by="nstat", rel=0.2)
    ever_since = (one.values for one in course.samples)
    again = between(*(one["TcpRetransSegs"] / one["TcpOutSegs"] for one in ever_since))
    checked("tcp.retransmit_share_since_boot", ever, again, by="nstat", rel=0.1)
    assert re.fullmatch(r"retransmits \d+\.\d % of segments: unreliable network", shown.verdict("network"))


def waiting_in(container: Container) -> int:
    """Connections to its 8080 that nobody has accepted, by ss."""
    [line] = within(container, "ss", "-tlnH", "sport", "=", ":8080").splitlines()
    return int(line.split()[1])


def test_a_stopped_jvm_is_seen_as_stopped_and_connections_wait(
    run_container: RunContainer, tmp_path: Path
) -> None:
    container = run_container("tomcat-jre")
    pid = pid_of(container)
    # With one thread that goes on it would be the one that accepts.
    with stopped(pid), ExitStack() as stack:
        port = published_port(container)
        for _ in range(60):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        # Whoever publishes the port connects in their own time.
        until = time.monotonic() + 60
        while (waiting := waiting_in(container)) < 60:
            assert time.monotonic() < until, f"{waiting} of 60 wait"
            time.sleep(0.05)
        shown = metrics(str(container.name), home=tmp_path)
        assert waiting_in(container) == waiting
        state = subprocess.run(
            ["ps", "-o", "state=", "-p", str(pid)], check=True, capture_output=True, text=True
        ).stdout.strip()
    assert shown.verdict("jvm").startswith("the process is stopped by a signal")
    assert {labels["state"] for labels, _ in shown.all("cpu.threads")} == {"T"}
    checked("jvm.stopped", shown.one("jvm.stopped"), state == "T", by="ps")
    checked("connections.waiting", shown.one("connections.waiting", port="8080"), waiting, by="ss -tln")
    checked("tomcat.queue", shown.one("tomcat.queue"), waiting, by="ss -tln")
    assert "wait to be accepted" in shown.verdict("network")


def test_a_paused_container_is_seen_as_frozen(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    container.pause()
    try:
        # The engine answers nothing about a container that it holds; whoever is on its machine can look.
        shown = metrics("local://", "--jvm", str(pid_of(container)), home=tmp_path)
        container.reload()
        paused = container.attrs["State"]["Paused"]
    finally:
        container.unpause()
    checked("jvm.frozen", shown.one("jvm.frozen"), paused, by="docker inspect")


def test_nothing_is_needed_there_and_nothing_is_left(tomcat_jre: Container, tmp_path: Path) -> None:
    for tool in ("ps", "ss", "netstat", "top", "curl"):
        code, _ = tomcat_jre.exec_run(["sh", "-c", f"command -v {tool}"])
        assert code != 0, f"{tool} is in the image: it proves nothing"
    before = snapshot(tomcat_jre)
    shown = metrics(str(tomcat_jre.name), "--view", "inside", "--no-threads", home=tmp_path)
    assert all(group["verdict"]["level"] != "unknown" for group in shown.groups.values())
    assert left_behind(tomcat_jre, before) == []


def test_busybox_is_enough(shared: Callable[[str], Container], tmp_path: Path) -> None:
    container = shared("jre-minimal")
    inside, outside = (
        metrics(str(container.name), "--view", view, home=tmp_path) for view in ("inside", "host")
    )
    assert [group["unseen"] for group in inside.groups.values() if group["unseen"]] == []
    # Some come of an access, of CPU time or of a wait that there may not be within a second.
    odd = {"disk.await", "cpu.thread", "cpu.uninterruptible", "tcp.retransmit_share"}
    assert inside.names ^ outside.names <= odd


def test_without_a_shell_the_sidecar_looks(shellless: Container, images: Images, tmp_path: Path) -> None:
    before = snapshot(shellless)
    options = ("--view", "sidecar", "--jdk-image", images.get("jdk17"))
    shown = metrics(str(shellless.name), *options, home=tmp_path)
    assert [group["unseen"] for group in shown.groups.values() if group["unseen"]] == []
    assert shown.one("limit.files.used") == pytest.approx(entries(f"/proc/{pid_of(shellless)}/fd"), abs=2)
    assert shown.one("connections", state="LISTEN") == 1
    assert left_behind(shellless, before) == []


def test_an_unprivileged_user_is_told_what_is_not_seen(ssh_jre: SshHost, tmp_path: Path) -> None:
    shown = metrics(ssh_jre.target("plain"), "--accept-new-host-key", home=home_of(ssh_jre, tmp_path))
    assert shown.one("cpu.count") == os.cpu_count()
    assert shown.one("connections", state="LISTEN") >= 2
    assert shown.one("limit.files.soft") > 0
    unseen = [line for group in shown.groups.values() for line in group["unseen"]]
    assert any(line.startswith("open files: /proc/PID/fd") for line in unseen)
    assert any(line.startswith("on which ports the JVM listens") for line in unseen)
    assert any(line.startswith("the access log: whose user it is, and root, alone") for line in unseen)
    assert "requests.rate" not in shown.names


def test_a_place_without_a_jvm_is_a_machine_all_the_same(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17", ready=None, ports=(), entrypoint=["sleep", "600"], command=[])
    shown = metrics(str(container.name), home=tmp_path)
    assert shown.one("memory.total") > 0
    assert shown.groups["jvm"]["unseen"] == ["no JVM was found here"]
    run = jvmdiag("metrics", str(container.name), "--jvm", "1", home=tmp_path)
    assert run.exit_code != 0


def test_a_jvm_that_ends_meanwhile_is_said_to_have_ended(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("jvm17")
    words = ("metrics", str(container.name), "--count", "60", "--interval", "0.5")
    with subprocess.Popen(
        argv(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    ) as running:
        assert running.stdout
        head, *_ = (running.stdout.readline() for _ in range(3))
        assert head.startswith("TIME")
        container.kill()
        _, said = running.communicate(timeout=60)
    assert running.returncode == 32, said
    assert "ended while it was being looked at" in said


def test_json_lines_and_rows_come_one_for_each_interval(busy: Container, tmp_path: Path) -> None:
    options = ("--count", "3", "--interval", "0.5")
    lines = jvmdiag("metrics", str(busy.name), "--json", *options, home=tmp_path).out.splitlines()
    assert [json.loads(line)["schema"] for line in lines] == ["jvmdiag.metrics/1"] * 3
    rows = jvmdiag("metrics", str(busy.name), *options, home=tmp_path).out.splitlines()
    assert len(rows) == 4 and rows[0].startswith("TIME")


def test_prometheus_reads_it(busy: Container, tmp_path: Path) -> None:
    run = jvmdiag("metrics", str(busy.name), "--format", "openmetrics", home=tmp_path)
    families = {f.name: f for f in text_string_to_metric_families(run.out)}  # type: ignore[no-untyped-call]
    assert families["jvmdiag_cpu_quota"].samples[0].value == QUOTA_CPUS
    assert families["jvmdiag_cpu_quota"].samples[0].labels == {"target": f"docker://{busy.name}"}
    assert len(families) > 60


def test_the_screen_is_painted_and_ctrl_c_ends_it_well(busy: Container, tmp_path: Path) -> None:
    import pty

    from tests.real.terminal import read_until

    leader, follower = pty.openpty()
    process = subprocess.Popen(
        argv("metrics", str(busy.name), "--watch", "--interval", "0.5"),
        stdin=follower, stdout=follower, stderr=follower, env=environment(tmp_path) | {"TERM": "xterm"},
        start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    shown = read_until(leader, "MEMORY") + read_until(leader, "busy-1") + read_until(leader, "MEMORY")
    process.send_signal(signal.SIGINT)
    shown += read_until(leader, "\x1b[?1049l")
    assert process.wait(60) == 0
    os.close(leader)
    assert "interrupted" not in shown
