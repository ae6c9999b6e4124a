"""The ladder: its order, its reasons, and which failures lead to the next rung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jvmdiag.attach import speak
from jvmdiag.attach.rung import ImageChoice, NotReady, Scene, Speaker
from jvmdiag.capture.choose import NAMES, survey, with_speaker
from jvmdiag.errors import (
    AttachRefused,
    BadRequest,
    CommandRefused,
    ConnectionLost,
    JvmdiagError,
    JvmGone,
    JvmHung,
    NoImage,
    NoMethod,
    TargetDiskFull,
)
from jvmdiag.model import Jvm
from tests.fakes import Answer, FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import EngineClient, in_a_container, on_a_machine

NO_PULL = ImageChoice(pull=False)
# perl and a JDK are there, and the log can be read back: direct, tools and quit would do.
RICH = replace(the_jvm_of("tomcat-with-jdk-inside"), attach_listening=True)


def scene(jvm: Jvm = RICH, host: FakeHost | None = None) -> Scene:
    return in_a_container(jvm, host=host, image=NO_PULL)


def methods_of(steps: object) -> list[str]:
    assert isinstance(steps, tuple)
    return [step.rung.name for step in steps if step.ready]


def test_the_ladder_begins_with_what_costs_the_target_least() -> None:
    assert NAMES == ("direct", "tools", "jdk-image", "quit")


def test_every_rung_says_whether_it_could_and_nothing_is_run_to_find_out() -> None:
    host = FakeHost()
    steps = survey(scene(host=host), "Thread.print")
    assert [step.rung.name for step in steps] == list(NAMES)
    assert methods_of(steps) == ["direct", "tools", "quit"]
    assert host.asked == []


@pytest.mark.parametrize(
    ("jvm", "line", "ready"),
    [
        (RICH, "GC.heap_dump", ["direct", "tools"]),
        (replace(RICH, interpreters=()), "Thread.print", ["tools", "quit"]),
        (replace(RICH, tools=(), jcmd_module=False), "Thread.print", ["direct", "quit"]),
        (the_jvm_of("options-and-limit-inside"), "Thread.print", ["quit"]),
        (the_jvm_of("read-only-zgc-inside"), "Thread.print", ["quit"]),
        (the_jvm_of("read-only-zgc-inside"), "GC.heap_dump", []),
        (the_jvm_of("stopped-stale-trigger-host"), "Thread.print", []),
        (the_jvm_of("xrs-unknown-uid-inside"), "Thread.print", ["direct", "tools"]),
    ],
)
def test_each_kind_of_jvm_has_the_rungs_that_can_reach_it(jvm: Jvm, line: str, ready: list[str]) -> None:
    assert methods_of(survey(scene(jvm), line)) == ready


def test_a_named_method_is_the_only_one_that_is_looked_at() -> None:
    [step] = survey(scene(), "Thread.print", "tools")
    assert step.rung.name == "tools"


def test_a_method_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(BadRequest) as caught:
        survey(scene(), "Thread.print", "jstack")
    assert "direct, tools, jdk-image, quit" in caught.value.advice[0]


def work(speaker: Speaker) -> tuple[str, bytes]:
    return speaker.method, speaker.ask("VM.version", 5)


def is_perl(argv: tuple[str, ...]) -> bool:
    return argv[0] == "/usr/bin/perl"


def is_tool(argv: tuple[str, ...]) -> bool:
    return argv[0] == "sh" and argv[-1] == "VM.version"


def test_the_first_rung_that_is_ready_does_the_work() -> None:
    host = FakeHost({is_perl: done("0\nOpenJDK\n")})
    assert with_speaker(scene(host=host), "VM.version", None, work) == ("direct", b"OpenJDK\n")


@pytest.mark.parametrize("refusal", [done("", speak.FORBIDDEN, "no"), done("", 127, "perl: not found")])
def test_a_rung_that_is_refused_leads_to_the_next(refusal: Answer) -> None:
    host = FakeHost({is_perl: refusal, is_tool: done("4711\n1:\nOpenJDK\n")})
    assert with_speaker(scene(host=host), "VM.version", None, work) == ("tools", b"OpenJDK\n")
    assert sum(is_perl(asked.argv) for asked in host.asked) == 1


def test_where_every_rung_is_refused_each_says_why() -> None:
    host = FakeHost(
        {is_perl: done("", speak.FORBIDDEN, "denied"), is_tool: done("1\n", 1, "Permission denied")}
    )
    with pytest.raises(NoMethod) as caught:
        with_speaker(scene(host=host), "VM.version", None, work)
    reasons = dict(line.strip().split(": ", 1) for line in caught.value.advice)
    assert list(reasons) == list(NAMES)
    assert "denied" in reasons["direct"]
    assert "Permission denied" in reasons["tools"]
    assert "not on the engine" in reasons["jdk-image"]
    assert "a thread dump and nothing else" in reasons["quit"]


def test_where_no_rung_is_ready_nothing_is_run_and_each_says_why() -> None:
    host = FakeHost()
    with pytest.raises(NoMethod) as caught:
        with_speaker(scene(the_jvm_of("read-only-zgc-inside"), host), "GC.heap_dump", None, work)
    assert len(caught.value.advice) == 4
    assert host.asked == []


def test_a_named_method_that_is_not_ready_is_an_error_with_its_own_reason() -> None:
    with pytest.raises(NoMethod) as caught:
        with_speaker(scene(replace(RICH, interpreters=())), "VM.version", "direct", work)
    [reason] = caught.value.advice
    assert reason == "  direct: there is neither perl nor python3 beside it to speak the protocol"


def test_a_named_method_that_is_refused_never_falls_back() -> None:
    host = FakeHost({is_perl: done("", speak.FORBIDDEN, "denied")})
    with pytest.raises(AttachRefused, match="denied"):
        with_speaker(scene(host=host), "VM.version", "direct", work)
    assert len(host.asked) == 1


def test_an_image_that_cannot_be_had_leads_to_the_next_rung_but_not_where_it_was_named() -> None:
    class Unpullable(EngineClient):
        def pull(self, *_: object, **__: object) -> list[dict[str, str]]:
            return [{"error": "denied"}]

    bare = replace(RICH, interpreters=(), tools=(), jcmd_module=False)
    for method, kind in ((None, NoMethod), ("jdk-image", NoImage)):
        with pytest.raises(JvmdiagError) as caught:
            with_speaker(in_a_container(bare, client=Unpullable()), "VM.version", method, work)
        assert type(caught.value) is kind


@pytest.mark.parametrize(
    "error",
    [
        JvmHung("hangs"),
        JvmGone("gone"),
        CommandRefused("no"),
        ConnectionLost("lost"),
        TargetDiskFull("full"),
        KeyboardInterrupt(),
        TimeoutError("late"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_failure_is_not_tried_again_another_way(error: BaseException) -> None:
    tried: list[str] = []

    def fail(speaker: Speaker) -> None:
        tried.append(speaker.method)
        raise error

    with pytest.raises(type(error)):
        with_speaker(scene(), "VM.version", None, fail)
    assert tried == ["direct"]


def test_on_a_machine_there_is_no_image_to_be_had() -> None:
    steps = survey(on_a_machine(RICH), "VM.version")
    assert [isinstance(step.readiness, NotReady) for step in steps] == [False, False, True, True]
