"""What a JVM's answer means: the result code in front, and refusals that come as text. Pure."""

from __future__ import annotations

from jvmdiag.attach import speak
from jvmdiag.errors import AttachRefused, CommandRefused, JvmdiagError, JvmGone, JvmHung

_REFUSALS = (
    "java.lang.IllegalArgumentException",
    "java.lang.SecurityException",
    "Syntax error",
    "Unknown argument",
    "com.sun.tools.attach.AttachOperationFailedException",
)


def text_of(reply: bytes, line: str) -> bytes:
    """The text behind the result code of the attach protocol. Raises CommandRefused where it is not 0."""
    code, newline, text = reply.partition(b"\n")
    if not newline or not code.lstrip(b"-").isdigit():
        raise CommandRefused(f"the JVM's answer to {line!r} is none", why=repr(reply[:80]))
    if code != b"0":
        raise refused(line, text)
    return text


def refused(line: str, text: bytes) -> CommandRefused:
    """The error for a diagnostic command that the JVM refused with `text`."""
    first = text.decode("utf-8", "replace").strip().partition("\n")[0]
    why = first.removeprefix("java.lang.IllegalArgumentException: ") or "it gave no reason"
    advice = (
        "jvmdiag jcmd TARGET help lists what this JVM knows" if "Unknown diagnostic command" in first else ()
    )
    return CommandRefused(f"the JVM refused {line!r}", why=why, advice=advice)


def looks_refused(text: bytes) -> bool:
    """Whether a tool printed a refusal where the answer should be; jcmd exits 0 for some of them."""
    return text.decode("utf-8", "replace").lstrip().startswith(_REFUSALS)


_WHAT: dict[int, tuple[type[JvmdiagError], str, tuple[str, ...]]] = {
    speak.FORBIDDEN: (
        AttachRefused,
        "the JVM can't be attached to from here",
        ("only the JVM's own user and root may: run as one of them, or add --sudo",),
    ),
    speak.NO_TMP: (
        AttachRefused,
        "the JVM can't be attached to: it has no writable /tmp",
        (
            "a thread dump is still possible: --method quit",
            "mount a small tmpfs on /tmp to make attach possible",
        ),
    ),
    speak.SILENT: (
        JvmHung,
        "the JVM did not react",
        (
            "it may hang in a safepoint or a long collection",
            "a thread dump may still come out: --method quit",
        ),
    ),
    speak.HUNG: (
        JvmHung,
        "the JVM does not answer",
        ("it may hang in a safepoint or a long collection, or be stopped", "see its CPU: top -H -p PID"),
    ),
    speak.GONE: (JvmGone, "the JVM went away", ("see its log, hs_err_pid*.log and the kernel's log (OOM)",)),
    speak.UNSAFE: (
        AttachRefused,
        "attach is not safe with this JVM",
        ("it would be ended by the signal that attach needs; try again when it has started",),
    ),
}


def refusal(code: int, why: str) -> JvmdiagError:
    """The error for an exit code of speak.py or speak.pl; AttachRefused for any that is not one of theirs."""
    kind, what, advice = _WHAT.get(code, (AttachRefused, "the attach client failed", ()))
    return kind(what, why=why, advice=advice)
