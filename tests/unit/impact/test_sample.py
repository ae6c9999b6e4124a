"""Reading what the kernel prints."""

from __future__ import annotations

from jvmdiag.impact.sample import Sample, parse_sample

STAT = "17 (java (x) y) S 1 17 17 0 -1 4194560 22042 0 99 0 1234 66 0 0 20 0 37 0 11 4628 1"
TEXT = f"""4711.25 8470.01
{STAT}
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:     100      1    0    0    0 0 0 0      100       1    0    0    0     0       0          0
  eth0:    2000     10    0    0    0 0 0 0    30000      20    0    0    0     0       0          0
Tcp: RtoAlgorithm MaxConn CurrEstab RetransSegs
Tcp: 1 -1 12 34
TcpExt: SyncookiesSent ListenDrops TCPOrigDataSent
TcpExt: 0 4 5000
0.09 0.10 0.04 2/93 4687
"""
THROTTLED_V1 = "nr_periods 9\nnr_throttled 3\nthrottled_time 2500000000\n"
THROTTLED_V2 = "usage_usec 1\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500000\n"
DISKS = """   7       0 loop0 1 0 9 0 0 0 999 0 0 99000 0
 254       0 vda 149824 28157 6604946 119829 155067 133993 2000 784619 0 65792 941671
 254       1 vda1 149824 28157 6604946 119829 155067 133993 2000 784619 0 65792 941671
 259       0 nvme0n1 1 0 8 0 1 0 1000 0 0 10 10
"""


def test_every_figure_is_read() -> None:
    assert parse_sample(TEXT + THROTTLED_V1 + DISKS) == Sample(
        uptime_s=4711.25,
        cpu_s=13.0,
        segments_out=5000,
        received_bytes=2100,
        sent_bytes=30100,
        connections_dropped=4,
        throttled_s=2.5,
        established=12,
        resent=34,
        running=2,
        disk_busy_s=65.792,
        disk_written_bytes=3000 * 512,
    )


def test_both_versions_of_cgroups_are_read() -> None:
    v1, v2 = parse_sample(TEXT + THROTTLED_V1), parse_sample(TEXT + THROTTLED_V2)
    assert v1 and v2
    assert v1.throttled_s == v2.throttled_s == 2.5


def test_what_is_missing_is_none_and_a_process_that_ended_is_no_sample() -> None:
    bare = parse_sample(f"4711.25 1.0\n{STAT}\n")
    assert bare == Sample(4711.25, 13.0, None, 0, 0, None, None, None, None, None)
    assert parse_sample("4711.25 1.0\n") is None
    assert parse_sample("") is None
