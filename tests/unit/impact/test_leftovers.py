"""What the look printed, and what is made of it."""

from __future__ import annotations

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.impact.leftovers import Lying, look_at, parse_look, remove
from tests.fakes import Asked, FakeHost, done

SAID = """\
now 1000
own file 1001 900 345 77 whole 4711 /data/a  b'c.hprof
own missing 0 0 0 0 - - /tmp/.jvmdiag-2.hprof
own fifo 1001 990 0 78 - - /tmp/.jvmdiag-3.hprof
own directory 1001 990 80 80 - 12 /dev/shm/.jvmdiag-4.hprof
other file 0 400 9 79 - - //java_pid1.hprof
other file torn
end
"""


def host_that_says(text: str, exit_code: int = 0) -> FakeHost:
    return FakeHost({lambda argv: argv[0] == "sh": done(text, exit_code)})


def test_a_line_is_a_path_with_all_that_is_known_of_it() -> None:
    there = parse_look(SAID.splitlines())
    assert there.named == (
        Lying("/data/a  b'c.hprof", "file", 1001, 100.0, 345, 77, "whole", 4711),
        Lying("/tmp/.jvmdiag-2.hprof", "missing", 0, 1000.0, 0, 0),
        Lying("/tmp/.jvmdiag-3.hprof", "fifo", 1001, 10.0, 0, 78),
        Lying("/dev/shm/.jvmdiag-4.hprof", "directory", 1001, 10.0, 80, 80, user=12),
    )
    assert there.others == (Lying("/java_pid1.hprof", "file", 0, 600.0, 9, 79),)
    assert [one.there for one in there.named] == [True, False, True, True]


def test_paths_are_told_on_stdin_and_never_on_a_command_line() -> None:
    host = host_that_says(SAID)
    look_at(Reach(host, "/proc/7/root", None), ["/tmp/a 'b"], ["/tmp"])
    [asked] = host.asked
    assert asked.stdin == b"look /tmp/a 'b\ndir /tmp\nend\n"
    assert asked.argv[3:] == ("sh", "/proc/7/root")


def test_a_look_that_was_cut_off_is_none() -> None:
    with pytest.raises(CommandRefused):
        look_at(Reach(host_that_says("now 1000\nown file", 1), "", None), ["/tmp/x"], [])


def test_what_is_to_be_removed_is_told_with_what_it_was() -> None:
    def answer(asked: Asked) -> bytes:
        assert asked.stdin == b"remove 77 345 /data/a b\nremove 78 0 /tmp/f\nend\n"
        return b"now 1000\nremoved /data/a b\nbusy /tmp/f\nend\n"

    host = FakeHost({lambda argv: argv[0] == "sh": answer})
    lying = [Lying("/data/a b", "file", 0, 0, 345, 77), Lying("/tmp/f", "fifo", 0, 0, 0, 78)]
    assert remove(Reach(host, "", None), lying) == {"/data/a b": "removed", "/tmp/f": "busy"}
