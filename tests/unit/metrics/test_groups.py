"""Figures of looks: each by hand from the same text, and the odd cases."""

from __future__ import annotations

import pytest

from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.cpu import cpu_group
from jvmdiag.metrics.disk import disk_group, points_of
from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.jvm import jvm_group
from jvmdiag.metrics.limits import limits_group
from jvmdiag.metrics.memory import memory_group
from jvmdiag.metrics.network import network_group
from jvmdiag.model import Mount
from tests.unit.metrics.look_case import look_of, recorded

ROOT = Mount("/", "overlay", "overlay", False)


def groups() -> tuple[Group, ...]:
    before, after = recorded("busy")
    return (
        cpu_group(before, after),
        memory_group(before, after),
        network_group(before, after),
        disk_group(before, after, (ROOT,)),
        limits_group(after),
        jvm_group(before, after, 17),
    )


def test_every_figure_that_is_made_is_in_the_catalogue_with_its_labels() -> None:
    for group in groups():
        assert group.figures
        for figure in group.figures:
            about = described()[figure.name]
            assert about.group == group.name
            assert {key for key, _ in figure.labels} <= set(about.labels)


def test_every_figure_of_the_catalogue_is_made() -> None:
    """Those of Tomcat, Apache and requests: beside their parsers. Some take what the recorded JVM did not have."""
    made = {figure.name for group in groups() for figure in group.figures}
    known = {name for name, one in described().items() if one.group not in ("tomcat", "apache", "requests")}
    other_collector = {"jvm.gc.concurrent.collections", "jvm.gc.concurrent.time"}
    missing = known - made - other_collector
    assert missing <= {
        "cpu.uninterruptible",
        "connections.remote",
        "tcp.retransmit_share",
        "tcp.retransmit_share_since_boot",
    }


CORES = "cpu  100 0 50 800 40 0 10 0 0 0\ncpu0 100 0 50 800 40 0 10 0 0 0\n"
LATER = (
    "cpu  160 10 70 880 60 0 20 0 0 0\ncpu0 160 10 70 880 60 0 20 0 0 0\nprocs_running 3\nprocs_blocked 1\n"
)


def test_what_cores_do_is_by_their_ticks() -> None:
    group = cpu_group(look_of(100, system=CORES), look_of(101, system=LATER))
    # 60 + 10 of 200 ticks; 20 + 10; 80; 20.
    assert group.one("cpu.user") == pytest.approx(0.35)
    assert group.one("cpu.system") == pytest.approx(0.15)
    assert group.one("cpu.idle", core="0") == pytest.approx(0.4)
    assert group.one("cpu.iowait") == pytest.approx(0.1)
    assert (group.one("cpu.running"), group.one("cpu.blocked"), group.one("cpu.count")) == (3, 1, 1)


@pytest.mark.parametrize(
    ("cgroup", "quota"),
    [
        ("0 cpu.max 50000 100000\n", 0.5),
        ("0 cpu.max max 100000\n1 cpu.max 150000 100000\n", 1.5),
        ("0 cpu.cfs_quota_us 200000\n0 cpu.cfs_period_us 100000\n", 2.0),
        ("0 cpu.cfs_quota_us -1\n0 cpu.cfs_period_us 100000\n", None),
        ("", None),
    ],
)
def test_the_quota_of_both_versions_of_control_groups(cgroup: str, quota: float | None) -> None:
    assert cpu_group(look_of(100), look_of(101, cgroup=cgroup)).one("cpu.quota") == quota


def cpu_stat(periods: int, times: int, time: str) -> str:
    return f"0 cpu.stat nr_periods {periods}\n0 cpu.stat nr_throttled {times}\n0 cpu.stat {time}\n"


@pytest.mark.parametrize(
    ("cpus", "quota", "allowed"),
    [("0-3,8", "max", 5), ("2", "max", 1), ("0-3", "150000", 1.5), ("", "max", None)],
)
def test_what_the_jvm_may_use_is_its_cpuset_or_its_quota(
    cpus: str, quota: str, allowed: float | None
) -> None:
    process, cgroup = (
        f"1 (java) S {'0 ' * 50}\nCpus_allowed_list:\t{cpus}\n",
        f"0 cpu.max {quota} 100000",
    )
    before, after = (look_of(at_s, process=process, cgroup=cgroup) for at_s in (100, 101))
    group = cpu_group(before, after)
    assert group.one("cpu.jvm.allowed") == allowed


@pytest.mark.parametrize(("clock", "unit"), [("throttled_usec", 10**6), ("throttled_time", 10**9)])
def test_throttling_of_both_versions(clock: str, unit: int) -> None:
    before = look_of(100, cgroup=cpu_stat(100, 10, f"{clock} {unit // 2}"))
    after = look_of(102, cgroup=cpu_stat(120, 15, f"{clock} {unit * 3 // 2}"))
    group = cpu_group(before, after)
    assert group.one("cpu.throttled_periods") == pytest.approx(0.25)
    assert group.one("cpu.throttled") == pytest.approx(0.5)


def test_what_is_held_up_by_a_group_above_is_held_up() -> None:
    above = cpu_stat(100, 60, "throttled_usec 9000000").replace("0 cpu.stat", "1 cpu.stat")
    before = look_of(100, cgroup=cpu_stat(0, 0, "throttled_usec 0") + above)
    above = cpu_stat(120, 70, "throttled_usec 10000000").replace("0 cpu.stat", "1 cpu.stat")
    group = cpu_group(before, look_of(102, cgroup=cpu_stat(0, 0, "throttled_usec 0") + above))
    assert group.one("cpu.throttled_periods") == pytest.approx(0.5)
    assert group.one("cpu.throttled") == pytest.approx(0.5)


def test_memory_of_a_group_is_without_what_can_be_dropped_and_by_the_tightest() -> None:
    own = "0 memory.max max\n0 memory.current 700\n0 memory.stat inactive_file 100\n"
    above = "1 memory.max 1000\n1 memory.current 900\n1 memory.stat inactive_file 600\n"
    group = memory_group(look_of(100), look_of(101, cgroup=own + above))
    assert group.one("memory.cgroup.limit") == 1000
    assert group.one("memory.cgroup.used") == 300


def test_no_limit_is_not_a_large_one() -> None:
    text = "0 memory.limit_in_bytes 9223372036854771712\n0 memory.usage_in_bytes 700\n"
    group = memory_group(look_of(100), look_of(101, cgroup=text))
    assert group.one("memory.cgroup.limit") is None
    assert group.one("memory.cgroup.used") == 700


def test_swap_is_by_pages_of_the_target() -> None:
    # 100 pages are 6,400 kB: of 64 KiB.
    process = "1 (java) S 0 1 1 0 -1 4 1 0 0 0 1 1 0 0 20 0 9 0 50 9 100 18\nVmRSS:\t6400 kB\n"
    before = look_of(100, system="pswpin 10\npswpout 0\n")
    after = look_of(102, system="pswpin 30\npswpout 0\n", process=process)
    assert memory_group(before, after).one("swap.in") == pytest.approx(10 * 65536)


HEADS = "Inter-|   Receive                                                |  Transmit\n face |bytes\n"
TCP = "Tcp: OutSegs RetransSegs CurrEstab\nTcp: {} {} 7\n"


def interface(received: int, dropped: int, overrun: int, sent: int) -> str:
    return f"{HEADS}  eth0: {received} 5 0 {dropped} {overrun} 0 0 0 {sent} 5 0 0 0 0 0 0\n"


def test_rates_of_interfaces_and_retransmits() -> None:
    before = look_of(100, net=interface(1000, 1, 0, 50) + TCP.format(1000, 10))
    after = look_of(102, net=interface(5000, 5, 2, 250) + TCP.format(1200, 16))
    group = network_group(before, after)
    assert group.one("network.received", interface="eth0") == 2000
    assert group.one("network.sent") == 100
    assert group.one("network.receive_drops") == 2
    assert group.one("network.receive_overruns") == 1
    assert group.one("tcp.retransmit_share") == pytest.approx(6 / 200)
    assert group.one("tcp.retransmit_share_since_boot") == pytest.approx(16 / 1200)
    assert group.one("tcp.established") == 7


def test_few_segments_make_no_share() -> None:
    before, after = look_of(100, net=TCP.format(50, 0)), look_of(102, net=TCP.format(149, 9))
    assert network_group(before, after).one("tcp.retransmit_share") is None


ROW = "   {}: {} {} {} 00000000:{:08X} 00:00000000 00000000  1001        0 {} 1 0 100 0 0 10 0\n"


def test_who_is_connected_to_the_ports_of_the_jvm() -> None:
    rows = [
        ROW.format(0, "00000000:1F90", "00000000:0000", "0A", 3, 777),
        ROW.format(1, "0100007F:1F90", "0100007F:C001", "01", 0, 1),
        ROW.format(2, "0100007F:1F90", "0100007F:C002", "08", 0, 2),
        ROW.format(3, "0100007F:1F90", "0300007F:C003", "06", 0, 0),
        # IPv4 in IPv6's clothes.
        ROW.format(
            4, "0000000000000000FFFF00000100007F:1F90", "0000000000000000FFFF00000200007F:C003", "01", 0, 3
        ),
        ROW.format(5, "0100007F:C004", "0100007F:0050", "01", 0, 4),
    ]
    after = look_of(101, sockets="".join(rows), descriptors="l 1 a a 64 Nov 27 20:32 5 -> socket:[777]\n")
    group = network_group(look_of(100), after)
    assert group.one("connections.waiting", port="8080") == 3
    remote = {(f.label("port"), f.label("address")): f.value for f in group.all("connections.remote")}
    assert remote == {("8080", "127.0.0.1"): 2, ("8080", "127.0.0.2"): 1}
    states = {f.label("state"): f.value for f in group.all("connections")}
    assert states == {"ESTABLISHED": 3, "CLOSE_WAIT": 1, "TIME_WAIT": 1, "LISTEN": 1}


def test_a_table_that_was_too_long_to_read_is_said() -> None:
    group = network_group(look_of(100), look_of(101, sockets="many 65000\n", descriptors="x"))
    assert "65000 TCP sockets" in group.unseen[0]


def test_what_is_mounted_over_the_network_is_not_asked_and_said() -> None:
    mounts = (ROOT, Mount("/data", "nfs4", "nas:/", False), Mount("/dev/shm", "tmpfs", "shm", False))
    assert points_of(mounts) == ("/",)
    assert disk_group(look_of(100), look_of(101), mounts).unseen[0].startswith("/data: nfs4")


def test_rooms_of_this_machine_are_asked_and_no_other_containers() -> None:
    other = Mount("/var/lib/docker/overlay2/1f/merged", "overlay", "overlay", False)
    mounts = (
        ROOT,
        other,
        Mount("/system", "ext4", "/dev/sdb", False),
        Mount("/run", "tmpfs", "tmpfs", False),
    )
    assert points_of(mounts) == ("/", "/system")


def test_room_is_as_df_has_it() -> None:
    group = disk_group(look_of(100), look_of(101, rooms="4096 1000 400 300 50 10 /a b\n"), (ROOT,))
    where = {"mount": "/a b"}
    assert group.one("disk.total", **where) == 4096 * 1000
    assert group.one("disk.used", **where) == 4096 * 600
    assert group.one("disk.free", **where) == 4096 * 300
    assert group.one("disk.used_share") == pytest.approx(600 / 900)
    assert group.one("disk.inodes_used_share") == pytest.approx(0.8)


def test_a_disks_wait_is_by_its_accesses() -> None:
    line = " 254       0 vda {} 0 {} {} {} 0 {} {} 0 {} 0 0\n 254  1 vda1 1 2 3 4 5 6 7 8 9 10 11\n"
    before = look_of(100, system=line.format(10, 100, 5, 10, 100, 5, 100))
    after = look_of(102, system=line.format(20, 300, 25, 40, 500, 35, 1100))
    group = disk_group(before, after, ())
    assert group.one("disk.read", device="vda") == 100 * 512
    assert group.one("disk.written") == 200 * 512
    assert group.one("disk.await") == pytest.approx(0.05 / 40)
    assert group.one("disk.busy") == pytest.approx(0.5)
    assert len(list(group.all("disk.busy"))) == 1


LIMITS = """\
Max processes             200                  400                  processes
Max open files            1024                 unlimited            files
"""
JAVA = "(java) S 0 1 1 0 -1 4 1 0 0 0 1 1 0 0 20 0 9 0 50 9 100 18\n"
OWN = f"10 {JAVA}"
OTHER = "1 (sh) S 0 1 1 0 -1 4 1 0 0 0 1 1 0 0 20 0 2 0 50 9 100 18\n"


def test_limits_beside_what_is_used() -> None:
    process = f"1010 {JAVA}Uid:\t1001\t1001\nNSpid:\t1010\t10\n{LIMITS}"
    files = "lrwx------ 1 a a 64 Nov 1 20:32 0 -> /dev/null\nlr-x------ 1 a a 64 Nov 1 20:32 4 -> /x y\n"
    owners = "1001 /p/10\n1001 /p/1\n"
    look = look_of(
        101, 1010, process=process, processes=OWN + OTHER, owners=owners, descriptors=f"total 0\n{files}"
    )
    group = limits_group(look)
    assert (group.one("limit.files.used"), group.one("limit.files.soft"), group.one("limit.files.hard")) == (
        2,
        1024,
        None,
    )
    assert (group.one("limit.processes.used"), group.one("limit.processes.soft")) == (11, 200)
    assert group.one("limit.processes.used_share") == pytest.approx(11 / 200)
    assert group.unseen == ()


def test_what_is_for_others_is_said_and_not_taken_for_nothing() -> None:
    group = limits_group(look_of(101, process="1 (java) S 0 1 1 0 -1 4\n" + LIMITS))
    assert group.one("limit.files.used") is None
    assert group.one("limit.files.soft") == 1024
    assert [line.partition(":")[0] for line in group.unseen] == ["open files", "threads of the JVM's user"]


def test_collections_are_those_between_the_looks() -> None:
    before, after = recorded("busy")
    group = jvm_group(before, after, 17)
    full = group.one("jvm.gc.major.collections")
    assert full is not None and full > 5
    assert 0 < (group.one("jvm.gc.major.time") or 0) < (group.one("jvm.safepoint.time") or 0) < 1
    assert group.one("jvm.heap.max") == pytest.approx(300 * (1 << 20), rel=0.05)


@pytest.mark.parametrize(
    ("cgroup", "frozen"),
    [
        ("0 freezer.state FROZEN\n", 1),
        ("0 freezer.state THAWED\n1 freezer.state FROZEN\n", 0),
        ("0 cgroup.events populated 1\n0 cgroup.events frozen 1\n", 1),
        ("0 cgroup.events populated 1\n0 cgroup.events frozen 0\n", 0),
    ],
)
def test_a_paused_container_is_seen_as_such_in_both_versions(cgroup: str, frozen: int) -> None:
    assert jvm_group(look_of(100), look_of(101, cgroup=cgroup), 17).one("jvm.frozen") == frozen


def test_a_jvm_without_performance_data_says_so() -> None:
    group = jvm_group(look_of(100), look_of(101), 17)
    assert group.unseen[0].startswith("heap and collections")


def test_without_a_jvm_there_are_no_figures_of_one() -> None:
    assert jvm_group(look_of(100, None), look_of(101, None), None).figures == ()
