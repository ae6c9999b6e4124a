"""The views of a place, cheapest first."""

from __future__ import annotations

import pytest

from jvmdiag.hosts.docker import ContainerFacts, Engine
from jvmdiag.hosts.place import ContainerPlace, Machine, View, ViewKind
from tests.fakes import FakeHost

FACTS = ContainerFacts("c0ffee", "web", "tomcat:10", True, False, "running", 4711, False, "json-file", ())
INSIDE = FakeHost(name="docker://web")
AROUND = View(FakeHost(name="local://"), ViewKind.ENGINE_HOST, pid1=4711)


def container(around: View | None, only: ViewKind | None = None) -> ContainerPlace:
    engine = Engine(where="here")
    return ContainerPlace("docker://web", engine, FACTS, INSIDE, around, lambda _: None, only)


def test_a_machine_has_the_view_of_itself() -> None:
    host = FakeHost()
    assert list(Machine("local://", host).views()) == [View(host, ViewKind.MACHINE)]


def test_a_container_is_seen_from_the_engines_host_before_anything_runs_in_it() -> None:
    assert list(container(AROUND).views()) == [AROUND, View(INSIDE, ViewKind.INSIDE)]


def test_a_container_whose_engine_is_elsewhere_is_seen_from_inside() -> None:
    assert list(container(None).views()) == [View(INSIDE, ViewKind.INSIDE)]


@pytest.mark.parametrize(
    ("only", "kinds"),
    [
        (ViewKind.ENGINE_HOST, [ViewKind.ENGINE_HOST]),
        (ViewKind.INSIDE, [ViewKind.INSIDE]),
        (ViewKind.SIDECAR, []),
        (ViewKind.MACHINE, []),
    ],
)
def test_a_view_that_was_asked_for_is_the_only_one(only: ViewKind, kinds: list[ViewKind]) -> None:
    assert [view.kind for view in container(AROUND, only).views()] == kinds


def test_a_view_that_was_asked_for_and_is_not_there_is_not_replaced() -> None:
    assert list(container(None, ViewKind.ENGINE_HOST).views()) == []
