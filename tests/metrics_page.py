"""docs/reference/metrics.md, made from the catalogue of figures and the rules; scripts/reference writes it."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.metrics.catalogue import Described, described
from jvmdiag.metrics.rules import Rule, rules

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "metrics.md"
_HEAD = """# Metrics

Written by `scripts/reference` from `jvmdiag/metrics/catalogue.txt` and `rules.txt`: do not edit it here.

`jvmdiag metrics` takes two looks, and makes every figure of the two. "Between the looks" is the difference of a
counter; "time" is the time between them by the target's own clock. A share is from 0 to 1; texts show a percentage.
`--json` has every figure, the text what a person looks at. In OpenMetrics a name is `jvmdiag_` and the name with `_`
for dots.

One look is one command: a shell that reads files of `/proc` and `/sys/fs/cgroup`. `/proc/PID` is that of the JVM, so
the network is that of its container; CPU, load, memory and disks of the machine are the machine's. What is dear
(sockets, processes, the room of the mounts) is read once in five seconds. A look takes 5 ms of CPU time,
one of all that 25 (with 200 processes); of 3,000 threads each takes 80 ms, and 1 MB comes here. Of more
than 20,000 TCP sockets the table is not read.

Of Tomcat the manager's page is read where `--tomcat-user` is given; else its MBeans by JMX, where a management agent
runs in the JVM; else a thread dump; else the kernel's names of threads. No agent is ever started. A reading by JMX is
no request; it is three commands, takes 13 to 30 ms of the JVM's CPU time, and starts one of
its `jvm.threads.started`.

`--statsd HOST:PORT` sends the figures that have a Datadog name, as gauges, with `target` and the labels as tags."""
_NAMES = {
    "cpu": "CPU", "memory": "Memory", "network": "Network", "disk": "Disk", "limits": "Limits",
    "jvm": "JVM", "tomcat": "Tomcat", "apache": "Apache httpd",
}  # fmt: skip
_VERDICTS = """## Verdicts

Rules of thumb, in their order: in each group the first that holds is what is said. A condition is about the figure
without labels, or, where there is none, any of those that have some, the largest first; all of a rule is about the
same disk, interface or connector."""


def page() -> str:
    groups = dict.fromkeys(one.group for one in described().values())
    parts = [_HEAD, *(_section(group) for group in groups), _VERDICTS, *(_rules(group) for group in groups)]
    return "\n\n".join(parts) + "\n"


def _section(group: str) -> str:
    rows = [_row(one) for one in described().values() if one.group == group]
    head = "| Figure | Unit | Labels | Source | Formula | Datadog |\n|---|---|---|---|---|---|"
    return f"## {_NAMES[group]}\n\n{head}\n" + "\n".join(rows)


def _row(one: Described) -> str:
    factor = f" × {one.datadog_factor:g}" if one.datadog_factor != 1 else ""
    known = f"`{one.datadog}`{factor}" if one.datadog else ""
    return f"| `{one.name}` | {one.unit} | {', '.join(one.labels)} | {one.source} | {one.formula} | {known} |"


def _rules(group: str) -> str:
    head = "| Where | | is said | and what to do |\n|---|---|---|---|"
    rows = [_rule(rule) for rule in rules() if rule.group == group]
    return f"### {_NAMES[group]}\n\n{head}\n" + "\n".join(rows)


def _rule(rule: Rule) -> str:
    when = " and ".join(f"`{one.name}` {'>' if one.more else '<'} {one.threshold:g}" for one in rule.when)
    return f"| {when} | {rule.level.value} | {rule.text} | {rule.advice} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
