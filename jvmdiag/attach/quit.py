"""The rung `quit`: SIGQUIT, and the thread dump read back from where the JVM's stdout goes. Threads only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jvmdiag.attach.rung import (
    NO_HOTSPOT,
    THREAD_PRINT,
    NotReady,
    Reach,
    Readiness,
    Ready,
    Rung,
    Scene,
    Speaker,
    not_ours,
    reach_of,
)
from jvmdiag.errors import CommandRefused, JvmHung
from jvmdiag.hosts.place import ContainerPlace, ViewKind
from jvmdiag.jvm.discovery import require_still_there
from jvmdiag.model import Jvm, SigQuit, Vm

_START = re.compile(
    rb"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\r?\n)?Full thread dump [^\n]*\):\r?\n", re.MULTILINE
)
# The dump ends with the heap block, and that with the class space, where there is a compressed one.
_END = re.compile(rb"^ *class space +used [^\n]*\n\s*\n", re.MULTILINE)
_QUIET_S = 1.0
_POLL_S = 0.05


class Quit(Rung):
    name = "quit"

    def probe(self, scene: Scene, line: str) -> Readiness:
        jvm = scene.jvm
        if line.split()[0] != THREAD_PRINT:
            return NotReady("SIGQUIT gives a thread dump and nothing else")
        if line != THREAD_PRINT:
            return NotReady("SIGQUIT gives a plain thread dump, without the locks of --locks")
        if jvm.vm is Vm.OPENJ9:
            return NotReady("an OpenJ9 VM writes a javacore file instead")
        if jvm.sigquit is not SigQuit.CAUGHT:
            return NotReady(f"SIGQUIT is not caught by it ({jvm.sigquit.value}): it could end the process")
        if jvm.state in ("T", "t"):
            return NotReady(f"the process is stopped (state {jvm.state}): it would print only after SIGCONT")
        if not jvm.readable:
            return NotReady(not_ours(jvm))
        if jvm.vm is not Vm.HOTSPOT:
            return NotReady(NO_HOTSPOT)
        return _where_stdout_goes(scene)

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Speaker]:
        yield QuitSpeaker(scene)


def _where_stdout_goes(scene: Scene) -> Readiness:
    stdout, place = scene.jvm.stdout, scene.place
    signal = f"kill -QUIT {scene.jvm.pid}"
    risk = "the dump is written into the JVM's own log, inside a safepoint"
    if isinstance(place, ContainerPlace) and (scene.jvm.stdout_is_of_pid1 or scene.container_pid == 1):
        if not place.facts.log_kept:
            driver = place.facts.log_driver
            return NotReady(f"the container's log driver {driver} can't be read back, and no copy is kept")
        return Ready(
            "SIGQUIT, read back from the container's log",
            (signal, f"docker logs --since … {place.facts.name}"),
            risk,
        )
    if stdout.startswith("/") and not stdout.startswith("/dev/"):
        return Ready(f"SIGQUIT, read back from {stdout}", (signal, f"tail {_stdout_of(scene.jvm)}"), risk)
    return NotReady(f"its stdout is {stdout or 'not known'}: nothing could be read back from there")


def _stdout_of(jvm: Jvm) -> str:
    """A path that leads to the file itself: it may have been moved or removed, and be named in any encoding."""
    return f"/proc/{jvm.pid}/fd/1"


class QuitSpeaker(Speaker):
    """Sends the signal and waits for the end of the dump in the log."""

    method = "quit"

    def __init__(self, scene: Scene) -> None:
        self.reach: Reach = reach_of(scene.view, scene.jvm)
        self._scene = scene
        self.detail = "SIGQUIT"

    def ask(self, line: str, timeout_s: float) -> bytes:
        if line != THREAD_PRINT:
            raise CommandRefused(f"SIGQUIT cannot ask for {line!r}")
        place, jvm = self._scene.place, self._scene.jvm
        require_still_there(self._scene.view.host, jvm, self.reach.user)
        until = time.monotonic() + timeout_s
        if isinstance(place, ContainerPlace) and (jvm.stdout_is_of_pid1 or self._scene.container_pid == 1):
            self.detail = f"SIGQUIT, read back from the log of {place.name}"
            return self._from_log(place, until)
        self.detail = f"SIGQUIT, read back from {jvm.stdout}"
        return self._from_file(until)

    def _signal(self) -> None:
        jvm, view = self._scene.jvm, self._scene.view
        done = view.host.run(["sh", "-c", 'kill -QUIT "$1"', "sh", str(jvm.pid)], user=self.reach.user)
        if not done.ok:
            raise CommandRefused("SIGQUIT could not be sent", why=done.complaint)

    def _from_log(self, place: ContainerPlace, until: float) -> bytes:
        # The engine stamps the lines with its own clock: what is new is told from its last stamp.
        last = place.engine.last_log_stamp(place.facts.id)
        if self._scene.view.kind is ViewKind.SIDECAR and self._scene.container_pid == 1:
            place.signal("SIGQUIT")
        else:
            self._signal()
        return _await_dump(lambda: place.engine.log_since(place.facts.id, last), until)

    def _from_file(self, until: float) -> bytes:
        reach, path = self.reach, _stdout_of(self._scene.jvm)
        size = _size(reach, path)
        self._signal()
        argv = ["tail", "-c", f"+{size + 1}", path]
        return _await_dump(lambda: reach.host.run(argv, user=reach.user).stdout, until)


def _size(reach: Reach, path: str) -> int:
    done = reach.host.run(["sh", "-c", 'wc -c <"$1"', "sh", path], user=reach.user)
    if not done.ok:
        raise CommandRefused("the file that is the JVM's stdout cannot be read", why=done.complaint)
    return int(done.stdout)


def _await_dump(fetch: Callable[[], bytes], until: float) -> bytes:
    """The dump in what `fetch` returns, once it is whole. Raises JvmHung where none comes in time."""
    seen, since = b"", time.monotonic()
    while time.monotonic() < until:
        text = fetch()
        if dump := whole_dump(text):
            return dump
        if len(text) != len(seen):
            seen, since = text, time.monotonic()
        elif (dump := ended_dump(text)) and time.monotonic() - since > _QUIET_S:
            return dump
        time.sleep(_POLL_S)
    what = "began a thread dump and did not end it" if _START.search(seen) else "printed no thread dump"
    raise JvmHung(
        f"the JVM {what} in time",
        why="it may hang in a safepoint",
        advice="what it prints later stands in its own log",
    )


def whole_dump(text: bytes) -> bytes | None:
    """The first thread dump in `text`, from its time line to the end of its heap block; None where it has no end."""
    start = _START.search(text)
    end = _END.search(text, start.end()) if start else None
    return text[start.start() : end.end()] if start and end else None


def ended_dump(text: bytes) -> bytes | None:
    """A dump of a JVM without a compressed class space, whose heap block has no line to tell its end by."""
    start = _START.search(text)
    return text[start.start() :] if start and b"\nJNI global ref" in text and b"\nHeap\n" in text else None
