"""Requests now against before, of what servers' pages said in one run."""

from __future__ import annotations

import pytest

from jvmdiag.metrics.access_log import AccessLog
from jvmdiag.metrics.figure import Group, figure
from jvmdiag.metrics.requests import History, requests_group, widths_of


def pages(tomcat: float, apache: float) -> tuple[Group, ...]:
    return (
        Group(
            "tomcat",
            (
                figure("tomcat.requests.rate", tomcat, connector="http-nio-8080"),
                figure("tomcat.requests.rate", 0, connector="ajp-nio-8009"),
            ),
        ),
        Group("apache", (figure("apache.requests.rate", apache),)),
    )


def test_the_sets_of_a_run_are_compared_by_source() -> None:
    history = History()
    for n in range(60):
        history.add(pages(118 if n < 50 else 12, 40), 1000.0 + n, 1.0)
    group = requests_group(AccessLog(), history, widths_of(1.0, single=False), served=True)
    assert group.one("requests.now", source="connector http-nio-8080") == pytest.approx(12)
    assert group.one("requests.before", source="connector http-nio-8080") == pytest.approx(118)
    assert group.one("requests.share", source="apache") == pytest.approx(1)
    # Nobody asks this one for anything.
    assert group.one("requests.now", source="connector ajp-nio-8009") is None
    # The access log was not looked at.
    assert group.one("requests.rate") is None


def test_one_set_has_nothing_before_it() -> None:
    history = History()
    history.add(pages(118, 40), 1000.0, 60.0)
    assert requests_group(AccessLog(), history, widths_of(60.0, single=True), served=True).figures == ()


@pytest.mark.parametrize(
    ("interval_s", "single", "widths"),
    [
        (1.0, True, (60, 30, 10)),
        (300.0, True, (300, 60, 30, 10)),
        (1.0, False, (10, 30, 60)),
        (20.0, False, (30, 60)),
        (300.0, False, (300, 60)),
    ],
)
def test_a_single_set_is_of_the_last_minute_and_one_of_several_of_what_is_new(
    interval_s: float, single: bool, widths: tuple[float, ...]
) -> None:
    assert widths_of(interval_s, single=single) == widths
