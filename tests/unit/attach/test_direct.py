"""The protocol's rung: who speaks it, as whom, and what its client's exit codes become."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from jvmdiag.attach import speak
from jvmdiag.attach.direct import Direct, client, in_process, preferred_interpreter
from jvmdiag.attach.rung import NotReady, Ready
from jvmdiag.errors import AttachRefused, CommandRefused, JvmdiagError, JvmGone, JvmHung
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import Jvm, Owner
from tests.fakes import Answer, FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

TOMCAT = the_jvm_of("tomcat-inside")
MINE = replace(TOMCAT, owner=Owner(os.geteuid(), os.getegid()))


def test_this_process_speaks_to_its_own_users_jvms_on_this_machine_only() -> None:
    assert in_process(LocalHost(), MINE)
    assert not in_process(FakeHost(), MINE)


def test_an_older_jvm_is_spoken_to_by_its_own_user_only() -> None:
    other = Owner(os.geteuid() + 1, os.getegid())
    assert not in_process(LocalHost(), replace(TOMCAT, owner=other, version="1.8.0_392"))
    assert in_process(LocalHost(), replace(TOMCAT, owner=other)) is (os.geteuid() == 0)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (("/usr/bin/python3", "/usr/bin/perl"), "/usr/bin/perl"),
        (("/usr/bin/python3",), "/usr/bin/python3"),
        ((), None),
    ],
)
def test_perl_comes_before_python(there: tuple[str, ...], chosen: str | None) -> None:
    assert preferred_interpreter(replace(TOMCAT, interpreters=there)) == chosen


def test_a_client_ends_by_itself_and_waits_for_no_end_of_stdin() -> None:
    argv, source = client("/usr/bin/perl")
    assert (argv, source.endswith(b"__END__\n")) == (("/usr/bin/perl", "-"), True)
    argv, source = client("/usr/bin/python3")
    assert str(len(source)) in argv[2]


def test_with_an_interpreter_beside_the_jvm_the_rung_is_ready() -> None:
    ready = Direct().probe(in_a_container(TOMCAT), "VM.version")
    assert isinstance(ready, Ready)
    assert ready.detail == "spoken by /usr/bin/perl"


@pytest.mark.parametrize(
    ("jvm", "kind", "reason"),
    [
        (replace(TOMCAT, interpreters=()), ViewKind.INSIDE, "neither perl nor python3"),
        (the_jvm_of("another-user-inside"), ViewKind.INSIDE, "belongs to user 1001"),
        (TOMCAT, ViewKind.SIDECAR, "cannot see into it"),
        (the_jvm_of("options-and-limit-inside"), ViewKind.INSIDE, "DisableAttachMechanism"),
    ],
)
def test_where_nobody_could_speak_it_the_rung_says_why(jvm: Jvm, kind: ViewKind, reason: str) -> None:
    answer = Direct().probe(in_a_container(jvm, kind=kind), "VM.version")
    assert isinstance(answer, NotReady)
    assert reason in answer.reason


def host_with(answer: Answer) -> FakeHost:
    return FakeHost({lambda argv: argv[0] == "/usr/bin/perl": answer})


def test_the_client_is_fed_on_stdin_and_runs_as_the_jvms_user() -> None:
    host = host_with(done("0\nOpenJDK\n"))
    with Direct().open(in_a_container(TOMCAT, host=host)) as speaker:
        assert speaker.ask('GC.heap_dump "/tmp/a b"', 7.9) == b"OpenJDK\n"
    [asked] = host.asked
    assert asked.argv[1:] == ("-", "1", str(TOMCAT.start_ticks), "7", "jcmd", 'GC.heap_dump "/tmp/a b"')
    assert asked.user == Owner(1001, 1001)
    assert b"attach protocol" in asked.stdin


def test_root_of_a_machine_speaks_as_itself_but_to_an_older_jvm_as_its_user() -> None:
    for version, user in (("17.0.9", None), ("1.8.0_392", Owner(1001, 1001))):
        host = host_with(done("0\nok\n"))
        jvm = replace(TOMCAT, version=version, seen_as_root=True)
        with Direct().open(on_a_machine(jvm, host)) as speaker:
            speaker.ask("VM.version", 5)
        assert host.asked[0].user == user


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (done("", speak.FORBIDDEN, "the kernel refuses: Permission denied\n"), AttachRefused, "Permission"),
        (done("", speak.NO_TMP, "neither\n"), AttachRefused, "neither"),
        (done("", speak.SILENT, "no socket\n"), JvmHung, "no socket"),
        (done("", speak.GONE, "there is no process 1 any more\n"), JvmGone, "no process"),
        (done("", 127, "perl: not found\n"), AttachRefused, "not found"),
        (done("", 255), AttachRefused, "exit code 255"),
        (
            done("-1\njava.lang.IllegalArgumentException: Unknown diagnostic command\n"),
            CommandRefused,
            "Unknown",
        ),
        (done("nonsense"), CommandRefused, "nonsense"),
    ],
)
def test_what_the_client_says_becomes_the_error_that_it_means(
    answer: Answer, kind: type[JvmdiagError], why: str
) -> None:
    with (
        Direct().open(in_a_container(TOMCAT, host=host_with(answer))) as speaker,
        pytest.raises(JvmdiagError) as caught,
    ):
        speaker.ask("X", 5)
    assert type(caught.value) is kind
    assert why in caught.value.why


def test_a_jvm_that_ended_is_gone_also_for_this_process() -> None:
    scene = on_a_machine(replace(MINE, pid=2**22 + 1, nspids=(2**22 + 1,)), LocalHost())
    with Direct().open(scene) as speaker, pytest.raises(JvmGone):
        speaker.ask("VM.version", 1)
