"""What a JVM's answer means: a result code is no success by itself, and a refusal is no other rung's business."""

from __future__ import annotations

import pytest

from jvmdiag.attach import speak
from jvmdiag.attach.reply import looks_refused, refusal, refused, text_of
from jvmdiag.errors import AttachRefused, CommandRefused, JvmdiagError, JvmGone, JvmHung


def test_the_text_behind_a_zero_is_the_answer() -> None:
    assert text_of(b"0\n1\n2\n", "VM.version") == b"1\n2\n"
    assert text_of(b"0\n", "VM.version") == b""


def test_any_other_code_is_a_refusal_with_the_jvms_own_words() -> None:
    with pytest.raises(CommandRefused, match="Unknown argument '-zz' in diagnostic command") as caught:
        text_of(
            b"-1\njava.lang.IllegalArgumentException: Unknown argument '-zz' in diagnostic command.\n",
            "X -zz",
        )
    assert "IllegalArgumentException" not in str(caught.value)
    with pytest.raises(CommandRefused, match="it gave no reason"):
        text_of(b"101\n", "X")


@pytest.mark.parametrize("reply", [b"", b"0", b"hello\n", b"\n", b"-\n0\n", b"0 \nx"])
def test_what_is_no_answer_is_not_taken_for_one(reply: bytes) -> None:
    with pytest.raises(CommandRefused):
        text_of(reply, "VM.version")


def test_a_command_that_the_jvm_does_not_know_leads_to_those_it_knows() -> None:
    error = refused("No.such", b"java.lang.IllegalArgumentException: Unknown diagnostic command\n")
    assert error.why == "Unknown diagnostic command"
    assert "help" in error.advice[0]
    assert refused("X", b"Syntax error: bad").advice == ()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (b"java.lang.IllegalArgumentException: Unknown argument '-zz' in diagnostic command.", True),
        (b"\njava.lang.SecurityException: no\n", True),
        (b"Syntax error: Unable to parse", True),
        (b"Full thread dump OpenJDK\n java.lang.IllegalArgumentException: in a thread's stack", False),
        (b"", False),
    ],
)
def test_a_refusal_is_told_by_how_the_answer_begins(text: bytes, is_one: bool) -> None:
    assert looks_refused(text) is is_one


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (speak.FORBIDDEN, AttachRefused),
        (speak.NO_TMP, AttachRefused),
        (speak.UNSAFE, AttachRefused),
        (speak.SILENT, JvmHung),
        (speak.HUNG, JvmHung),
        (speak.GONE, JvmGone),
        (1, AttachRefused),
        (127, AttachRefused),
        (137, AttachRefused),
    ],
)
def test_each_code_of_the_client_has_its_error(code: int, kind: type[JvmdiagError]) -> None:
    error = refusal(code, "what the client said")
    assert type(error) is kind
    assert error.why == "what the client said"
