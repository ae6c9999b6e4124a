"""The rung `direct`: the attach protocol itself. No JVM is started anywhere.

Spoken by this process where it may read /proc/PID/root of the JVM, else by a perl or python3 that is
beside the JVM already.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from jvmdiag.attach import speak
from jvmdiag.attach.reply import refusal, text_of
from jvmdiag.attach.rung import (
    NotReady,
    Reach,
    Readiness,
    Ready,
    Rung,
    Scene,
    Speaker,
    attach_obstacle,
    not_ours,
    reach_of,
)
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import CommandRecord, Jvm, Owner

# The client bounds itself by timeout_s; this is for its start and its way.
_GRACE_S = 15.0


class Direct(Rung):
    name = "direct"

    def probe(self, scene: Scene, line: str) -> Readiness:
        jvm = scene.jvm
        if obstacle := attach_obstacle(jvm):
            return NotReady(obstacle)
        if scene.view.kind is ViewKind.SIDECAR:
            return NotReady("there is no shell in the container, and this process cannot see into it")
        if not jvm.readable:
            return NotReady(not_ours(jvm))
        if in_process(scene.view.host, jvm):
            return Ready(
                "spoken by this process", (f"attach to pid {jvm.pid}: jcmd {line}",), "no process is started"
            )
        if interpreter := preferred_interpreter(jvm):
            command = f"{interpreter} - {jvm.pid} … jcmd {line!r}"
            return Ready(f"spoken by {interpreter}", (command,), "one short script beside the JVM")
        return NotReady("there is neither perl nor python3 beside it to speak the protocol")

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Speaker]:
        yield DirectSpeaker(scene.view.host, scene.jvm, reach_of(scene.view, scene.jvm))


def in_process(host: Host, jvm: Jvm) -> bool:
    """Whether this very process may speak to the JVM: root, or its own user and group."""
    if not host.is_here:
        return False
    # JDK 8 accepts nobody but its own euid and egid, root neither.
    if os.geteuid() == 0 and (jvm.major or 8) > 8:
        return True
    return Owner(os.geteuid(), os.getegid()) == jvm.owner


def preferred_interpreter(jvm: Jvm) -> str | None:
    """perl before python3: it starts in 15 ms instead of 50 to 100."""
    return next(
        (i for kind in ("perl", "python") for i in jvm.interpreters if Path(i).name.startswith(kind)), None
    )


@cache
def client(interpreter: str) -> tuple[tuple[str, ...], bytes]:
    """The command that runs the attach client, less its arguments, and the client for its stdin.

    Neither waits for the end of stdin, which a TLS connection to an engine cannot give.
    """
    if Path(interpreter).name.startswith("perl"):
        return (interpreter, "-"), Path(__file__).with_name("speak.pl").read_bytes() + b"\n__END__\n"
    source = Path(__file__).with_name("speak.py").read_bytes()
    return (interpreter, "-c", f"import sys; exec(sys.stdin.buffer.read({len(source)}))"), source


class DirectSpeaker(Speaker):
    """Speaks to `jvm`, whose pid is that of `host`."""

    method = "direct"

    def __init__(self, host: Host, jvm: Jvm, reach: Reach) -> None:
        self.reach: Reach = reach
        self._host = host
        self._jvm = jvm
        self._interpreter = "" if in_process(host, jvm) else preferred_interpreter(jvm) or "python3"
        self.client = f"attach protocol by {self._interpreter or 'this process'}"
        self.detail = self.client if host.is_here else f"{self.client}, on {host.name}"

    def ask(self, line: str, timeout_s: float) -> bytes:
        reply = self._by_script(line, timeout_s) if self._interpreter else self._by_us(line, timeout_s)
        return text_of(reply, line)

    def _by_us(self, line: str, timeout_s: float) -> bytes:
        started, code = time.monotonic(), 0
        try:
            return speak.speak(self._jvm.pid, self._jvm.start_ticks, timeout_s, "jcmd", [line])
        except speak.Refusal as error:
            code = error.code
            raise refusal(code, str(error)) from None
        finally:
            argv = ("attach", str(self._jvm.pid), "jcmd", line)
            self._host.record(
                CommandRecord(
                    self._host.name, argv, None, code, time.monotonic() - started, "by this process"
                )
            )

    def _by_script(self, line: str, timeout_s: float) -> bytes:
        jvm = self._jvm
        words = [str(jvm.pid), str(jvm.start_ticks), str(int(timeout_s)), "jcmd", line]
        argv, source = client(self._interpreter)
        done = self._host.run(
            [*argv, *words],
            stdin=source,
            user=self.reach.user if self.reach.user or (jvm.major or 8) > 8 else jvm.owner,
            timeout_s=timeout_s + _GRACE_S,
        )
        if not done.ok:
            raise refusal(done.exit_code, done.complaint or f"exit code {done.exit_code}")
        return done.stdout
