"""The rules of thumb: their form, and that each says what it is about."""

from __future__ import annotations

import re

import pytest

from jvmdiag.metrics.catalogue import described
from jvmdiag.metrics.figure import Figure, Group, Level, Verdict, figure
from jvmdiag.metrics.rules import Rule, judged, parse_rules, rules


def names_in(text: str) -> set[str]:
    return {name.partition(":")[0] for name in re.findall(r"\{([^}]+)\}", text)}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.group}-{rule.when[0].name}")
def test_a_rule_is_about_figures_of_the_catalogue(rule: Rule) -> None:
    assert described()[rule.when[0].name].group == rule.group
    assert all(condition.name in described() for condition in rule.when)
    for name in names_in(rule.text + rule.advice):
        figure_name, _, label = name.rpartition(".")
        assert name in described() or label in described()[figure_name].labels


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.group}-{rule.when[0].name}")
def test_a_rule_holds_beyond_its_thresholds_and_not_at_them(rule: Rule) -> None:
    beyond = figures_for(rule, 1e-6)
    verdict = rule.verdict(beyond)
    assert verdict is not None
    assert verdict.level is rule.level
    assert "{" not in verdict.text + verdict.advice
    assert "?" not in verdict.text
    assert rule.verdict(figures_for(rule, 0.0)) is None
    assert rule.verdict([]) is None


def figures_for(rule: Rule, beyond: float) -> list[Figure]:
    """Those that the rule is about, each so far beyond its threshold; what is only shown is 1."""
    values = {name: 1.0 for name in names_in(rule.text + rule.advice) if name in described()}
    values |= {one.name: one.threshold + (beyond if one.more else -beyond) for one in rule.when}
    return [
        figure(name, value, **dict.fromkeys(described()[name].labels, "x")) for name, value in values.items()
    ]


def test_every_group_ends_with_rules_that_hold_where_nothing_is_wrong() -> None:
    last = {rule.group: rule.level for rule in rules()}
    assert set(last) == {one.group for one in described().values()}
    assert set(last.values()) == {Level.FINE}


def test_trouble_comes_before_what_is_fine() -> None:
    order = [Level.TROUBLE, Level.NOTICE, Level.FINE]
    for group in {rule.group for rule in rules()}:
        levels = [rule.level for rule in rules() if rule.group == group]
        if group != "cpu":  # where a short CPU is told from one that is short for moments
            assert levels == sorted(levels, key=order.index)


@pytest.mark.parametrize(
    ("group", "figures", "level", "said"),
    [
        (
            "cpu",
            {"load.1m": 0.4, "load.per_cpu": 0.2, "cpu.count": 2},
            Level.FINE,
            "load 0.4 on 2 CPUs: they have time",
        ),
        (
            "cpu",
            {"load.1m": 9, "load.per_cpu": 4.5, "cpu.count": 2, "cpu.idle": 0.01},
            Level.TROUBLE,
            "CPU is what is short",
        ),
        (
            "cpu",
            {"load.1m": 9, "load.per_cpu": 4.5, "cpu.count": 2, "cpu.idle": 0.9, "cpu.blocked": 8},
            Level.TROUBLE,
            "I/O is what is short",
        ),
        (
            "cpu",
            {"cpu.throttled_periods": 0.5, "cpu.throttled": 0.01, "load.1m": 0.4, "cpu.count": 2},
            Level.NOTICE,
            "holds the container up in 50.0 % of its periods",
        ),
        (
            "cpu",
            {"load.1m": 4.2, "load.per_cpu": 2.1, "cpu.count": 2, "cpu.idle": 0.16},
            Level.NOTICE,
            "of which 16.0 % are idle: CPU is nearly what is short",
        ),
        (
            "network",
            {"tcp.retransmit_share": 0.031, "tcp.retransmits": 30, "tcp.established": 5},
            Level.TROUBLE,
            "retransmits 3.1 % of segments: unreliable network",
        ),
        (
            "network",
            {"tcp.retransmit_share": 0.001, "tcp.established": 5},
            Level.FINE,
            "retransmits 0.1 % of segments",
        ),
        (
            "limits",
            {"limit.files.used": 1000, "limit.files.soft": 1024, "limit.files.used_share": 0.977},
            Level.TROUBLE,
            "1,000 of 1,024 open files",
        ),
        (
            "network",
            {"tcp.retransmit_share_since_boot": 0.03, "tcp.established": 5},
            Level.NOTICE,
            "too few just now to judge the way by",
        ),
        (
            "jvm",
            {
                "jvm.gc.major.time": 0.3,
                "jvm.heap.used": 2e7,
                "jvm.heap.max": 3e8,
                "jvm.heap.used_share": 0.07,
            },
            Level.TROUBLE,
            "not for want of heap",
        ),
        ("jvm", {"jvm.stopped": 1, "jvm.heap.used": 5}, Level.TROUBLE, "stopped by a signal"),
    ],
)
def test_what_the_study_says(group: str, figures: dict[str, float], level: Level, said: str) -> None:
    verdict = verdict_on(group, tuple(figure(name, value) for name, value in figures.items()))
    assert verdict is not None
    assert verdict.level is level
    assert said in verdict.text


LOW = {"load.1m": 0.4, "load.per_cpu": 0.2}
HIGH = {"load.1m": 9.0, "load.per_cpu": 4.5}
FELL = {"requests.now": 12.0, "requests.before": 118.0, "requests.share": 12 / 118}
NO_WAY = {"swap.in": 0, "swap.out": 0, "jvm.gc.major.time": 0, "cpu.idle": 0.9, "cpu.blocked": 0}


@pytest.mark.parametrize(
    ("beside", "said", "advice"),
    [
        (
            LOW,
            "load 0.4, requests down to 12 from 118 a second: it waits - look at I/O, locks, and what it calls",
            "jvmdiag threaddump TARGET --count 3",
        ),
        ({**LOW, "tomcat.threads.busy": 40}, "it waits - look at I/O", "threaddump"),
        ({**LOW, "tomcat.threads.busy": 1}, "they do not arrive", "load balancer"),
        # Whoever has the load, it is not this Tomcat.
        ({**HIGH, "tomcat.threads.busy": 0}, "they do not arrive", "load balancer"),
        ({**LOW, "tomcat.threads.busy_share": 1.0}, "all threads of http-nio-8080 are busy", "threaddump"),
        (
            {**HIGH, "cpu.idle": 0.01},
            "load 9, requests down to 12 from 118 a second: CPU is what is short",
            "",
        ),
        ({**HIGH, "cpu.idle": 0.01, "tomcat.threads.busy_share": 1.0}, "CPU is what is short", "threaddump"),
        ({**LOW, "cpu.iowait": 0.6, "tomcat.threads.busy_share": 1.0}, "CPUs wait for I/O", "disk"),
        (
            {**LOW, "requests.rate": 12, "requests.errors.rate": 12, "requests.errors.share": 1},
            "100.0 % of 12 requests a second end with an error",
            "log of the application",
        ),
        ({**HIGH, "swap.in": 2e6}, "memory is or was short, 2.0 MB a second come from swap", "swaps"),
        ({**HIGH, "swap.out": 2e6}, "memory is short, 2.0 MB a second go to swap", "swaps"),
        ({**HIGH, "cpu.blocked": 8}, "8 wait for a disk", "disk"),
        ({**LOW, "jvm.gc.major.time": 0.4}, "full collections take 40.0 % of the time", "histogram"),
        ({**LOW, "cpu.throttled_periods": 0.5, "cpu.throttled": 0.4}, "the CPU quota", "--cpus"),
        ({**LOW, "cpu.jvm.share": 0.97, "cpu.jvm.allowed": 1}, "takes all of the 1 CPUs", "threaddump"),
        ({**LOW, "cpu.iowait": 0.6}, "CPUs wait for I/O 60.0 % of the time", "disk"),
        ({**LOW, "jvm.stopped": 1}, "the process is stopped", "CONT"),
        ({**LOW, "jvm.frozen": 1}, "the container is paused", "unpause"),
        (
            {"load.1m": 2, "load.per_cpu": 1},
            "load 2, requests down to 12 from 118 a second",
            "threaddump",
        ),
    ],
)
def test_requests_that_fell_are_judged_with_the_load(
    beside: dict[str, float], said: str, advice: str
) -> None:
    groups = (
        Group("requests", tuple(figure(name, value, source="access log") for name, value in FELL.items())),
        Group("cpu", tuple(labelled(name, value) for name, value in {**NO_WAY, **beside}.items())),
    )
    verdict = judged(groups)[0].verdict
    assert verdict is not None and verdict.level is Level.TROUBLE
    assert said in verdict.text
    assert advice in verdict.advice


def labelled(name: str, value: float) -> Figure:
    labels = {"connector": "http-nio-8080"} if "connector" in described()[name].labels else {}
    return figure(name, value, **labels)


@pytest.mark.parametrize(
    ("figures", "level", "said"),
    [
        (
            {"requests.now": 60, "requests.before": 118, "requests.share": 60 / 118},
            Level.FINE,
            "118 before",
        ),
        (
            {"requests.now": 300, "requests.before": 100, "requests.share": 3},
            Level.NOTICE,
            "up to 300 from 100",
        ),
        (
            {
                "requests.now": 12,
                "requests.before": 13,
                "requests.share": 0.9,
                "requests.hour": 118,
                "requests.hour.share": 0.1,
            },
            Level.NOTICE,
            "12 requests a second, 13 in the minutes before, and 118 in a quarter of the last hour",
        ),
        (
            {"requests.rate": 0.2, "requests.age": 4},
            Level.FINE,
            "0.2 requests a second; what is known",
        ),
        (
            {"requests.rate": 20, "requests.errors.rate": 2},
            Level.NOTICE,
            "2.0 of 20 requests a second end with",
        ),
        (
            {"requests.age": 90, "tomcat.connections": 3},
            Level.NOTICE,
            "no request was logged for 1m 30s, with 3",
        ),
        ({"requests.age": 90, "tomcat.threads.busy": 3}, Level.NOTICE, "1m 30s, and 3 threads are busy"),
        ({"requests.age": 90, "tomcat.connections": 0, "tomcat.threads.busy": 0}, Level.FINE, "1m 30s ago"),
        # The reading of the manager's page itself.
        ({"requests.age": 90, "tomcat.connections": 0, "tomcat.threads.busy": 1}, Level.FINE, "1m 30s ago"),
        (
            {"requests.rate": 0.8, "requests.errors.rate": 0.7, "requests.errors.share": 0.875},
            Level.TROUBLE,
            "87.5 % of 0.8 requests a second end with an error",
        ),
        (
            {"requests.rate": 2, "requests.errors.rate": 0.2, "requests.errors.share": 0.1},
            Level.NOTICE,
            "10.0 % of 2.0 requests a second end with an error",
        ),
        # One that fails, among few.
        (
            {"requests.rate": 0.1, "requests.errors.rate": 0.02, "requests.errors.share": 0.17},
            Level.FINE,
            "0.1 requests a second",
        ),
    ],
)
def test_requests_that_did_not_fall(figures: dict[str, float], level: Level, said: str) -> None:
    verdict = verdict_on(
        "requests", tuple(labelled(name, value) for name, value in {**LOW, **figures}.items())
    )
    assert verdict is not None and verdict.level is level
    assert said in verdict.text


def test_one_source_that_fell_is_enough() -> None:
    well = (
        figure("requests.now", 50, source="apache"),
        figure("requests.before", 50, source="apache"),
        figure("requests.share", 1, source="apache"),
    )
    fell = tuple(figure(name, value, source="connector a") for name, value in FELL.items())
    verdict = verdict_on("requests", (*well, *fell, figure("load.1m", 0.4), figure("load.per_cpu", 0.2)))
    assert verdict is not None and "down to 12 from 118" in verdict.text


@pytest.mark.parametrize(("share", "level"), [(1.0, Level.TROUBLE), (0.2, Level.FINE)])
def test_a_request_that_passes_the_queue_of_an_executor_with_idle_threads_does_not_wait(
    share: float, level: Level
) -> None:
    pool = {"tomcat.executor.queue": 1, "tomcat.executor.threads": 10, "tomcat.executor.busy_share": share}
    verdict = verdict_on(
        "tomcat",
        (
            *(figure(name, value, executor="shared") for name, value in pool.items()),
            figure("tomcat.threads.busy", 2, connector="a"),
            figure("tomcat.threads.current", 10, connector="a"),
        ),
    )
    assert verdict is not None and verdict.level is level


def test_the_whole_counts_before_its_parts() -> None:
    figures = (
        figure("cpu.iowait", 0.1),
        figure("cpu.iowait", 0.5, core="1"),
        figure("load.1m", 1),
        figure("cpu.count", 4),
    )
    verdict = verdict_on("cpu", figures)
    assert verdict is not None and "wait for I/O" not in verdict.text


def test_a_verdict_is_about_one_connector() -> None:
    figures = (
        figure("tomcat.threads.busy", 10, connector="a"),
        figure("tomcat.threads.max", 10, connector="a"),
        figure("tomcat.threads.busy_share", 1, connector="a"),
        figure("tomcat.threads.busy", 20, connector="b"),
        figure("tomcat.threads.max", 200, connector="b"),
        figure("tomcat.threads.busy_share", 0.1, connector="b"),
    )
    verdict = verdict_on("tomcat", figures)
    assert verdict is not None and verdict.text == "10 of 10 threads of a are busy: requests wait"


def test_one_slow_disk_and_another_that_is_busy_are_no_disk_in_trouble() -> None:
    busy = (figure("disk.busy", 1, device="a"), figure("disk.await", 0.001, device="a"))
    slow = (figure("disk.busy", 0.92, device="b"), figure("disk.await", 0.08, device="b"))
    idle = (figure("disk.busy", 0.1, device="b"), slow[1])
    room = figure("disk.used_share", 0.1, mount="/", type="xfs")
    neither, one = (verdict_on("disk", (*busy, *other, room)) for other in (idle, slow))
    assert neither is not None and neither.level is Level.FINE
    assert one is not None and one.text == "b is busy 92.0 % of the time, an access takes 80 ms"


def verdict_on(group: str, figures: tuple[Figure, ...]) -> Verdict | None:
    return judged([Group(group, figures)])[0].verdict


def test_nothing_seen_is_no_good_news() -> None:
    verdict = verdict_on("jvm", ())
    assert verdict is not None and verdict.level is Level.UNKNOWN


@pytest.mark.parametrize(
    "text", ["cpu bad: a > 1\n  x", "cpu fine: a = 1\n  x", "cpu fine: a > 1", "cpu fine: a > 1\n  x\n  y"]
)
def test_what_is_no_rule_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="no rule"):
        parse_rules(text)
