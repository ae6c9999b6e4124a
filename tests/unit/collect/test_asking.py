"""Whether and when a JVM is asked again: never while it stands still, and after a silence once it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from jvmdiag.attach import speak
from jvmdiag.attach.rung import THREAD_PRINT
from jvmdiag.collect.asking import Questions
from jvmdiag.jmx.agent import STATUS
from jvmdiag.metrics.http import NoPage, Why
from jvmdiag.metrics.pulse import Pulse
from tests.fakes import Answer, Asked, FakeHost, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

RUNS = Pulse("S", "", 7, 100)
STOPPED = Pulse("T", "the process is stopped (state T): it cannot answer until it gets SIGCONT", 7, 100)


class Talk:
    """Questions to a JVM that answers, or is silent, at a time that the test sets."""

    def __init__(self, stack: ExitStack, state: str = "S") -> None:
        self.silent = False
        self.asked = 0
        self.now_s = 0.0
        host = FakeHost({lambda argv: "jcmd" in argv: self._answer}, name="the view")
        jvm = replace(the_jvm_of("tomcat-inside"), state=state, interpreters=("/usr/bin/perl",))
        self.questions = Questions(in_a_container(jvm, host=host), stack, lambda: self.now_s)

    def _answer(self, asked: Asked) -> Answer:
        self.asked += 1
        return done(b"", exit_code=speak.HUNG) if self.silent else done(b"0\nFull thread dump\n")

    def at(self, now_s: float, pulse: Pulse, *, silent: bool = False) -> str:
        """A look at that time, and a question after it: why there is no answer; empty where there is."""
        self.now_s, self.silent = now_s, silent
        self.questions.see(pulse)
        answer = self.questions.ask(THREAD_PRINT)
        assert (answer if isinstance(answer, str) else self.questions.why) != ""
        return answer.text if isinstance(answer, NoPage) else ""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def beat(count: int) -> Pulse:
    return replace(RUNS, safepoints=RUNS.safepoints and RUNS.safepoints + count)


def test_one_that_was_silent_is_asked_again_once_it_goes_on_and_some_time_is_over(stack: ExitStack) -> None:
    talk = Talk(stack)
    assert talk.at(0, RUNS) == ""
    assert "does not answer" in talk.at(1, RUNS, silent=True)
    # It hangs.
    for now_s in (2, 100, 10_000):
        assert "does not answer" in talk.at(now_s, RUNS)
    assert talk.asked == 2
    assert talk.at(10_001, beat(1)) == ""
    assert (talk.asked, talk.questions.why) == (3, "")
    # It goes on at once, and is given the time.
    assert talk.at(20_000, beat(1), silent=True)
    assert talk.at(20_001, beat(2)) and talk.at(20_029, beat(3))
    assert talk.asked == 4
    assert talk.at(20_030, beat(4)) == ""


def test_what_went_on_before_it_was_silent_is_no_sign(stack: ExitStack) -> None:
    talk = Talk(stack)
    assert talk.at(0, RUNS, silent=True)
    # One more has ended since that look, and the next is the one that it hangs in.
    assert talk.at(40, beat(1)) and talk.at(80, beat(1))
    assert talk.asked == 1
    assert talk.at(81, beat(2)) == ""


def test_each_silence_doubles_the_time_up_to_ten_minutes_and_an_answer_ends_it(stack: ExitStack) -> None:
    talk = Talk(stack)
    now_s, beats, waits = 0, 0, []
    assert talk.at(now_s, RUNS, silent=True)
    for _ in range(7):
        asked, since_s = talk.asked, now_s
        while talk.asked == asked:
            now_s, beats = now_s + 10, beats + 1
            assert talk.at(now_s, beat(beats), silent=True)
        waits.append(now_s - since_s)
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert talk.at(now_s + 10, beat(beats + 1)) and talk.at(now_s + 600, beat(beats + 2)) == ""
    assert talk.at(now_s + 601, beat(beats + 3), silent=True)
    assert talk.at(now_s + 602, beat(beats + 4)) and talk.at(now_s + 631, beat(beats + 5)) == ""


def test_one_that_is_stopped_is_not_asked_and_asked_at_once_when_it_goes_on(stack: ExitStack) -> None:
    # Stopped already when it was found.
    talk = Talk(stack, state="T")
    for now_s in (0, 100, 10_000):
        assert "SIGCONT" in talk.at(now_s, STOPPED)
    assert talk.asked == 0
    assert talk.at(10_001, RUNS) == ""
    assert "SIGCONT" in talk.at(10_002, STOPPED)
    assert talk.asked == 1
    assert talk.at(10_003, RUNS) == ""


def test_one_that_was_stopped_while_it_was_asked_is_told_by_what_it_does_now(stack: ExitStack) -> None:
    talk = Talk(stack)
    assert "does not answer" in talk.at(0, RUNS, silent=True)
    assert "SIGCONT" in talk.at(1, STOPPED)
    assert "does not answer" in talk.at(2, RUNS)
    assert talk.asked == 1
    assert talk.at(30, RUNS) == ""


@pytest.mark.parametrize(
    ("state", "attach_disabled_by", "said", "is_a_port_named"),
    [("T", "", "SIGCONT", False), ("S", "argv", "attach is switched off", True)],
)
def test_a_jvm_that_cannot_be_asked_is_told_with_the_reason(
    state: str, attach_disabled_by: str, said: str, is_a_port_named: bool
) -> None:
    jvm = replace(the_jvm_of("tomcat-inside"), state=state, attach_disabled_by=attach_disabled_by)
    with ExitStack() as stack:
        questions = Questions(on_a_machine(jvm), stack)
        first, second = questions.ask(STATUS), questions.ask(THREAD_PRINT)
    assert first == second
    assert isinstance(first, NoPage) and said in first.text
    assert first.why is (Why.OTHER if is_a_port_named else Why.LATER)
    assert ("--jmx PORT" in first.text) == is_a_port_named
