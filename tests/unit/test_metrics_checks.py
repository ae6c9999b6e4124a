"""Every figure is checked against a second source by a real test, or it is said why not."""

from __future__ import annotations

import pytest

from jvmdiag.metrics.catalogue import described
from tests.metrics_checks import NOT_SHOWN, checks, checks_in
from tests.real.course import Between
from tests.real.shown import checked


def test_every_figure_is_checked_against_a_second_source_or_it_is_said_why_not() -> None:
    shown = {one.name for one in checks()}
    assert shown | set(NOT_SHOWN) == set(described())
    assert shown & set(NOT_SHOWN) == set()


def test_what_a_zero_would_pass_is_no_check() -> None:
    checked("cpu.count", 2, 2, by="hand")
    checked("cpu.user", 0.5, 0.4, by="hand", abs=0.2)
    checked("cpu.user", 0.5, Between(0.4, 0.6), by="hand")
    for theirs, near in ((0, 0.0), (0.1, 0.2)):
        with pytest.raises(AssertionError, match="a figure of 0 would pass"):
            checked("cpu.iowait", theirs, theirs, by="hand", abs=near)
    with pytest.raises(AssertionError, match="a figure of 0 would pass"):
        checked("cpu.iowait", 0.1, Between(0, 0.2), by="hand")
    for ours in (0.39, 0.61):
        with pytest.raises(AssertionError, match="by hand it is Between"):
            checked("cpu.user", ours, Between(0.4, 0.6), by="hand", rel=0.01)
    with pytest.raises(AssertionError, match="by hand it is 2"):
        checked("cpu.count", 3, 2, by="hand")
    with pytest.raises(AssertionError, match="cuont"):
        checked("cpu.cuont", 2, 2, by="hand")


@pytest.mark.parametrize(
    "source",
    [
        "def help():\n    checked('cpu.count', 2, 2, by='hand')",
        "def test_it():\n    for name in names: checked(name, 2, 2, by='hand')",
        "def test_it():\n    checked('cpu.count', 2, 2, by=f'{x}')",
    ],
)
def test_a_call_that_cannot_be_read_is_an_error(source: str) -> None:
    with pytest.raises(ValueError):
        list(checks_in(source))


def test_a_call_says_figure_source_and_test() -> None:
    [one] = checks_in("def test_it():\n    with x:\n        checked('cpu.count', 2, 2, by='hand')")
    assert (one.name, one.by, one.test) == ("cpu.count", "hand", "test_it")
