"""The fake keeps the contract: what it runs elsewhere, and what it answers from its script."""

from __future__ import annotations

import os
import threading

import pytest

from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.local import LocalHost
from jvmdiag.model import CommandRecord, Owner
from tests.contract.host_contract import MIB, HostContract
from tests.fakes import Asked, FakeHost, Streamed, done


class TestFakeHostThatRunsElsewhere(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        return FakeHost(elsewhere=LocalHost())

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return Owner(65534, 65534) if os.geteuid() == 0 else None


def test_a_scripted_command_ends_as_the_script_says() -> None:
    host = FakeHost({("jps",): done("1 App\n", 3, "bad\n")})
    answer = host.run(["jps"])
    assert (answer.argv, answer.exit_code, answer.stdout, answer.complaint) == (
        ("jps",),
        3,
        b"1 App\n",
        "bad",
    )


def test_a_predicate_answers_and_a_callable_sees_what_was_asked() -> None:
    host = FakeHost({lambda argv: argv[0] == "cat": lambda asked: asked.stdin.upper()})
    assert host.run(["cat", "-"], stdin=b"abc", user=Owner(1, 2)).stdout == b"ABC"
    assert host.asked == [Asked(("cat", "-"), b"abc", Owner(1, 2))]


def test_the_first_line_of_the_script_that_fits_answers() -> None:
    host = FakeHost({("id",): b"exact", (lambda argv: True): b"any"})
    host.add(["id"], b"newer")
    assert (host.run(["id"]).stdout, host.run(["true"]).stdout) == (b"newer", b"any")


def test_a_command_that_is_not_scripted_is_the_tests_mistake() -> None:
    with pytest.raises(AssertionError, match="no answer to"):
        FakeHost().run(["rm", "-rf", "/"])


def test_a_scripted_exception_is_raised_by_both_verbs() -> None:
    host = FakeHost({("jcmd",): TimeoutError("jcmd did not end")})
    with pytest.raises(TimeoutError):
        host.run(["jcmd"])
    with pytest.raises(TimeoutError):
        host.stream(["jcmd"])


def test_a_scripted_stream_gives_pieces_of_1_mib_and_counts_them() -> None:
    host = FakeHost({("cat", "F"): done(bytes(3 * MIB + 1), 1, "e" * (100 << 10))})
    with host.stream(["cat", "F"]) as stream:
        sizes = [len(stream.read()), len(stream.read())]
        end = stream.finish()
    assert sizes == [MIB, MIB]
    assert (end.exit_code, end.size_bytes, len(end.stderr)) == (1, 3 * MIB + 1, 64 << 10)
    assert host.streams[0].closed


def test_a_scripted_stream_holds_its_pieces_until_something_is_sent() -> None:
    host = FakeHost({("sh",): Streamed((b"ready",), held=b"go", after_held=(b"got go",))})
    with host.stream(["sh"]) as stream:
        assert stream.read() == b"ready"
        threading.Timer(0.02, stream.send, (b"go\n",)).start()
        assert stream.read() == b"got go"
        assert stream.finish().exit_code == 0


def test_finish_releases_a_stream_that_was_never_sent_what_it_waits_for() -> None:
    with FakeHost({("sh",): Streamed((b"a",), held=b"go", after_held=(b"b",))}).stream(["sh"]) as stream:
        assert stream.finish().size_bytes == 1


def test_a_cut_stream_loses_the_connection_and_never_just_ends() -> None:
    host = FakeHost({("cat", "F"): Streamed((b"half",), cut=True)})
    with host.stream(["cat", "F"]) as stream:
        assert stream.read() == b"half"
        with pytest.raises(ConnectionLost):
            stream.read()
        with pytest.raises(ConnectionLost):
            stream.finish()
    with pytest.raises(ConnectionLost):
        host.run(["cat", "F"])


def test_scripted_commands_are_recorded_without_stdin() -> None:
    records: list[CommandRecord] = []
    host = FakeHost({("cat",): b""}, record=records.append)
    host.run(["cat"], stdin=b"a secret")
    assert [(record.argv, record.exit_code) for record in records] == [(("cat",), 0)]
    assert "a secret" not in repr(records)
