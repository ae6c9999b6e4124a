"""What is printed, where, and what is not."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator

import pytest

from jvmdiag.cli.console import Console
from jvmdiag.cli.progress import progress_of
from jvmdiag.errors import Declined, JvmdiagError, NoMethod
from jvmdiag.model import CommandRecord

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _nothing_printed_yet() -> Iterator[None]:
    Console.answered = False
    yield
    Console.answered = False


def test_results_go_to_stdout_and_the_rest_to_stderr(capsys: Captured) -> None:
    console = Console()
    console.result("web.txt")
    console.say("42 threads")
    console.warn("left behind")
    assert capsys.readouterr() == ("web.txt\n", "42 threads\njvmdiag: left behind\n")


def test_a_reader_who_has_seen_enough_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        console = Console()
        heard = [console.heard]
        for text in ("one", "two"):
            console.result(text)
            heard.append(console.heard)
        assert heard == [True, False, False]
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def test_quiet_leaves_results_and_warnings(capsys: Captured) -> None:
    console = Console(quiet=True)
    console.result("web.txt")
    console.say("42 threads")
    console.warn("left behind")
    assert capsys.readouterr() == ("web.txt\n", "jvmdiag: left behind\n")


FAILURE = NoMethod("no way", why="every way was looked at", advice=("  direct: no perl", "  quit: no log"))


def test_a_failure_is_what_why_and_what_to_do(capsys: Captured) -> None:
    Console().failure(FAILURE)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "jvmdiag: no way",
        "  why: every way was looked at",
        "    direct: no perl",
        "    quit: no log",
    ]


def test_with_json_there_is_one_document_and_not_two(capsys: Captured) -> None:
    console = Console(json=True)
    console.failure(FAILURE)
    assert '"NoMethod"' in capsys.readouterr().out
    console.failure(FAILURE)
    assert capsys.readouterr().out == ""


def test_a_command_is_one_short_line_whatever_is_in_it(capsys: Captured) -> None:
    Console().command(CommandRecord("docker://web", ("sh", "-c", "a\nb " * 200), None, None, 0.25, "closed"))
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(" …  (closed, 250 ms)")
    assert len(line) < 220


def test_nobody_is_asked_where_nobody_sits(capsys: Captured) -> None:
    console = Console()
    assert not console.interactive
    assert console.ask is None
    with pytest.raises(Declined, match="nobody is there"):
        console.confirm("a plan", "Take it?")
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_nothing_is_painted(capsys: Captured) -> None:
    console = Console()
    with progress_of(console, "heap dump") as progress:
        progress.expect(100)
        progress.advance(50)
        console.pulling("layer", 1, 2)
        progress.warn("left behind")
    assert capsys.readouterr() == ("", "jvmdiag: left behind\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_comes_from_a_target_does_not_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("sys.stdout", terminal)
    console = Console()
    console.warn("left behind: /tmp/\x1b[2Jx\ty")
    console.failure(JvmdiagError("no \x1b]0;title\x07", why="\x9b2J", advice="rm '\r'"))
    console.result("two\nlines\x08")
    shown = terminal.getvalue()
    assert shown.splitlines()[0] == "jvmdiag: left behind: /tmp/\\x1b[2Jx\ty"
    assert shown.endswith("two\nlines\\x08\n")
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def test_a_pipe_gets_what_came_as_it_came(capsys: Captured) -> None:
    Console().result("a\x1b[2Jb")
    assert capsys.readouterr().out == "a\x1b[2Jb\n"
