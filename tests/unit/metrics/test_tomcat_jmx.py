"""Figures of Tomcat by its MBeans, as a real one answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.metrics.figure import Group
from jvmdiag.metrics.http import NoPage, Why
from jvmdiag.metrics.jmx import Bean
from jvmdiag.metrics.rules import judged
from jvmdiag.metrics.tomcat import Connector, ManagerStatus, tomcat_group
from jvmdiag.metrics.tomcat_jmx import Executor, Limits, TomcatBeans, tomcat_beans
from tests.unit.metrics.beans import recorded, recorded_beans


def group_of(beans: TomcatBeans, before: ManagerStatus | None = None) -> Group:
    return judged([tomcat_group(before, beans.status, 2.0, None, (), (), (), beans.figures)])[0]


def beans_of(*beans: Bean) -> TomcatBeans:
    found = tomcat_beans(beans)
    assert isinstance(found, TomcatBeans), found
    return found


def test_connectors_limits_and_executors_are_read() -> None:
    beans = recorded_beans()
    own, shared = beans.status.connectors
    assert own == Connector("http-nio-8080", 3, 2, 0, 6, 0, 0, 30, 59074, 10779, asked_us=False)
    # maxThreads of -1: the executor has them.
    assert (shared.name, shared.threads_max, shared.threads_current) == ("http-nio-8081", -1, 2)
    assert beans.limits == (Limits("http-nio-8080", 50, 7), Limits("http-nio-8081", 8192, 100))
    assert beans.executors == (Executor("shared pool", 0, 2, 2, 0),)


def test_they_give_the_figures_that_the_managers_page_gives() -> None:
    beans = recorded_beans()
    before = ManagerStatus(tuple(replace(one, requests=2) for one in beans.status.connectors))
    group = group_of(beans, before)
    # No reading by JMX is a request.
    assert group.one("tomcat.requests.rate", connector="http-nio-8080") == (6 - 2) / 2
    assert group.one("tomcat.threads.busy", connector="http-nio-8080") == 0
    assert group.one("tomcat.threads.max", connector="http-nio-8081") is None
    assert group.one("tomcat.executor.threads.max", executor="shared pool") == 2
    assert group.unseen == ()


def test_requests_in_an_executors_queue_are_the_verdict() -> None:
    beans = recorded_beans()
    (one,) = beans.executors
    group = group_of(replace(beans, executors=(replace(one, queue=4, active=2),)))
    assert group.verdict and group.verdict.text == "4 requests wait for one of the 2 threads of shared pool"


def pool(name: str, **changes: int | str) -> Bean:
    first = next(one for one in recorded() if "ThreadPool" in one.name)
    return Bean(name, {**first.attributes, **changes})


def requests(name: str) -> Bean:
    first = next(one for one in recorded() if "GlobalRequestProcessor" in one.name)
    return Bean(name, first.attributes)


def test_a_name_in_quotes_is_shown_as_it_is() -> None:
    key = r'name="http-nio-\*-80\?\"a,type=B\"",type='
    (one,) = beans_of(
        pool(f"Tomcat:{key}ThreadPool"), requests(f"Tomcat:{key}GlobalRequestProcessor")
    ).status.connectors
    assert one.name == 'http-nio-*-80?"a,type=B"'


def test_no_limit_is_no_figure() -> None:
    beans = beans_of(
        pool("C:type=ThreadPool,name=a", maxConnections=-1), requests("C:type=GlobalRequestProcessor,name=a")
    )
    assert beans.limits == (Limits("a", None, 7),)


@pytest.mark.parametrize(
    "beans",
    [
        (),
        # ActiveMQ, JBoss and others have pools of that type.
        (Bean("jboss.threads:type=ThreadPool,name=x", {"maxThreads": 7}),),
        (pool("Catalina:type=ThreadPool,name=a"),),
        (pool("A:type=ThreadPool,name=a"), requests("B:type=GlobalRequestProcessor,name=a")),
        (
            pool("A:type=ThreadPool,name=a", maxThreads="many"),
            requests("A:type=GlobalRequestProcessor,name=a"),
        ),
    ],
)
def test_an_agent_of_something_else_is_told_so(beans: tuple[Bean, ...]) -> None:
    came = tomcat_beans(beans)
    assert isinstance(came, NoPage) and came.why is Why.OTHER
    assert "no connector of Tomcat" in came.text


def test_why_there_are_none_is_handed_on() -> None:
    why = NoPage(Why.NOBODY, "JMX at 127.0.0.1:1: nobody listens there")
    assert tomcat_beans(why) is why
