"""What is hidden in the answers of diagnostic commands."""

from __future__ import annotations

import pytest

from jvmdiag.jvm.masking import can_mask, mask_answer, mask_options, mask_program

ARGUMENTS = """\
1:
VM Arguments:
jvm_args: -Ddb.password=Secret -Dgreeting=hello Secret -XSecret words -Xmx1g -Dcatalina.home=/opt/tc -XX:OnError=Secret
java_command: org.acme.Main --token Secret
java_class_path (initial): /opt/app.jar
Launcher Type: SUN_STANDARD
"""
INFO = f"""\
# JRE version: OpenJDK Runtime Environment (17.0.15+6)

---------------  S U M M A R Y ------------

Command Line: -Ddb.password=Secret org.acme.Main --token Secret

Host: AMD EPYC, 2 cores, 23G
=>0x00007f9070018270 JavaThread "Secret "worker"" [_thread_blocked, id=7, stack(0x1,0x2)]

Internal exceptions (2 events):
Event: 0.112 Thread 0x00007f90 Exception <a 'java/lang/IllegalStateException'{{0x00000000ff9f6b58}}: Secret of
Secret in the next line> (0x00000000ff9f6b58)
thrown [./src/hotspot/share/interpreter/linkResolver.cpp, line 758]

VM Operations (1 events):
Event: 0.132 Executing VM operation: HandshakeAllThreads

[Global flags]
ccstrlist OnError                                  = echo Secret                            {{product}} {{command line}}
    ccstr ErrorFile                                =                                        {{product}} {{default}}
     intx CICompilerCount                          = 2                                      {{product}} {{ergonomic}}

{ARGUMENTS.removeprefix("1:")}
Environment Variables:
JAVA_TOOL_OPTIONS=-Dx=Secret
Secret

Secret too
PATH=/usr/bin
LANG=C.UTF-8

Active Locale:
LC_ALL=C.UTF-8
"""
PROPERTIES = """\
1:
#Wed Nov 25 18:55:50 UTC 2026
java.version=17.0.15
db.password=Secret
path\\=with=Secret\\=Secret
java.rmi.secret=Secret
sun.java.command=org.acme.Main --token Secret
os.name=Linux
"""


@pytest.mark.parametrize(
    ("command", "answer", "shown"),
    [
        ("VM.command_line", ARGUMENTS, ("-Xmx1g -Dcatalina.home=/opt/tc", "org.acme.Main (+2 arguments)")),
        (
            "VM.info",
            INFO,
            ("2 cores", "HandshakeAllThreads", "CICompilerCount  ", "PATH=/usr/bin", "LC_ALL=C"),
        ),
        (
            "VM.system_properties",
            PROPERTIES,
            ("java.version=17.0.15", "os.name=Linux", "Main (+2 arguments)"),
        ),
        ("VM.flags", "1:\n-XX:OnError=echo Secret -XX:+UseG1GC\n", ("-XX:OnError=*** -XX:+UseG1GC",)),
        ("VM.flags", "-XX:OnError=a\nSecret -XX:+UseG1GC\n", ("-XX:OnError=***",)),
        (
            "VM.flags -all",
            "[Global flags]\n  ccstr A  = a\nSecret   {product}\n bool B = true\n",
            ("B = true",),
        ),
        ("VM.flags -all", "ccstr OnError   = Secret words   {product} {command line}\n", ("{command line}",)),
        ("Thread.print -l", '"Secret" #12 prio=5 os_prio=0\n', ('"group-1-1" #12 prio=5 os_prio=0',)),
    ],
)
def test_secrets_are_hidden_and_the_rest_is_shown(command: str, answer: str, shown: tuple[str, ...]) -> None:
    assert can_mask(command)
    out = mask_answer(command, answer)
    assert "Secret" not in out
    assert "words" not in out
    for text in shown:
        assert text in out


def test_of_harmless_commands_everything_is_shown() -> None:
    assert mask_answer("GC.heap_info", " total 5K") == " total 5K"
    assert can_mask("VM.version")


@pytest.mark.parametrize(
    "command", ["VM.stringtable -verbose", "GC.heap_dump /tmp/x", "JFR.dump", "", "Some.thing"]
)
def test_what_may_hold_secrets_anywhere_is_refused(command: str) -> None:
    assert not can_mask(command)


def test_what_may_be_the_rest_of_a_value_is_hidden() -> None:
    assert mask_options("-Da=b -secret -Xmx1g more -cp /x") == "-Da=*** *** -Xmx1g *** ***"
    assert mask_options("") == ""
    assert mask_program("") == ""
    assert mask_program("/opt/a b.jar") == "/opt/a (+1 arguments)"
