"""Figures of the machine around a JVM, each beside a second source that jvmdiag does not read: ss, nstat, ip, the
engine, prlimit, df, other files of the kernel, and the JVM itself."""

from __future__ import annotations

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

from tests.real.containers import SshHost, home_of, http_get, left_behind, published_port, snapshot
from tests.real.fixtures import RunContainer
from tests.real.images import Images, load
from tests.real.jvmdiag import argv, environment, jvmdiag

QUOTA_CPUS = 0.5
MEMORY = 600 << 20
PIDS = 200


class Shown:
    """What --json printed, by figure."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.groups = {group["name"]: group for group in document["groups"]}
        self.seconds = float(document["seconds"])

    def all(self, name: str) -> list[tuple[dict[str, str], float]]:
        figures = (figure for group in self.groups.values() for figure in group["figures"])
        return [(dict(figure["labels"]), figure["value"]) for figure in figures if figure["name"] == name]

    def one(self, name: str, **labels: str) -> float:
        found = [value for has, value in self.all(name) if labels.items() <= has.items()]
        assert found, f"no figure {name} {labels}"
        return found[0]

    @property
    def names(self) -> set[str]:
        return {figure["name"] for group in self.groups.values() for figure in group["figures"]}

    def verdict(self, group: str) -> str:
        return str(self.groups[group]["verdict"]["text"])


def metrics(target: str, *options: str, home: Path) -> Shown:
    run = jvmdiag("metrics", target, "--json", *options, home=home)
    assert run.exit_code == 0, run.err
    return Shown(run.document)


def pid_of(container: Container) -> int:
    """Of its PID 1, on this machine."""
    container.reload()
    return int(container.attrs["State"]["Pid"])


def number_in(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return int(found[1])


def stats_of(container: Container) -> dict[str, Any]:
    """What the engine counts of it."""
    stats = container.stats(stream=False)
    assert isinstance(stats, dict)
    return stats


def entries(directory: str) -> int:
    return sum(1 for _ in Path(directory).iterdir())


def within(container: Container, *command: str) -> str:
    """What a command of this machine says in the container's network namespace."""
    argv = ["nsenter", "-t", str(pid_of(container)), "-n", *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def busy(session_containers: Any) -> Container:
    """A JVM that computes and collects, with a quota, a memory limit, a limit of processes and one of files."""
    from docker.types import Ulimit

    container: Container = session_containers.run(
        "jvm17",
        command=load("--busy", "--churn", java=("-Xmx300m", "-XX:+UseSerialGC", "-Xlog:gc")),
        nano_cpus=int(QUOTA_CPUS * 1e9),
        mem_limit=MEMORY,
        pids_limit=PIDS,
        ulimits=[Ulimit(name="nofile", soft=512, hard=1024)],
    )
    return container


@pytest.fixture(scope="module", params=["host", "inside"])
def seen(request: pytest.FixtureRequest, busy: Container, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The busy one over three seconds, from the engine's host and from inside."""
    home = tmp_path_factory.mktemp("home")
    return metrics(str(busy.name), "--view", request.param, "--interval", "3", home=home)


def test_cpu_is_that_of_the_machine_and_its_quota_that_of_the_container(seen: Shown, busy: Container) -> None:
    assert seen.one("cpu.count") == os.cpu_count()
    assert seen.one("load.1m") == pytest.approx(os.getloadavg()[0], abs=1.5)
    shares = [seen.one(f"cpu.{state}") for state in ("user", "system", "idle", "iowait", "steal")]
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert {labels.get("core") for labels, _ in seen.all("cpu.idle")} == {
        None,
        *map(str, range(os.cpu_count() or 0)),
    }
    assert seen.one("cpu.quota") == QUOTA_CPUS


def test_the_jvm_uses_what_the_engine_says_of_its_container(busy: Container, tmp_path: Path) -> None:
    first = stats_of(busy)["cpu_stats"]
    started = time.monotonic()
    shown = metrics(str(busy.name), "--interval", "3", home=tmp_path)
    took = time.monotonic() - started
    last = stats_of(busy)["cpu_stats"]
    own = (last["cpu_usage"]["total_usage"] - first["cpu_usage"]["total_usage"]) / 1e9 / took
    assert shown.one("cpu.jvm") == pytest.approx(own, rel=0.5, abs=0.1)
    assert 0 < shown.one("cpu.jvm") <= QUOTA_CPUS * 1.2
    before, after = (one["throttling_data"] for one in (first, last))
    held_up = after["throttled_periods"] - before["throttled_periods"]
    share = held_up / (after["periods"] - before["periods"])
    assert shown.one("cpu.throttled_periods") == pytest.approx(share, abs=0.4)


def test_the_threads_that_take_the_cpu_are_those_of_a_thread_dump(
    seen: Shown, busy: Container, tmp_path: Path
) -> None:
    threads = {labels["name"]: labels for labels, _ in seen.all("cpu.thread")}
    assert "busy-1" in threads
    run = jvmdiag("jcmd", str(busy.name), "Thread.print", home=tmp_path)
    nid = re.search(r'^"busy-1" .* nid=(\w+)', run.out, re.MULTILINE)
    assert nid and int(nid[1], 0) == int(threads["busy-1"]["tid"])
    every = entries(f"/proc/{pid_of(busy)}/task")
    # Being asked for threads starts one.
    assert sum(value for _, value in seen.all("cpu.threads")) == pytest.approx(every, abs=2)


def test_memory_is_what_the_engine_and_the_kernel_say_elsewhere(seen: Shown, busy: Container) -> None:
    assert seen.one("memory.total") == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    stats = stats_of(busy)["memory_stats"]
    inactive = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
    assert seen.one("memory.cgroup.limit") == stats["limit"] == MEMORY
    assert seen.one("memory.cgroup.used") == pytest.approx(stats["usage"] - inactive, rel=0.2)
    rollup = Path(f"/proc/{pid_of(busy)}/smaps_rollup").read_text()
    resident = number_in(r"^Rss: +(\d+) kB", rollup) * 1024
    assert seen.one("memory.jvm.resident") == pytest.approx(resident, rel=0.1)


def test_limits_are_those_that_were_given(seen: Shown, busy: Container) -> None:
    said = subprocess.run(
        ["prlimit", "--pid", str(pid_of(busy)), "--nofile", "--noheadings", "--output", "SOFT,HARD"],
        check=True,
        capture_output=True,
        text=True,
        user=1001,  # whose process it is
        group=1001,
        extra_groups=[],
    ).stdout.split()
    # The JVM raises the soft limit to the hard one.
    assert [seen.one("limit.files.soft"), seen.one("limit.files.hard")] == [int(limit) for limit in said]
    assert said[1] == "1024"
    assert seen.one("limit.files.used") == pytest.approx(entries(f"/proc/{pid_of(busy)}/fd"), abs=2)
    assert seen.one("limit.cgroup.pids.limit") == PIDS
    assert seen.one("limit.cgroup.pids.used") == pytest.approx(stats_of(busy)["pids_stats"]["current"], abs=2)
    assert seen.one("limit.processes.used") == pytest.approx(entries(f"/proc/{pid_of(busy)}/task"), abs=2)
    assert seen.verdict("limits").startswith("1,024 open files are little for a server")


def test_the_disk_is_as_df_has_it(seen: Shown, busy: Container) -> None:
    df = subprocess.run(
        ["df", "--block-size=1", "--output=size,used,avail,ipcent", f"/proc/{pid_of(busy)}/root/"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()[1].split()  # fmt: skip
    total, used, free = (int(field) for field in df[:3])
    assert seen.one("disk.total", mount="/") == total
    assert seen.one("disk.used", mount="/") == pytest.approx(used, rel=0.05)
    assert seen.one("disk.free", mount="/") == pytest.approx(free, rel=0.05)
    assert seen.one("disk.used_share", mount="/") == pytest.approx(used / (used + free), abs=0.03)
    assert seen.one("disk.inodes_used_share", mount="/") == pytest.approx(int(df[3][:-1]) / 100, abs=0.02)


def test_what_is_written_is_what_the_block_device_counts(busy: Container, tmp_path: Path) -> None:
    disks = sorted(
        path
        for path in Path("/sys/block").iterdir()
        if re.fullmatch(r"vd[a-z]|sd[a-z]|xvd[a-z]|nvme\d+n\d+", path.name)
    )
    if not disks:
        pytest.skip("this machine shows no disk of its own in /sys/block")

    def sectors() -> int:
        return int((disks[0] / "stat").read_text().split()[6])

    over = threading.Event()

    def write() -> None:
        with (tmp_path / "written").open("wb", buffering=0) as file:
            while not over.is_set():
                file.write(b"x" * (1 << 20))
                os.fdatasync(file.fileno())
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        at_rest = sectors()
        while sectors() == at_rest:
            time.sleep(0.02)
        first, started = sectors(), time.monotonic()
        shown = metrics(str(busy.name), "--interval", "3", home=tmp_path)
        rate = (sectors() - first) * 512 / (time.monotonic() - started)
    finally:
        over.set()
        writer.join()
    assert shown.one("disk.written", device=disks[0].name) == pytest.approx(rate, rel=0.6)
    assert shown.one("disk.await", device=disks[0].name) > 0


def test_the_heap_and_its_collections_are_what_the_jvm_says(busy: Container, tmp_path: Path) -> None:
    def logged() -> int:
        return bytes(busy.logs()).count(b"Pause Full")

    # The first that is asked of a JVM starts its Attach Listener, a thread that is counted.
    dump = jvmdiag("jcmd", str(busy.name), "Thread.print", home=tmp_path).out
    first, started = logged(), time.monotonic()
    shown = metrics(str(busy.name), "--interval", "3", home=tmp_path)
    last, took = logged(), time.monotonic() - started
    assert shown.one("jvm.gc.major.collections") == pytest.approx((last - first) / took, rel=0.6)
    assert shown.one("jvm.gc.major.time") > 0.01
    info = jvmdiag("jcmd", str(busy.name), "GC.heap_info", home=tmp_path).out
    total = sum(int(kb) * 1024 for kb in re.findall(r"generation +total (\d+)K", info))
    assert total * 0.9 <= shown.one("jvm.heap.committed") <= total * 1.3
    assert 200 << 20 < shown.one("jvm.heap.max") <= 300 << 20
    names = re.findall(r'^"(.*)" #\d+ ', dump, re.MULTILINE)
    # HotSpot's own, which java.lang.management does not show.
    hidden = re.compile(r"C[12] CompilerThread|Sweeper thread|Service Thread|Monitor Deflation")
    assert shown.one("jvm.threads") == sum(1 for name in names if not hidden.match(name))


@contextmanager
def asked_again_and_again(container: Container, callers: int = 2) -> Iterator[None]:
    """Each of so many callers asks for a page, 50 times a second at most."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            http_get(container, timeout_s=30)

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
    def counted() -> tuple[int, int, int]:
        [eth0] = [
            one for one in json.loads(within(tomcat_jre, "ip", "-s", "-j", "link")) if one["ifname"] == "eth0"
        ]
        sent = number_in(r"TcpOutSegs +(\d+)", within(tomcat_jre, "nstat", "-asz", "TcpOutSegs"))
        return eth0["stats64"]["rx"]["bytes"], eth0["stats64"]["tx"]["bytes"], sent

    with asked_again_and_again(tomcat_jre):
        time.sleep(0.5)
        first, started = counted(), time.monotonic()
        shown = metrics(str(tomcat_jre.name), "--interval", "3", home=tmp_path)
        last, took = counted(), time.monotonic() - started
    received, sent, segments = ((b - a) / took for a, b in zip(first, last, strict=True))
    assert received > 1000 and segments > 10
    assert shown.one("network.received", interface="eth0") == pytest.approx(received, rel=0.5)
    assert shown.one("network.sent", interface="eth0") == pytest.approx(sent, rel=0.5)
    assert shown.one("tcp.segments_out") == pytest.approx(segments, rel=0.5)
    assert shown.one("network.receive_drops", interface="eth0") == 0


def test_connections_are_those_that_ss_lists(tomcat_jre: Container, tmp_path: Path) -> None:
    port = published_port(tomcat_jre)
    with ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        time.sleep(0.3)
        shown = metrics(str(tomcat_jre.name), home=tmp_path)
        listed = [line.split() for line in within(tomcat_jre, "ss", "-tanH").splitlines()]
    established = [fields for fields in listed if fields[0] == "ESTAB" and fields[3].endswith(":8080")]
    assert len(established) == 7
    assert shown.one("connections", state="ESTABLISHED") == sum(fields[0] == "ESTAB" for fields in listed)
    assert shown.one("connections", state="LISTEN") == sum(fields[0] == "LISTEN" for fields in listed)
    remote = {(labels["port"], labels["address"]): value for labels, value in shown.all("connections.remote")}
    address = established[0][4].rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]")
    assert remote == {("8080", address): 7}
    assert shown.one("tcp.established") == shown.one("connections", state="ESTABLISHED")


def test_lost_packets_are_seen_as_retransmits(run_container: RunContainer, tmp_path: Path) -> None:
    container = run_container("tomcat-jre")
    # Every third packet that goes out is dropped behind TCP's back; of one that is an ACK alone nobody notices.
    rule = ["-o", "eth0", "-m", "statistic", "--mode", "nth", "--every", "3", "--packet", "0", "-j", "DROP"]
    with asked_again_and_again(container, callers=20):
        within(container, "iptables", "-A", "OUTPUT", *rule)
        while not number_in(r"TcpRetransSegs +(\d+)", within(container, "nstat", "-asz", "TcpRetransSegs")):
            time.sleep(0.05)
        shown = metrics(str(container.name), "--interval", "4", home=tmp_path)
        counted = within(container, "nstat", "-asz", "TcpRetransSegs", "TcpOutSegs")
        within(container, "iptables", "-D", "OUTPUT", *rule)
    retransmitted, sent = (number_in(rf"{name} +(\d+)", counted) for name in ("TcpRetransSegs", "TcpOutSegs"))
    assert retransmitted > 5
    assert shown.one("tcp.retransmit_share") > 0.02
    assert shown.one("tcp.retransmit_share_since_boot") == pytest.approx(retransmitted / sent, rel=0.5)
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
    os.kill(pid, signal.SIGSTOP)
    try:
        with ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(
                    closing(socket.create_connection(("127.0.0.1", published_port(container))))
                )
            # Whoever publishes the port connects in their own time.
            until = time.monotonic() + 10
            while waiting_in(container) < 60 and time.monotonic() < until:
                time.sleep(0.05)
            shown = metrics(str(container.name), home=tmp_path)
            waiting = waiting_in(container)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert shown.verdict("jvm").startswith("the process is stopped by a signal")
    assert {labels["state"] for labels, _ in shown.all("cpu.threads")} == {"T"}
    assert shown.one("connections.waiting", port="8080") == waiting > 50
    assert "wait to be accepted" in shown.verdict("network")


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
    # Some come of an access or of CPU time that there may not be within a second.
    odd = {"disk.await", "cpu.thread", "tcp.retransmit_share"}
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
    assert process.wait(10) == 0
    os.close(leader)
    assert "interrupted" not in shown
