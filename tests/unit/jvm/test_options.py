"""JVM options: the launcher's own rules, who has the last word, and what may be shown."""

from __future__ import annotations

import pytest

from jvmdiag.jvm.options import (
    attach_disabled_by,
    mask_command,
    mask_option,
    split_command,
    split_variable,
)

OFF, ON = "-XX:+DisableAttachMechanism", "-XX:-DisableAttachMechanism"


@pytest.mark.parametrize(
    ("command", "options", "main"),
    [
        ("java App", (), "App"),
        ("java -Xmx1g -cp /a:/b com.x.App -cp no", ("-Xmx1g", "-cp", "/a:/b"), "com.x.App"),
        ("java -jar app.jar --port 1", (), "-jar app.jar"),
        ("java -p mods -m x/x.Main -v", ("-p", "mods"), "-m x/x.Main"),
        ("java --module x", (), "--module x"),
        (
            "java --add-opens java.base/x=ALL @args -version",
            ("--add-opens", "java.base/x=ALL", "@args", "-version"),
            "",
        ),
        ("java --enable-native-access a,b App", ("--enable-native-access", "a,b"), "App"),
        ("java --source 17 App.java", ("--source", "17"), "App.java"),
        ("java --add-opens=java.base/x=ALL App", ("--add-opens=java.base/x=ALL",), "App"),
        ("java -jar", (), "-jar"),
        ("java -cp", ("-cp",), ""),
        ("jsvc", (), ""),
    ],
)
def test_a_command_line_is_split_as_the_launcher_does(
    command: str, options: tuple[str, ...], main: str
) -> None:
    assert split_command(command.split()) == (options, main)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("", ()),
        ("-Xmx1g   -Da=b", ("-Xmx1g", "-Da=b")),
        ("-Dname=\"two words\" '-Dx=y z'", ("-Dname=two words", "-Dx=y z")),
        ('-Dunclosed="a b', ('-Dunclosed="a', "b")),
    ],
)
def test_a_variable_is_split_at_blanks_outside_quotes(value: str, options: tuple[str, ...]) -> None:
    assert split_variable(value) == options


def test_the_last_source_decides_about_attach() -> None:
    assert attach_disabled_by([("TOOL", [OFF]), ("line", [])]) == "TOOL"
    assert attach_disabled_by([("TOOL", [OFF]), ("line", [ON])]) is None
    assert attach_disabled_by([("TOOL", [ON]), ("line", [OFF])]) == "line"
    assert attach_disabled_by([("line", [OFF, ON, OFF])]) == "line"
    assert attach_disabled_by([("line", ["-Dx=-XX:+DisableAttachMechanism"])]) is None


@pytest.mark.parametrize(
    "option",
    [
        "-Xmx512m",
        "-XX:+UseG1GC",
        "-XX:HeapDumpPath=/var/dumps",
        "-Dcatalina.base=/var/lib/tomcat10",
        "-Djava.io.tmpdir=/tmp",
        "-Dfile.encoding=UTF-8",
        "-Dorg.apache.catalina.security.SecurityListener.UMASK=0027",
        "-Dflag",
        "-Xlog:gc*:file=/var/log/gc.log",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(option: str) -> None:
    assert mask_option(option) == option


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("-Dtoken=hunter2", "-Dtoken=***"),
        ("-Ddb=postgres://u:hunter2@h/x", "-Ddb=***"),
        ("-Djavax.net.ssl.keyStorePassword=hunter2", "-Djavax.net.ssl.keyStorePassword=***"),
        ("-Djava.rmi.password=hunter2", "-Djava.rmi.password=***"),
        ("-Djdk.secretname=hunter2", "-Djdk.secretname=***"),
        ("-Dlogging.webhook=https://hooks/hunter2", "-Dlogging.webhook=***"),
        ("-Duser.pin=hunter2", "-Duser.pin=***"),
        ("-Dfile.signing=hunter2", "-Dfile.signing=***"),
        ("-Duser.home=http://u:hunter2@h/", "-Duser.home=***"),
        ("-Dserverish=hunter2", "-Dserverish=***"),
        ("-Dx=a=hunter2", "-Dx=***"),
        ("-javaagent:/opt/agent.jar=key=hunter2", "-javaagent:/opt/agent.jar=***"),
        ("-agentlib:jdwp=password=hunter2", "-agentlib:jdwp=***"),
        ("-agentpath:/x.so=hunter2", "-agentpath:/x.so=***"),
        ("-Xbootclasspath/a:http://u:hunter2@h/x.jar", "-Xbootclasspath/a:http://***@h/x.jar"),
    ],
)
def test_what_may_hold_a_secret_is_shown_without_its_value(option: str, shown: str) -> None:
    assert mask_option(option) == shown


def test_of_the_programs_own_arguments_only_their_number_is_shown() -> None:
    command = ("java", "-Dpw=hunter2", "-cp", "/opt", "App", "--password", "hunter2")
    assert mask_command(command) == ("java", "-Dpw=***", "-cp", "/opt", "App", "(+2 arguments)")


def test_a_command_line_without_arguments_is_shown_whole() -> None:
    assert mask_command(("java", "-jar", "my app.jar")) == ("java", "-jar", "my app.jar")
    assert mask_command(("java",)) == ("java",)
    assert mask_command(()) == ()
