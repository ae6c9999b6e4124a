"""Figures again and again, of a target that does not always answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.collect.metrics import Watched, each_metrics
from jvmdiag.collect.servers import Servers, ServersRequest
from jvmdiag.hosts.base import Host
from tests.fakes import Answer, Asked, FakeHost, done
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
