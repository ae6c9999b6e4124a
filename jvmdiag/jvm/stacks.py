"""The threads of a thread dump: name, tid, state, and where each is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A name may hold quotation marks: it ends with the last one before what HotSpot prints. nid is hexadecimal up to 20.
_HEAD = re.compile(
    r'^"(?P<name>.*)" (?:#\d|daemon |prio=|os_prio=|cpu=).*\bnid=(?P<nid>0x[0-9a-f]+|\d+)\b(?P<rest>.*)$'
)
_STATE = "   java.lang.Thread.State: "
_FRAME = "\tat "
_LIBRARY = re.compile(r"(?:javax?|jdk|sun|com\.sun)\.")
_END = ("JNI global ref", "Found ")


@dataclass(frozen=True)
class Stack:
    """One thread. `tid` counts in the JVM's own PID namespace. `state` is Java's (RUNNABLE, BLOCKED, WAITING,
    TIMED_WAITING), and for a thread of the VM what HotSpot prints (runnable, waiting on condition). `frames` are the
    innermost first, without their modules; a thread of the VM has none.
    """

    name: str
    tid: int
    state: str
    frames: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The innermost frame; empty where there is none."""
        return self.frames[0] if self.frames else ""

    @property
    def own(self) -> str:
        """The innermost frame outside of the JDK: whose code came to wait or work there. Empty where there is none."""
        return next((frame for frame in self.frames if not _LIBRARY.match(frame)), "")


def parse_stacks(dump: bytes) -> tuple[Stack, ...]:
    """Every thread, in the order of the dump; a thread that is listed in a deadlock is not listed twice."""
    return tuple(_stacks(dump.decode("utf-8", "replace").splitlines()))


def _stacks(lines: list[str]) -> Iterator[Stack]:
    head: re.Match[str] | None = None
    state, frames = "", list[str]()
    for line in lines:
        found = _HEAD.match(line) if line.startswith('"') else None
        if found or line.startswith(_END):
            if head:
                yield _stack(head, state, frames)
            head, state, frames = found, "", []
        elif head and line.startswith(_STATE):
            state = line.removeprefix(_STATE).partition(" ")[0]
        elif head and line.startswith(_FRAME):
            frames.append(_without_module(line.removeprefix(_FRAME)))
        if line.startswith(_END):
            return
    if head:
        yield _stack(head, state, frames)


def _stack(head: re.Match[str], state: str, frames: list[str]) -> Stack:
    native = head["rest"].partition("[")[0].strip()
    return Stack(head["name"], int(head["nid"], 0), state or native, tuple(frames))


def _without_module(frame: str) -> str:
    """java.net.Socket.accept(java.base@11.0.13/Native Method) as java.net.Socket.accept(Native Method)."""
    return re.sub(r"\([\w.]+@[^/()]*/", "(", frame)
