"""Figures again and again, of a target that does not always answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.collect.metrics import Watched, each_metrics
from jvmdiag.collect.servers import Servers, ServersRequest
from jvmdiag.hosts.base import Host
from jvmdiag.metrics.look import parse_look
from tests.fakes import Answer, Asked, FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.metrics.look_case import DATA, TOKEN

LOOK = (DATA / "busy-after.out").read_bytes()
INTERVAL_S = 0.1


def host_of(answers: Sequence[bool]) -> FakeHost:
    """Answers a look as often as that says True, and is silent where it says False."""
    left = list(answers)

    def answer(asked: Asked) -> Answer:
        if not left.pop(0):
            return TimeoutError("no answer within 20 s")
        return done(LOOK.replace(TOKEN.encode(), asked.argv[4].encode()))

    is_look: Callable[[tuple[str, ...]], bool] = lambda argv: argv[:2] == ("sh", "-c")  # noqa: E731
    return FakeHost({is_look: answer})


def watched(host: Host, stack: ExitStack) -> Watched:
    servers = Servers(host, None, ServersRequest(threads=False), stack)
    return Watched("docker://web", Reach(host, "", None), None, servers)


@pytest.mark.parametrize(("count", "asked"), [(1, ["", "find"]), (2, ["find", "", ""])])
def test_the_access_log_is_read_as_seldom_as_what_is_dear_and_no_line_of_it_stays(
    count: int, asked: list[str]
) -> None:
    line = '10.0.0.1 - - [01/Mar/2026:12:00:00 +0000] "GET /?token=s3cret HTTP/1.1" 200 12\n'
    logged = (
        f"\n@@{TOKEN} access\nnow 1772366403\npath 1 /l/access.log\nlog 5 7 90 1772366400 0\ndata\n{line}"
    )
    end = f"\n@@{TOKEN} end\n".encode()

    def answer(asked: Asked) -> Answer:
        said = LOOK.replace(end, logged.encode() + end) if asked.argv[10] else LOOK
        return done(said.replace(TOKEN.encode(), asked.argv[4].encode()))

    host = FakeHost({lambda argv: argv[:2] == ("sh", "-c"): answer})
    ticks = parse_look(LOOK, TOKEN, 1).stat[19]
    jvm = replace(the_jvm_of("tomcat-inside"), start_ticks=int(ticks))
    with ExitStack() as stack:
        servers = Servers(host, None, ServersRequest(threads=False), stack)
        over = Watched("docker://web", Reach(host, "", None), jvm, servers)
        made = list(each_metrics(over, INTERVAL_S, count))
        assert "s3cret" not in repr(over.look(slow=True, log=True)) + repr(made) + repr(vars(over.log))
    group = made[-1].group("requests")
    assert group is not None and group.one("requests.age") == 3
    assert [one.argv[10] for one in host.asked][: len(asked)] == asked


def test_a_look_that_is_not_answered_is_passed_over() -> None:
    with ExitStack() as stack:
        host = host_of([True, False, False, True, True])
        made = list(each_metrics(watched(host, stack), INTERVAL_S, 2))
    assert len(made) == 2
    assert len(host.asked) == 5


@pytest.mark.parametrize(
    ("answers", "count"), [([True, False, False, False], 5), ([True, False], 1), ([False], 5)]
)
def test_a_target_that_stays_silent_is_an_error(answers: list[bool], count: int) -> None:
    with ExitStack() as stack, pytest.raises(TimeoutError):
        list(each_metrics(watched(host_of(answers), stack), INTERVAL_S, count))


class SlowLog:
    """A target whose answer to a look at the access log never comes."""

    def __init__(self) -> None:
        self.host = FakeHost({lambda argv: argv[:2] == ("sh", "-c"): self._answer})

    def _answer(self, asked: Asked) -> Answer:
        if asked.argv[10]:
            return TimeoutError("no answer within 20 s")
        return done(LOOK.replace(TOKEN.encode(), asked.argv[4].encode()))


@pytest.mark.parametrize(("count", "asked"), [(1, ["", "find", ""]), (2, ["find", "", "", ""])])
def test_an_access_log_that_cannot_be_read_takes_no_other_figure_away(count: int, asked: list[str]) -> None:
    slow = SlowLog()
    jvm = replace(the_jvm_of("tomcat-inside"), start_ticks=int(parse_look(LOOK, TOKEN, 1).stat[19]))
    with ExitStack() as stack:
        servers = Servers(slow.host, None, ServersRequest(threads=False), stack)
        over = Watched("docker://web", Reach(slow.host, "", None), jvm, servers)
        made = list(each_metrics(over, INTERVAL_S, count))
    assert len(made) == count
    assert [one.argv[10] for one in slow.host.asked] == asked
    assert made[-1].group("cpu") is not None
    assert any("was not answered in time" in line for line in over.log.unseen)
