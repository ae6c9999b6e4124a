"""docs/reference/metrics.md, made from the catalogue, the rules and the tests; scripts/reference writes it."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.metrics.catalogue import Described, described
from jvmdiag.metrics.rules import Rule, rules
from tests.metrics_checks import against

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "metrics.md"
_HEAD = """# Metrics

Written by `scripts/reference` from `jvmdiag/metrics/catalogue.txt`, `rules.txt` and the tests: do not edit it here.

`jvmdiag metrics` takes two looks, and makes every figure of the two. "Between the looks" is the difference of a
counter; "time" is the time between them by the target's own clock. A share is from 0 to 1; texts show a percentage.
`--json` has every figure, the text what a person looks at. In OpenMetrics a name is `jvmdiag_` and the name with `_`
for dots.

One look is one command: a shell that reads files of `/proc` and `/sys/fs/cgroup`. `/proc/PID` is that of the JVM, so
the network is that of its container; CPU, load, memory and disks of the machine are the machine's. What is dear
(sockets, processes, the room of the mounts) is read once in five seconds. A look takes 5 ms of CPU time,
one of all that 25 (with 200 processes); of 3,000 threads each takes 80 ms, and 1 MB comes here. Of more
than 20,000 TCP sockets the table is not read.

**Requests come from Tomcat's access log**, which is found among the JVM's open files by a name with "access" and
"log" in it, in the common log format or what begins like it (`%h %l %u %t "%r" %s`). Its last 4 MiB are read once,
which takes 7 ms of CPU time there; then every five seconds what was added, which takes 3. They are counted by their
stamps and not kept: nothing of a line is shown or stored. How to read the figures:

- Tomcat writes the log every 10 s (`backgroundProcessorDelay`), or when its buffer is full. So a rate ends at the
  newest stamp, which `requests.age` says the age of, and what may still be in the buffer is never counted as
  missing. With a delay of more than 30 s in `server.xml` a log looks silent between two times of writing: set
  `buffered="false"`, or use `--tomcat-user`.
- A request is logged when it **ends**. A Tomcat that hangs logs nothing: after 30 s of that, if 60 requests would
  have come, `requests.now` is 0. In the first 30 s the rate is still that of the time before it hung.
- "Before" is the median of the times before that are as long as "now": a minute, and 15 of them where the log goes
  back so far; with many requests a second 4 MiB are less, and the times are 30 or 10 s long. What fell more
  than 7 minutes ago is what is usual by then: `requests.hour` is the best quarter of the last hour, as far as
  the log was read. Fewer than 1 a second, or 60 in all, are not judged; nor less than half or more than twice, where
  chance may have made it: a page asks for twenty things at once, then nobody for any. It has to be four standard
  deviations away, as neighbouring times differ.
- What was rotated, truncated or more than 4 MiB between two looks is a time of which nothing is known, and not a
  time without requests.
- How long requests took is told where the valve's `pattern` in `conf/server.xml` has `%D` (or `%T` with a fraction,
  `%{ms}T`) behind `%t "%r" %s`. `%D` is read as microseconds where `conf/web.xml` is Jakarta's, from Tomcat 10 on,
  as milliseconds where it is not, and not at all where that file cannot be read. Whole seconds and `%F` are not told.
- A clock of the stamps that is not the target's is said, and the time of the file's last change counts instead.
- Where a look that was to read the log is not answered in time (a slow way, a mount whose server is gone), one
  without it is taken, and the log is left alone for 60 looks.
- Of several logs (one for each `Host`) the one that was written last is counted. Who may not see the JVM's open
  files is told so.

With `--count` and `--watch` the rates of Tomcat's manager and of Apache are compared with those of the sets before,
in the same way.

Of Tomcat the manager's page is read where `--tomcat-user` is given; else its MBeans by JMX, where a management agent
runs in the JVM; else a thread dump; else the kernel's names of threads. An agent named by `--jmx` is read beside the
manager too: it knows the queue of an executor. No agent is ever started; one that was not there, or did not answer, is
looked for again after a minute, one that refused is not. A reading by JMX is no request; it is three commands, takes 13
to 30 ms of the JVM's CPU time, and starts one of its `jvm.threads.started`.

A JVM that does not answer such a question within 5 s is left alone, as each further one would wait in it and be
answered with the first. It is asked again when it goes on: one of its safepoints has ended, or, where it keeps no
performance data, it has used CPU; 30 s after the first silence at the earliest, then 60 s, up to 10 minutes. One that
is stopped or paused is not asked, and is when it is so no more.

`--statsd HOST:PORT` sends the figures that have a Datadog name, as gauges, with `target` and the labels as tags.

The last column says what a test of real parts puts the figure beside, and which test; it is made of the tests' own
calls (`checked` in `tests/real/shown.py`), which fail where a figure of 0 would pass."""
_NAMES = {
    "cpu": "CPU", "memory": "Memory", "network": "Network", "disk": "Disk", "limits": "Limits",
    "jvm": "JVM", "tomcat": "Tomcat", "requests": "Requests", "apache": "Apache httpd",
}  # fmt: skip
_VERDICTS = """## Verdicts

Rules of thumb, in their order: in each group the first that holds is what is said. A condition is about the figure
without labels, or, where there is none, any of those that have some, the largest first; all of a rule is about the
same disk, interface, connector or source. The first condition is about a figure of the group, the others may be
about any."""


def page() -> str:
    groups = dict.fromkeys(one.group for one in described().values())
    parts = [_HEAD, *(_section(group) for group in groups), _VERDICTS, *(_rules(group) for group in groups)]
    return "\n\n".join(parts) + "\n"


def _section(group: str) -> str:
    rows = [_row(one) for one in described().values() if one.group == group]
    head = "| Figure | Unit | Labels | Source | Formula | Datadog | Checked against (by the test) |"
    return "\n".join([f"## {_NAMES[group]}\n", head, f"|{'---|' * 7}", *rows])


def _row(one: Described) -> str:
    factor = f" × {one.datadog_factor:g}" if one.datadog_factor != 1 else ""
    known = f"`{one.datadog}`{factor}" if one.datadog else ""
    cells = (
        f"`{one.name}`",
        one.unit,
        ", ".join(one.labels),
        one.source,
        one.formula,
        known,
        against(one.name),
    )
    return f"| {' | '.join(cells)} |"


def _rules(group: str) -> str:
    head = "| Where | | is said | and what to do |\n|---|---|---|---|"
    rows = [_rule(rule) for rule in rules() if rule.group == group]
    return f"### {_NAMES[group]}\n\n{head}\n" + "\n".join(rows)


def _rule(rule: Rule) -> str:
    when = " and ".join(f"`{one.name}` {'>' if one.more else '<'} {one.threshold:g}" for one in rule.when)
    return f"| {when} | {rule.level.value} | {rule.text} | {rule.advice} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
