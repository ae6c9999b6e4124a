"""The JDK's tools: which there are, how each is asked, and what their failures mean."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from jvmdiag.attach.rung import NotReady, Reach, Ready
from jvmdiag.attach.tools import _START_S, Tool, Tools, ToolSpeaker, tools_beside
from jvmdiag.errors import AttachRefused, CommandRefused, ConnectionLost, JvmdiagError, JvmGone, JvmHung
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import Jvm, MemoryLimit, Owner
from tests.fakes import Answer, FakeHost, Streamed, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container, on_a_machine

APP = Owner(1001, 1001)
JCMD = Tool("jcmd", ("/jdk/bin/jcmd",))
JSTACK = Tool("jstack", ("/jdk/bin/jstack",))
JMAP = Tool("jmap", ("/jdk/bin/jmap",))
WITH_JDK = the_jvm_of("tomcat-with-jdk-inside")
LISTENING = replace(WITH_JDK, attach_listening=True)


def test_jcmd_takes_every_command_as_it_is() -> None:
    assert JCMD.argv(7, 'GC.heap_dump "/tmp/a b"') == ("/jdk/bin/jcmd", "7", 'GC.heap_dump "/tmp/a b"')


@pytest.mark.parametrize(
    ("tool", "line", "argv"),
    [
        (JSTACK, "Thread.print", ("/jdk/bin/jstack", "7")),
        (JSTACK, "Thread.print -l", ("/jdk/bin/jstack", "-l", "7")),
        (JSTACK, "GC.class_histogram", None),
        (JMAP, "GC.class_histogram", ("/jdk/bin/jmap", "-histo:live", "7")),
        (JMAP, "GC.class_histogram -all", ("/jdk/bin/jmap", "-histo", "7")),
        (
            JMAP,
            'GC.heap_dump -all "/tmp/a b.hprof"',
            ("/jdk/bin/jmap", "-dump:format=b,file=/tmp/a b.hprof", "7"),
        ),
        (
            JMAP,
            'GC.heap_dump "/tmp/x.hprof"',
            ("/jdk/bin/jmap", "-dump:live,format=b,file=/tmp/x.hprof", "7"),
        ),
        (JMAP, "GC.heap_dump /tmp/x", ("/jdk/bin/jmap", "-dump:live,format=b,file=/tmp/x", "7")),
        (JMAP, "Thread.print", None),
        (JMAP, "VM.version", None),
    ],
)
def test_the_older_tools_take_what_they_know_in_their_own_form(
    tool: Tool, line: str, argv: tuple[str, ...] | None
) -> None:
    assert tool.argv(7, line) == argv


def test_jcmd_is_asked_before_the_older_tools_wherever_they_stand() -> None:
    paths = ("/b/bin/jps", "/b/bin/jmap", "/b/bin/jstack", "/b/bin/jcmd")
    assert [tool.name for tool in tools_beside(paths, "/b/bin/java", jcmd_module=True)] == [
        "jcmd",
        "jstack",
        "jmap",
    ]


def test_a_launcher_gets_a_small_heap_and_an_answer_that_is_not_streamed() -> None:
    [tool] = tools_beside(["/b/bin/jcmd"], "/b/bin/java", jcmd_module=False)
    assert tool.words[0] == "/b/bin/jcmd"
    assert {"-J-Xmx64m", "-J-Djdk.attach.allowStreamingOutput=false"} <= set(tool.words)
    assert all(word.startswith("-J") for word in tool.words[1:])


def test_a_runtime_with_the_module_but_no_launcher_is_asked_by_java_itself() -> None:
    [tool] = tools_beside([], "/b/bin/java", jcmd_module=True)
    argv = tool.argv(7, "VM.version")
    assert argv is not None
    assert argv[0] == "/b/bin/java"
    assert argv[-4:] == ("-m", "jdk.jcmd/sun.tools.jcmd.JCmd", "7", "VM.version")
    assert not any(word.startswith("-J") for word in argv)


def test_a_runtime_without_tools_has_none() -> None:
    assert tools_beside([], "/b/bin/java", jcmd_module=False) == ()


BARE = the_jvm_of("jre-minimal-host")
NO_SHELL = replace(WITH_JDK, shell=False)
CLOSED = the_jvm_of("another-user-inside")


def test_a_jvm_with_a_jdk_is_ready_and_shows_the_exact_command() -> None:
    ready = Tools().probe(in_a_container(WITH_JDK), "Thread.print")
    assert isinstance(ready, Ready)
    assert ready.commands[0].startswith(WITH_JDK.tools[0])
    assert ready.commands[0].endswith(" 1 Thread.print")
    assert "inside the target's limits" in ready.risk


def test_seen_from_the_engines_host_the_command_names_the_pid_of_the_container() -> None:
    jvm = replace(the_jvm_of("not-pid1-host"), tools=("/j/bin/jcmd",))
    ready = Tools().probe(in_a_container(jvm, kind=ViewKind.ENGINE_HOST), "VM.version")
    assert isinstance(ready, Ready)
    assert ready.commands[0].endswith(" 6 VM.version")


@pytest.mark.parametrize(
    ("jvm", "kind", "line", "reason"),
    [
        (BARE, ViewKind.ENGINE_HOST, "Thread.print", "nor the module jdk.jcmd"),
        (NO_SHELL, ViewKind.INSIDE, "Thread.print", "no shell"),
        (WITH_JDK, ViewKind.SIDECAR, "Thread.print", "no shell"),
        (CLOSED, ViewKind.INSIDE, "Thread.print", "belongs to user 1001"),
        (
            the_jvm_of("options-and-limit-inside"),
            ViewKind.INSIDE,
            "Thread.print",
            "DisableAttachMechanism in JAVA_TOOL_OPTIONS",
        ),
        (
            replace(WITH_JDK, tools=("/j/bin/jstack",), jcmd_module=False),
            ViewKind.INSIDE,
            "VM.version",
            "no jcmd",
        ),
    ],
)
def test_a_jvm_that_cannot_be_asked_with_tools_says_why(
    jvm: Jvm, kind: ViewKind, line: str, reason: str
) -> None:
    answer = Tools().probe(in_a_container(jvm, kind=kind), line)
    assert isinstance(answer, NotReady)
    assert reason in answer.reason


def test_a_jvm_in_a_container_of_another_engine_is_not_asked_with_tools_from_around_it() -> None:
    answer = Tools().probe(on_a_machine(replace(WITH_JDK, pid=4711, nspids=(4711, 1))), "Thread.print")
    assert isinstance(answer, NotReady)
    assert "from inside only" in answer.reason


def test_a_container_without_memory_for_a_second_jvm_gets_none() -> None:
    full = replace(WITH_JDK, memory=MemoryLimit(128 << 20, 100 << 20))
    answer = Tools().probe(in_a_container(full), "Thread.print")
    assert isinstance(answer, NotReady)
    assert "only 29 MB are left" in answer.reason
    roomy = replace(full, memory=MemoryLimit(228 << 20, 100 << 20))
    assert isinstance(Tools().probe(in_a_container(roomy), "Thread.print"), Ready)
    # On a machine the tool runs in the login's own group.
    assert isinstance(Tools().probe(on_a_machine(full), "Thread.print"), Ready)


def test_jmap_alone_is_ready_for_a_heap_dump_and_refuses_what_only_jcmd_knows() -> None:
    only_jmap = replace(WITH_JDK, tools=("/jdk/bin/jmap",), jcmd_module=False)
    assert isinstance(Tools().probe(in_a_container(only_jmap), "GC.heap_dump"), Ready)
    asks, host = speaker(done("1\n"), (JMAP,))
    with pytest.raises(CommandRefused):
        asks.ask("GC.heap_info", 5)
    assert host.asked == []


def speaker(answer: Answer, tools: tuple[Tool, ...] = (JCMD,)) -> tuple[ToolSpeaker, FakeHost]:
    host = FakeHost({lambda argv: argv[0] == "sh": answer}, name="docker://web")
    return ToolSpeaker("tools", host, APP, 1, tools, Reach(host, "", APP), LISTENING), host


def test_the_answer_comes_without_the_wrappers_pid_and_the_tools_greeting() -> None:
    speaks, host = speaker(done("4711\n1:\nOpenJDK 64-Bit Server VM\n"))
    assert speaks.ask("VM.version", 5) == b"OpenJDK 64-Bit Server VM\n"
    [asked] = host.asked
    assert (asked.user, asked.argv[-3:]) == (APP, ("/jdk/bin/jcmd", "1", "VM.version"))


def test_options_meant_for_the_application_do_not_reach_the_tool() -> None:
    speaks, host = speaker(done("4711\n1:\nok\n"))
    speaks.ask("VM.version", 5)
    script = host.asked[0].argv[2]
    assert script.startswith("unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS;")


def test_a_tool_without_a_greeting_loses_no_line() -> None:
    assert speaker(done("4711\n 12 x\n"), (JMAP,))[0].ask("GC.class_histogram", 5) == b" 12 x\n"


def test_the_first_tool_that_can_is_the_one_that_is_asked() -> None:
    speaks, host = speaker(done("4711\nx\n"), (JSTACK, JMAP))
    speaks.ask("GC.class_histogram -all", 5)
    assert host.asked[0].argv[-3:] == ("/jdk/bin/jmap", "-histo", "1")


# Each as the tools of 11, 17 and 25 print it.
UNKNOWN = "java.lang.IllegalArgumentException: Unknown diagnostic command\n"
BAD_ARGUMENT = "java.lang.IllegalArgumentException: Unknown argument '-zz' in diagnostic command.\n"
STACK = "\tat jdk.attach/sun.tools.attach.VirtualMachineImpl.<init>(Unknown Source)\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "kind", "why"),
    [
        ("1:\n", UNKNOWN, CommandRefused, "Unknown diagnostic command"),
        (
            "1:\n",
            BAD_ARGUMENT,
            CommandRefused,
            "Unknown argument '-zz' in diagnostic command.",
        ),
        (f"1:\n{BAD_ARGUMENT}", "", CommandRefused, "Unknown argument '-zz' in diagnostic command."),
        (
            "1:\n",
            "com.sun.tools.attach.AttachNotSupportedException: Unable to open socket file "
            f"/proc/1/root/tmp/.java_pid1: target process 1 doesn't respond within 10500ms\n{STACK}",
            AttachRefused,
            "Unable to open socket file",
        ),
        (
            "1:\n",
            f"com.sun.tools.attach.AttachNotSupportedException: The VM does not support the attach mechanism\n{STACK}",
            AttachRefused,
            "does not support the attach mechanism",
        ),
        ("1:\n", f"java.io.IOException: No such process\n{STACK}", JvmGone, "No such process"),
        ("", "77: No such process\n", JvmGone, "No such process"),
        ("1:\n", f"java.io.IOException: non existent JVM pid: 77\n{STACK}", JvmGone, "non existent JVM pid"),
        (
            "1:\n",
            f"java.io.IOException: Operation not permitted\n{STACK}",
            AttachRefused,
            "Operation not permitted",
        ),
        (
            "1:\n",
            "java.io.IOException: well-known file /tmp/.java_pid1 is not secure: file should be owned by the "
            f"current user (which is 1) but is owned by 0\n{STACK}",
            AttachRefused,
            "is not secure",
        ),
        ("", "Error occurred during initialization of VM\n", AttachRefused, "Error occurred"),
        ("", "", AttachRefused, ""),
    ],
    ids=[
        "unknown-command",
        "bad-argument",
        "bad-argument-on-stdout",
        "no-answer",
        "disabled",
        "gone",
        "gone-jstack",
        "gone-25",
        "not-permitted",
        "not-secure",
        "no-memory",
        "silent",
    ],
)
def test_a_failed_tool_becomes_the_error_that_it_means(
    stdout: str, stderr: str, kind: type[JvmdiagError], why: str
) -> None:
    speaks, _ = speaker(done(f"4711\n{stdout}", 1, stderr))
    with pytest.raises(JvmdiagError) as caught:
        speaks.ask("Thread.print -zz", 5)
    assert type(caught.value) is kind
    assert why in caught.value.why


def test_a_refusal_is_one_also_where_the_tool_ends_with_0() -> None:
    with pytest.raises(CommandRefused, match="Unknown argument"):
        speaker(done(f"4711\n1:\n{BAD_ARGUMENT}"))[0].ask("Thread.print -zz", 5)


def test_a_tool_whose_end_is_not_known_is_no_success() -> None:
    with pytest.raises(AttachRefused):
        speaker(Streamed((b"4711\n1:\nhalf an ans",), exit_code=None))[0].ask("Thread.print", 5)


def test_a_shell_that_is_not_there_is_a_refusal_and_no_answer() -> None:
    with pytest.raises(AttachRefused, match="127"):
        speaker(done("", 127, "sh: not found"))[0].ask("Thread.print", 5)


def test_a_tool_that_was_being_read_when_the_connection_broke_is_ended() -> None:
    killed = ("sh", "-c", 'kill -9 "$1"', "sh", "4711")
    host = FakeHost(
        {killed: done(), (lambda argv: argv[0] == "sh"): Streamed((b"4711\n1:\nhalf",), cut=True)}, name="x"
    )
    speaks = ToolSpeaker("tools", host, APP, 1, (JCMD,), Reach(host, "", APP), LISTENING)
    with pytest.raises(ConnectionLost):
        speaks.ask("Thread.print", 5)
    assert [asked.user for asked in host.asked if asked.argv == killed] == [APP]


def test_a_tool_that_hangs_is_ended_and_the_jvm_named_as_hung() -> None:
    # The reader waits until somebody sends; the end of the tool is what releases it here.
    host = FakeHost(name="x")

    def ended(_: object) -> Answer:
        host.streams[0].send(b"released")
        return done()

    host.add(lambda argv: argv[0] == "sh", Streamed((b"4711\n",), exit_code=137, held=b"released"))
    host.add(("sh", "-c", 'kill -9 "$1"', "sh", "4711"), ended)
    speaks = ToolSpeaker("tools", host, APP, 1, (JCMD,), Reach(host, "", APP), LISTENING)
    with pytest.raises(JvmHung, match="did not answer"):
        speaks.ask("Thread.print", 0.4 - _START_S)
    assert host.asked[-1].argv[-1] == "4711"


REMOVE = ("rm", "-f", "/proc/1/cwd/.attach_pid1", "/proc/1/root/tmp/.attach_pid1")


@pytest.mark.parametrize("ends", [done("9\n1:\nok\n"), done("9\n1:\n", 1, "No such process")])
def test_the_trigger_that_a_tool_leaves_is_removed_however_it_ended(ends: Answer) -> None:
    host = FakeHost({lambda argv: argv[0] == "sh": ends, REMOVE: done()})
    speaks = ToolSpeaker("tools", host, APP, 1, (JCMD,), Reach(host, "", APP), WITH_JDK)
    with contextlib.suppress(JvmGone):
        speaks.ask("VM.version", 5)
    assert (host.asked[-1].argv, host.asked[-1].user) == (REMOVE, APP)


@pytest.mark.parametrize("jvm", [LISTENING, replace(WITH_JDK, stale_trigger=".attach_pid1 in 1/cwd")])
def test_a_trigger_that_is_not_ours_is_left_alone(jvm: Jvm) -> None:
    host = FakeHost({lambda argv: argv[0] == "sh": done("9\n1:\nok\n")})
    ToolSpeaker("tools", host, APP, 1, (JCMD,), Reach(host, "", APP), jvm).ask("VM.version", 5)
    assert len(host.asked) == 1


def test_an_open_rung_runs_inside_the_container_as_the_jvms_user() -> None:
    scene = in_a_container(
        replace(the_jvm_of("not-pid1-host"), tools=("/j/bin/jcmd",)), kind=ViewKind.ENGINE_HOST
    )
    assert isinstance(scene.inside, FakeHost)
    scene.inside.add(lambda argv: argv[-1] == "VM.version", done("9\n6:\nok\n"))
    with Tools().open(scene) as speaks:
        assert speaks.ask("VM.version", 5) == b"ok\n"
        assert "docker://web" in speaks.detail
    assert scene.inside.asked[0].user == APP


def test_on_a_machine_the_pid_is_the_one_that_is_seen() -> None:
    ready = Tools().probe(on_a_machine(replace(WITH_JDK, pid=99, nspids=(99,))), "VM.version")
    assert isinstance(ready, Ready)
    assert ready.commands[0].endswith(" 99 VM.version")
