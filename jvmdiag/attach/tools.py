"""The rung `tools`: jcmd, jstack and jmap beside the JVM's own java, or the module jdk.jcmd without launchers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from jvmdiag.attach.reply import looks_refused, refused
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
from jvmdiag.errors import AttachRefused, CommandRefused, JvmdiagError, JvmGone, JvmHung
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ContainerPlace, ViewKind
from jvmdiag.model import Completed, Jvm, Owner

# A small heap and one collector thread; the tool answers in text. Streaming from inside the safepoint
# (24 and later) would let a slow reader freeze the JVM; older tools take the property and ignore it.
_JVM_OPTIONS = (
    "-Xmx64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djdk.attach.allowStreamingOutput=false",
)
# The first line is the tool's pid, so that one that hangs can be ended; options meant for the
# application (agents, ports) must not reach the tool.
_WRAPPER = 'unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS; echo "$$"; exec "$@"'
_START_S = 10.0
# What such a JVM takes in all. In a container that is full the kernel ends the largest process: the target.
_TAKES_BYTES = 96 << 20


@dataclass(frozen=True)
class Tool:
    """One launcher: `words` put in front, and in which form it takes a diagnostic command."""

    name: str
    words: tuple[str, ...]

    def argv(self, pid: int, line: str) -> tuple[str, ...] | None:
        """The command for `line`, or None where this tool cannot ask for that."""
        if self.name == "jcmd":
            return (*self.words, str(pid), line)
        words = _OLD_FORMS.get((self.name, line.partition(" ")[0]))
        return None if words is None else (*self.words, *_old_form(words, line), str(pid))


_OLD_FORMS = {
    ("jstack", "Thread.print"): "threads",
    ("jmap", "GC.class_histogram"): "histogram",
    ("jmap", "GC.heap_dump"): "heap",
}


def _old_form(what: str, line: str) -> tuple[str, ...]:
    everything = "-all" in line.split()
    if what == "threads":
        return ("-l",) if "-l" in line.split() else ()
    if what == "histogram":
        return ("-histo",) if everything else ("-histo:live",)
    path = line.partition('"')[2].rpartition('"')[0] or line.split()[-1]
    return (f"-dump:{'' if everything else 'live,'}format=b,file={path}",)


def tools_beside(paths: Sequence[str], java: str, *, jcmd_module: bool) -> tuple[Tool, ...]:
    """The launchers of a runtime, jcmd first; a runtime with only the module is asked by java itself."""
    launchers = tuple(f"-J{option}" for option in _JVM_OPTIONS)
    found = {PurePosixPath(path).name: Tool(PurePosixPath(path).name, (path, *launchers)) for path in paths}
    if "jcmd" not in found and jcmd_module:
        found["jcmd"] = Tool("jcmd", (java, *_JVM_OPTIONS, "-m", "jdk.jcmd/sun.tools.jcmd.JCmd"))
    return tuple(found[name] for name in ("jcmd", "jstack", "jmap") if name in found)


class Tools(Rung):
    name = "tools"

    def probe(self, scene: Scene, line: str) -> Readiness:
        jvm = scene.jvm
        if obstacle := attach_obstacle(jvm):
            return NotReady(obstacle)
        if not jvm.readable:
            return NotReady(not_ours(jvm))
        if scene.view.kind is ViewKind.MACHINE and len(jvm.nspids) > 1:
            return NotReady("it is in a container, and its tools can be run from inside only")
        if scene.view.kind is ViewKind.SIDECAR or not jvm.shell:
            return NotReady("there is no shell in the container to run a tool with")
        if isinstance(scene.place, ContainerPlace) and (why := _no_memory_for_it(jvm)):
            return NotReady(why)
        tools = tools_beside(jvm.tools, jvm.java, jcmd_module=jvm.jcmd_module)
        argv = next((a for t in tools if (a := t.argv(scene.container_pid, line))), None)
        if argv is None:
            return NotReady(
                f"no jcmd, jstack or jmap in {jvm.java_home or 'its Java home'}, nor the module jdk.jcmd"
            )
        return Ready(
            f"by {argv[0]}", (" ".join(argv),), "a JVM of 64 MB is started inside the target's limits"
        )

    @contextmanager
    def open(self, scene: Scene) -> Iterator[Speaker]:
        tools = tools_beside(scene.jvm.tools, scene.jvm.java, jcmd_module=scene.jvm.jcmd_module)
        yield ToolSpeaker(
            "tools",
            scene.inside,
            scene.jvm.owner,
            scene.container_pid,
            tools,
            reach_of(scene.view, scene.jvm),
            scene.jvm,
        )


def _no_memory_for_it(jvm: Jvm) -> str:
    """Why a second JVM in the container could get the first one killed, or empty."""
    if jvm.memory is None:
        return ""
    left_bytes = max(jvm.memory.limit_bytes - jvm.memory.used_bytes, 0)
    if left_bytes >= _TAKES_BYTES:
        return ""
    left = f"only {left_bytes / 1e6:,.0f} MB are left of the container's memory limit"
    return f"{left}: a tool's own JVM could get it killed"


class ToolSpeaker(Speaker):
    """Asks through JDK tools that run on `host` as `user` and know the JVM as `pid`."""

    def __init__(
        self,
        method: str,
        host: Host,
        user: Owner | None,
        pid: int,
        tools: tuple[Tool, ...],
        reach: Reach,
        jvm: Jvm,
    ) -> None:
        self.method = method
        self.reach: Reach = reach
        self._jvm = jvm
        self._host = host
        self._user = user
        self._pid = pid
        self._tools = tools
        self.client = f"{tools[0].words[0]} as {user or 'root'}"
        self.detail = f"{self.client}, on {host.name}"

    def ask(self, line: str, timeout_s: float) -> bytes:
        argv = next((a for t in self._tools if (a := t.argv(self._pid, line))), None)
        if argv is None:
            raise CommandRefused(
                f"no tool there can ask for {line!r}", why="only jcmd could, and there is none"
            )
        try:
            done = self._run(argv, timeout_s + _START_S)
        finally:
            self._clear_trigger()
        text = _without_greeting(done.stdout, self._pid)
        if not done.ok:
            raise _failure(done, text, line)
        if looks_refused(text):
            raise refused(line, text)
        return text

    def _clear_trigger(self) -> None:
        """JDK tools leave their .attach_pidN behind, in a sidecar even when they succeed."""
        jvm, reach = self._jvm, self.reach
        if jvm.attach_listening or jvm.stale_trigger:
            return
        places = (f"/proc/{jvm.pid}/cwd", f"/proc/{jvm.pid}/root/tmp")
        with contextlib.suppress(JvmdiagError, TimeoutError):
            reach.host.run(
                ["rm", "-f", *(f"{place}/.attach_pid{jvm.nspid}" for place in places)], user=reach.user
            )

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> Completed:
        """To its end, or JvmHung after the tool was ended: it would stay in the target for ever."""
        late = threading.Event()
        received = bytearray()

        def end_it() -> None:
            late.set()
            self._kill(bytes(received).partition(b"\n")[0].decode("ascii", "replace"))

        timer = threading.Timer(timeout_s, end_it)
        with self._host.stream(["sh", "-c", _WRAPPER, "sh", *argv], user=self._user) as stream:
            timer.start()
            try:
                for chunk in stream:
                    received += chunk
                end = stream.finish()
            except BaseException:
                end_it()
                raise
            finally:
                timer.cancel()
        if late.is_set():
            raise JvmHung(
                f"the JVM did not answer {argv[0]} within {timeout_s:g} s",
                why="the tool was ended after that",
            )
        _, _, out = bytes(received).partition(b"\n")
        return Completed(argv, 1 if end.exit_code is None else end.exit_code, out, end.stderr, 0.0)

    def _kill(self, pid: str) -> None:
        if pid.isdigit():
            with contextlib.suppress(JvmdiagError, TimeoutError):
                self._host.run(["sh", "-c", 'kill -9 "$1"', "sh", pid], user=self._user)


def _without_greeting(stdout: bytes, pid: int) -> bytes:
    """jcmd's own first line is the pid and a colon."""
    greeting = f"{pid}:\n".encode()
    return stdout[len(greeting) :] if stdout.startswith(greeting) else stdout


def _failure(done: Completed, text: bytes, line: str) -> JvmdiagError:
    # jcmd prints the JVM's refusal on stderr, and on stdout only its greeting.
    if refusal := next((part for part in (done.stderr, text) if looks_refused(part)), None):
        return refused(line, refusal)
    said = (done.stderr + text).decode("utf-8", "replace")
    if "doesn't respond" in said or "Unable to open socket file" in said:
        return AttachRefused(
            "the JVM did not answer the JDK's tool",
            why=_telling_line(said),
            advice=(
                "the attempt made the JVM print thread dumps into its own log: up to 6",
                "try --method direct or jdk-image",
            ),
        )
    if "No such process" in said or "non existent JVM pid" in said:
        return JvmGone("the JVM ended", why=_telling_line(said))
    if "Operation not permitted" in said or "Permission denied" in said:
        return AttachRefused("the JDK's tool may not attach", why=_telling_line(said))
    return AttachRefused(f"{done.argv[0]} ended with {done.exit_code}", why=_telling_line(said))


def _telling_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next(
        (line for line in lines if "Exception" in line or "Error" in line or "Unable" in line),
        lines[0] if lines else "",
    )
