"""What lies around a JVM: the script on real directories, the options that name others, the kinds of files."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import jvmdiag
from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.hosts.local import LocalHost
from jvmdiag.snapshot.found import Kind, Lying, found_text, look_around, parse_found, words_for
from jvmdiag.snapshot.kernel import run_script
from tests.unit.jvm.probe_case import the_jvm_of

here = pytest.mark.skipif(sys.platform != "linux", reason="the script is for targets, which run Linux")
SCRIPTS = ("jvm/real.sh", "snapshot/found.sh")
TOMCAT = the_jvm_of("tomcat-inside")


def around(prefix: Path | str, *words: str) -> Lying:
    return look_around(Reach(LocalHost(), str(prefix), None), os.getpid(), words)


@here
def test_what_is_left_and_what_is_logged_is_found_by_name_and_by_descriptor(tmp_path: Path) -> None:
    for name in ("hs_err_pid1.log", "a.hprof", "b.jfr", "gc.log.0", "notes.md", "server.log"):
        (tmp_path / name).write_text("1234567")
    (tmp_path / "dir.hprof").mkdir()
    (tmp_path / "pipe.hprof").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe.hprof")
    with (tmp_path / "open one.log").open("w") as opened:
        found = around("", f"dump:{tmp_path}")
        assert {(one.name, one.kind) for one in found.left} >= {
            ("hs_err_pid1.log", Kind.ERROR_FILE),
            ("a.hprof", Kind.HEAP_DUMP),
            ("b.jfr", Kind.RECORDING),
            ("gc.log.0", Kind.GC_LOG),
        }
        names = {one.name for one in found.files}
        assert not names & {"notes.md", "server.log", "dir.hprof", "pipe.hprof"}
        [log] = [one for one in found.logs if one.name == "open one.log"]
        assert log.descriptor == opened.fileno()
    assert "server.log" in {one.name for one in around("", f"log:{tmp_path}").logs}


@here
def test_of_an_open_file_that_is_nothing_by_its_name_nobody_asks(tmp_path: Path) -> None:
    with (tmp_path / "data.bin").open("w"), (tmp_path / "gc.LOG.0.current").open("w"):
        text = run_script(Reach(LocalHost(), "", None), "found.sh", (str(os.getpid()), ""), 10).decode()
    assert "gc.LOG.0.current" in text and "data.bin" not in text


@here
def test_links_lead_where_the_jvm_would_be_led_and_never_out_of_its_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for directory in (root / "var/log/tomcat", root / "var/lib/tomcat", outside):
        directory.mkdir(parents=True)
    (outside / "secret.log").write_text("not for you")
    (root / "var/log/tomcat/catalina.log").write_text("inside")
    (root / "var/lib/tomcat/logs").symlink_to("/var/log/tomcat")
    (root / "var/lib/tomcat/up").symlink_to("../../../../../../../../var/log/tomcat")
    (root / "var/lib/tomcat/out").symlink_to(str(outside))
    (root / "var/lib/tomcat/round").symlink_to("round")
    for name in ("logs", "up"):
        [log] = [one for one in around(root, f"log:/var/lib/tomcat/{name}").logs if one.descriptor is None]
        assert log.path == "/var/log/tomcat/catalina.log"
    for name in ("out", "round"):
        assert not [one for one in around(root, f"log:/var/lib/tomcat/{name}").logs if one.descriptor is None]


@here
def test_the_end_of_a_log_is_read_inside_of_that_root_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "logs").mkdir(parents=True)
    (root / "logs/a b.log").write_text("0123456789")
    (tmp_path / "secret").write_text("not for you")
    (root / "logs/link.log").symlink_to("/logs/a b.log")
    (root / "logs/out.log").symlink_to(str(tmp_path / "secret"))
    reach = Reach(LocalHost(), str(root), None)
    for name in ("a b.log", "link.log"):
        assert run_script(reach, "tail.sh", (reach.prefix, f"/logs/{name}", "4"), 10) == b"6789"
    with pytest.raises(CommandRefused):
        run_script(reach, "tail.sh", (reach.prefix, "/logs/out.log", "4"), 10)


@here
@pytest.mark.skipif(os.geteuid() != 0, reason="nothing is closed to nobody but root")
def test_a_directory_that_is_closed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "apache2"
    closed.mkdir(mode=0o700)
    for directory in (tmp_path, *tmp_path.parents):
        if directory.name.startswith(("pytest-", "popen-", "test_")):
            directory.chmod(0o755)
    found = look_around(Reach(LocalHost(), "", replace(TOMCAT, pid=1).owner), 0, [f"log:{closed}"])
    assert found.closed == (str(closed),)
    assert "not for this user to read" in found_text(found)


def test_the_options_say_where_else_to_look() -> None:
    options = (
        "-Dcatalina.base=/srv/tc",
        "-XX:HeapDumpPath=/dumps/oom.hprof",
        "-XX:ErrorFile=/var/crash/hs_err_%p.log",
        "-Xlog:gc*,safepoint:file=/var/gc/gc.log:time:filecount=5",
        "-Xlog:gc*:stderr",
        "-Xlog:gc",
        "-Xloggc:old/gc.log",
        "-XX:StartFlightRecording=duration=60s,filename=/rec/a.jfr",
        "-XX:FlightRecorderOptions=repository=/repo",
    )
    words = words_for(replace(TOMCAT, options=options, cwd="/work"))
    assert words[:2] == ("dump:/tmp", "dump:/work")
    wanted = {"/dumps", "/var/crash", "/var/gc", "/work/old", "/rec", "/repo"}
    assert {f"dump:{one}" for one in wanted} <= set(words)
    assert "log:/srv/tc/logs" in words
    assert not any("stderr" in word for word in words)


def test_a_listing_that_was_cut_is_none() -> None:
    with pytest.raises(CommandRefused, match="to its end"):
        parse_found("now 10\n")


def test_a_name_that_holds_a_line_of_its_own_is_no_second_file() -> None:
    text = "now 10\nthere 81a4 5 7 /root/tmp/a.hprof\nthere 41ed 5 7 /root/tmp/dir.hprof\ngarbage\n"
    text += "log zz 1 2 y.log\nlog 81a4 ² 2 y.log\nfd ² /y.log\nfd 7 /y.log\nat ² 81a4 1 2\nat 8 81a4 1 2\nnow ²\nend\n"
    [found] = parse_found(text, "/root").files
    assert (found.path, found.size_bytes, found.age_s, found.descriptor) == ("/tmp/a.hprof", 7, 5.0, None)


@here
def test_of_thousands_of_open_logs_each_is_listed_by_a_few_commands(tmp_path: Path) -> None:
    logs = [(tmp_path / f"{number} a.log").open("w") for number in range(1200)]
    try:
        for log in logs:
            log.write("x" * 7)
            log.flush()
        found = around("")
    finally:
        for log in logs:
            log.close()
    assert {one.path for one in found.files} >= {str(log.name) for log in logs}
    assert all(one.size_bytes == 7 for one in found.files if str(tmp_path) in one.path)
    assert found.passed_over == 0


@here
def test_a_directory_of_more_names_than_a_command_takes_is_listed_whole(tmp_path: Path) -> None:
    long = "a" * 200
    named = [f"{number:05} {long}'s.log" for number in range(8000)]
    (first := tmp_path / named[0]).write_text("1234567")
    for name in named[1:]:
        os.link(first, tmp_path / name)
    expected = set(named)
    # No command is given so many at once.
    assert sum(len(os.fsencode(tmp_path)) + len(name) + 2 for name in expected) > os.sysconf("SC_ARG_MAX")
    logs = [one for one in around("", f"log:{tmp_path}").logs if one.path.startswith(f"{tmp_path}/")]
    assert {one.name for one in logs} == expected and {one.size_bytes for one in logs} == {7}
    script = b"\n".join((Path(jvmdiag.__file__).parent / name).read_bytes() for name in SCRIPTS)
    by_bash = LocalHost().run(["bash", "-s", "--", "0", "", f"log:{tmp_path}"], stdin=script).stdout
    assert {one.name for one in parse_found(by_bash.decode()).logs} == expected


@here
def test_what_is_not_listed_in_time_does_not_cost_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bin", "many", "few"):
        (tmp_path / name).mkdir()
    for number in range(500):
        (tmp_path / f"many/{number}.log").touch()
    (tmp_path / "few/a.log").touch()
    # A minute passes behind the first two hundred.
    (date := tmp_path / "bin/date").write_text(
        f"#!/bin/sh\necho >>{tmp_path}/asked\n[ $(wc -l <{tmp_path}/asked) -gt 3 ] && echo 160 || echo 100"
    )
    date.chmod(0o700)
    monkeypatch.setenv("PATH", f"{date.parent}:{os.environ['PATH']}")
    found = around("", f"log:{tmp_path}/many", f"log:{tmp_path}/few")
    ours = [one.path for one in found.logs if one.path.startswith(str(tmp_path))]
    assert len(ours) == 201 and f"{tmp_path}/few/a.log" in ours
    # Three patterns match nothing, and are among the words that were left.
    assert found.passed_over == 303


def test_what_was_passed_over_is_said() -> None:
    found = parse_found("now 10\nfd 7 /a/gc.log\nat 7 81a4 5 3\nmore 1000\nmore 200\nend\n")
    assert [(one.descriptor, one.size_bytes) for one in found.files] == [(7, 3)]
    assert "not looked at: 1,200 more files" in found_text(found)


def test_nothing_found_is_said() -> None:
    assert found_text(Lying()) == "nothing was found\n"
