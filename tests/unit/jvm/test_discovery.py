"""From a place to its JVMs: which view looks, as whom, which JVM is meant, and whether it is still that one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from jvmdiag.errors import BadRequest, ConnectionLost, JvmGone, NoJvm, SeveralJvms, SudoRefused
from jvmdiag.hosts.place import Machine, View, ViewKind
from jvmdiag.jvm.discovery import (
    Sight,
    check_selector,
    discover,
    look,
    look_closely,
    pick,
    require_still_there,
    still_there,
)
from jvmdiag.model import Completed, Jvm, Owner
from tests.fakes import Answer, Asked, FakeHost, done
from tests.unit.jvm.probe_case import TOKEN, output_of, the_jvm_of

APP = Owner(1001, 1001)
OTHER = Owner(1002, 1002)
CLOSED = the_jvm_of("another-user-inside")
TOMCAT = the_jvm_of("tomcat-inside")
LOAD = the_jvm_of("not-pid1-inside")


def recorded(case: str) -> Callable[[Asked], Completed]:
    """The recorded probe, under the token that is asked for now."""
    return lambda asked: done(output_of(case).replace(TOKEN.encode(), asked.argv[3].encode()))


def a_view(answer: Answer | Callable[[Asked], Answer], pid1: int | None = None) -> tuple[View, FakeHost]:
    host = FakeHost({lambda argv: argv[:3] == ("sh", "-s", "--"): answer})
    return View(host, ViewKind.INSIDE, pid1), host


def test_the_probe_is_fed_on_stdin_with_a_new_token_each_time() -> None:
    view, host = a_view(recorded("tomcat-inside"))
    assert look(view) == look(view) == (TOMCAT,)
    first, second = host.asked
    assert first.stdin == second.stdin != b""
    assert first.argv[3] != second.argv[3]


def test_a_view_of_one_container_asks_for_its_pid_namespace() -> None:
    view, host = a_view(recorded("tomcat-host"), pid1=19895)
    assert look(view, APP)
    assert (host.asked[0].argv[4], host.asked[0].user) == ("19895", APP)


@pytest.mark.parametrize(
    "answer",
    [done(exit_code=127, stderr="sh: not found"), done(exit_code=126), done("Welcome to this host\n"), b""],
    ids=["no-shell", "may-not-run", "a-banner-only", "nothing"],
)
def test_a_view_without_a_shell_is_none_and_not_no_jvms(answer: Answer) -> None:
    assert look(a_view(answer)[0]) is None
    assert look_closely(a_view(answer)[0]) is None


def test_a_connection_that_breaks_while_looking_is_not_a_missing_shell() -> None:
    with pytest.raises(ConnectionLost):
        look(a_view(ConnectionLost("gone"))[0])


def seen_by(view: View, wanted: str | None = None, *, sudo: bool = False) -> Sight:
    sight = look_closely(view, wanted, sudo=sudo)
    assert sight is not None
    assert sight.view is view
    return sight


def test_a_closed_jvm_is_looked_at_again_as_its_owner() -> None:
    def answer(asked: Asked) -> Completed:
        return recorded("options-and-limit-inside" if asked.user == APP else "another-user-inside")(asked)

    view, host = a_view(answer)
    assert [(jvm.readable, jvm.user) for jvm in seen_by(view).jvms] == [(True, "app")]
    assert [asked.user for asked in host.asked] == [None, APP]


def test_a_jvm_that_stays_closed_is_returned_as_it_was_seen() -> None:
    view, host = a_view(recorded("another-user-inside"))
    assert seen_by(view).jvms == (CLOSED,)
    assert len(host.asked) == 2


def test_a_closed_process_that_its_owner_sees_to_be_no_jvm_is_left_out() -> None:
    def answer(asked: Asked) -> Answer:
        nothing = f"\n@@{asked.argv[3]} end\n".encode()
        return nothing if asked.user else recorded("another-user-inside")(asked)

    assert seen_by(a_view(answer)[0]).jvms == ()


def test_where_the_owner_cannot_look_either_the_jvm_is_returned_as_it_was_seen() -> None:
    def answer(asked: Asked) -> Answer:
        return done(exit_code=126) if asked.user else recorded("another-user-inside")(asked)

    assert seen_by(a_view(answer)[0]).jvms == (CLOSED,)


def test_with_sudo_root_looks_where_nothing_is_to_be_seen_and_the_owner_after_it() -> None:
    def answer(asked: Asked) -> Answer:
        return recorded("tomcat-inside")(asked) if asked.user else done(f"\n@@{asked.argv[3]} end\n")

    view, host = a_view(answer)
    assert seen_by(view).jvms == ()
    assert seen_by(view, sudo=True).jvms == (TOMCAT,)
    assert [asked.user for asked in host.asked] == [None, None, Owner(0, 0), TOMCAT.owner]


def test_a_jvm_that_opened_at_once_costs_one_look() -> None:
    view, host = a_view(recorded("tomcat-inside"))
    assert seen_by(view).jvms == (TOMCAT,)
    assert len(host.asked) == 1


def of_two_users(asked: Asked) -> Answer:
    """Two closed JVMs: user 1001's Load, pid 1, and user 1002's Other, pid 8. sudo allows 1001 only."""
    if asked.user == OTHER:
        raise SudoRefused("not that one")
    if asked.user:
        return recorded("options-and-limit-inside")(asked)
    first = output_of("another-user-inside")
    sections = first[
        first.index(f"\n@@{TOKEN} status 1\n".encode()) : first.index(f"\n@@{TOKEN} end".encode())
    ]
    second = sections.replace(b"1001", b"1002").replace(b"/opt/load\0Load\0", b"/opt\0Other\0")
    for name in (b"status", b"stat", b"cmdline", b"links", b"passwd"):
        second = second.replace(b" " + name + b" 1\n", b" " + name + b" 8\n")
    end = f"\n@@{TOKEN} end\n".encode()
    whole = first[: first.index(end.rstrip())] + second + end
    return done(whole.replace(TOKEN.encode(), asked.argv[3].encode()))


def test_only_the_owner_of_the_jvm_that_is_meant_is_asked_for() -> None:
    view, host = a_view(of_two_users)
    sight = seen_by(view, "Load", sudo=True)
    assert sight.pick("Load", "there").readable
    assert [asked.user for asked in host.asked] == [None, APP]
    assert [jvm.main for jvm in sight.jvms] == ["Load", "Other"]


def test_a_refusal_for_the_jvm_that_is_meant_is_an_error_when_it_is_picked() -> None:
    view, host = a_view(of_two_users)
    with pytest.raises(SudoRefused, match="not that one"):
        seen_by(view, "8", sudo=True).pick("8", "there")
    assert [asked.user for asked in host.asked] == [None, OTHER]


def test_where_no_jvm_is_named_every_owner_is_asked_for_and_a_refusal_ends_nothing() -> None:
    view, host = a_view(of_two_users)
    sight = seen_by(view, sudo=True)
    assert [asked.user for asked in host.asked] == [None, APP, OTHER]
    assert [str(sight.refusal(jvm) or "") for jvm in sight.jvms] == ["", "not that one"]


def test_without_sudo_a_closed_jvm_is_picked_for_the_rungs_to_say_whose_it_is() -> None:
    sight = seen_by(a_view(of_two_users)[0], "Other")
    assert not sight.pick("Other", "there").readable
    assert sight.refusals == {}


@dataclass(frozen=True)
class Rooms(Machine):
    """A machine with several views."""

    all_views: tuple[View, ...] = ()

    def views(self) -> Iterator[View]:
        yield from self.all_views


def test_the_first_view_that_can_look_is_the_one() -> None:
    blind, _ = a_view(done(exit_code=127))
    seeing, _ = a_view(recorded("tomcat-inside"))
    never, unasked = a_view(AssertionError("asked although another view could see"))
    place = Rooms("here", FakeHost(), (blind, seeing, never))
    assert discover(place) == Sight(seeing, (TOMCAT,))
    assert unasked.asked == []
    assert discover(Rooms("here", FakeHost(), (blind,))) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("6", LOAD),
        ("1", TOMCAT),
        ("catalina", TOMCAT),
        ("BOOTSTRAP", TOMCAT),
        ("/opt/load", LOAD),
    ],
)
def test_a_jvm_is_picked_by_pid_or_by_a_part_of_its_command_line(wanted: str, expected: Jvm) -> None:
    assert pick((TOMCAT, LOAD), wanted, "there") is expected


def test_a_jvm_is_picked_by_its_pid_here_or_its_own() -> None:
    jvm = the_jvm_of("not-pid1-host")
    assert pick((TOMCAT, jvm), str(jvm.pid), "there") is jvm
    assert pick((TOMCAT, jvm), "6", "there") is jvm


def test_the_only_jvm_needs_no_choice() -> None:
    assert pick((LOAD,), None, "there") is LOAD


def test_a_wish_that_the_only_jvm_does_not_meet_is_not_ignored() -> None:
    with pytest.raises(NoJvm, match="matches 'catalina'") as caught:
        pick((LOAD,), "catalina", "there")
    assert "--jvm 6" in "\n".join(caught.value.advice)


def test_several_jvms_are_listed_with_what_to_type() -> None:
    with pytest.raises(SeveralJvms, match="2 JVMs at there") as caught:
        pick((TOMCAT, LOAD), None, "there")
    assert [line.split()[:2] for line in caught.value.advice] == [["--jvm", "1"], ["--jvm", "6"]]


def test_of_several_that_match_only_those_are_listed() -> None:
    with pytest.raises(SeveralJvms) as caught:
        pick((TOMCAT, LOAD, replace(LOAD, pid=7, nspids=(7,))), "opt/load", "there")
    assert [line.split()[1] for line in caught.value.advice] == ["6", "7"]


def test_no_jvm_says_where_there_is_none() -> None:
    with pytest.raises(NoJvm, match="no JVM at there"):
        pick((), None, "there")


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_choice_is_a_mistake_and_not_everything(empty: str) -> None:
    with pytest.raises(BadRequest):
        check_selector(empty)
    check_selector(None)
    check_selector("x")


def stat_of(jvm: Jvm, *, state: str = "S", start_ticks: int | None = None) -> bytes:
    ticks = jvm.start_ticks if start_ticks is None else start_ticks
    return f"{jvm.pid} (a) b) {state} {'0 ' * 18}{ticks} 0 0\n".encode()


def machine_with(stat: Answer) -> FakeHost:
    return FakeHost({("cat", f"/proc/{LOAD.pid}/stat"): stat})


def test_the_same_pid_with_the_same_start_time_is_the_same_jvm() -> None:
    assert still_there(machine_with(stat_of(LOAD)), LOAD)
    require_still_there(machine_with(stat_of(LOAD)), LOAD)


@pytest.mark.parametrize(
    "stat",
    [
        stat_of(LOAD, start_ticks=LOAD.start_ticks + 1),
        stat_of(LOAD, state="Z"),
        done(exit_code=1, stderr="cat: /proc/6/stat: No such file or directory"),
        b"",
    ],
    ids=["reused-pid", "zombie", "gone", "empty"],
)
def test_anything_else_is_a_jvm_that_is_gone(stat: Answer) -> None:
    assert not still_there(machine_with(stat), LOAD)
    with pytest.raises(JvmGone, match="ended meanwhile"):
        require_still_there(machine_with(stat), LOAD)
