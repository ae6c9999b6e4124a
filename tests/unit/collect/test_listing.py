"""Which JVMs are listed, and under which place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.attach.rung import ImageChoice
from jvmdiag.capture.choose import NAMES
from jvmdiag.collect.listing import Listed, _listed, _not_among, _remarks
from jvmdiag.errors import SudoRefused
from jvmdiag.hosts.place import Machine, View, ViewKind
from jvmdiag.jvm.discovery import Sight
from jvmdiag.model import Jvm
from tests.fakes import FakeHost
from tests.unit.jvm.probe_case import the_jvm_of

INSIDE = replace(the_jvm_of("tomcat-inside"), mnt_ns="mnt:[1]")
AROUND = replace(INSIDE, pid=4711, nspids=(4711, 1))
CLOSED = the_jvm_of("another-user-inside")


def listed(jvm: Jvm) -> Listed:
    return Listed("somewhere", jvm, (), jvm.pid)


@pytest.mark.parametrize(
    ("here", "stays"),
    [
        (AROUND, False),
        (replace(AROUND, mnt_ns=""), False),
        (replace(AROUND, start_ticks=1), True),
        (replace(AROUND, nspids=(4711, 2)), True),
        (replace(AROUND, mnt_ns="mnt:[2]"), True),
        (replace(AROUND, nspids=(4711,)), True),
    ],
    ids=["same", "same-closed", "other-start", "other-pid", "other-container", "no-container"],
)
def test_of_the_machines_jvms_only_those_are_left_out_that_a_container_lists(here: Jvm, stays: bool) -> None:
    assert list(_not_among([listed(INSIDE)], [listed(here)])) == ([listed(here)] if stays else [])


def test_a_jvm_that_sudo_did_not_open_is_a_row_with_a_remark() -> None:
    host = FakeHost(name="ssh://ops@app1")
    place = Machine(host.name, host)
    view = View(host, ViewKind.MACHINE)
    sight = Sight(view, (INSIDE, CLOSED), {CLOSED.owner: SudoRefused("sudo says no", why="not that one")})
    rows = [_listed(place, sight, jvm, ImageChoice()) for jvm in sight.jvms]
    assert rows[0].methods[0] == ("direct", "")
    assert rows[1].methods == tuple((name, "sudo says no: not that one") for name in NAMES)
    assert list(_remarks(rows, sight)) == [("ssh://ops@app1 pid 1", "sudo says no: not that one")]


def test_a_row_has_the_pid_as_one_knows_it_who_is_there() -> None:
    host = FakeHost(name="local://")
    sight = Sight(View(host, ViewKind.MACHINE), (AROUND,))
    assert _listed(Machine(host.name, host), sight, AROUND, ImageChoice()).pid == 4711
