"""What every Host keeps, whatever carries its commands: each adapter and the fake subclass this suite."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from jvmdiag.hosts.base import Host
from jvmdiag.model import CommandRecord, Owner

NASTY = "a b;$(id)'\n\"\\ *~`é"
EVERY_BYTE = bytes(range(256)) * 64
MIB = 1 << 20
WAIT_S = 60.0


def wait_until(holds: Callable[[], bool], bound_s: float = WAIT_S) -> bool:
    """Whether `holds` comes true within the bound."""
    until = time.monotonic() + bound_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def shell(script: str, *arguments: str) -> list[str]:
    """The argv of a POSIX shell script with its $1, $2 ..."""
    return ["sh", "-c", script, "sh", *arguments]


def lives(host: Host, pid: str) -> bool:
    """Whether a process is there and no zombie."""
    script = 'kill -0 "$1" && ! grep -q "^State:.*Z" "/proc/$1/status"'
    return host.run(shell(script, pid)).ok


class HostContract:
    """Subclasses give the fixture `host`, and `another_user` where the host can switch."""

    @pytest.fixture
    def host(self) -> Host:
        raise NotImplementedError

    @pytest.fixture
    def another_user(self) -> Owner | None:
        return None

    # How a command ends

    @pytest.mark.parametrize("code", [0, 1, 42, 255])
    def test_the_exit_code_is_the_commands(self, host: Host, code: int) -> None:
        assert host.run(shell(f"exit {code}")).exit_code == code

    def test_a_missing_command_ends_with_127(self, host: Host) -> None:
        done = host.run(["jvmdiag-no-such-command"])
        assert (done.exit_code, done.stdout) == (127, b"")

    def test_a_missing_command_ends_a_stream_with_127(self, host: Host) -> None:
        with host.stream(["jvmdiag-no-such-command"]) as stream:
            assert stream.finish().exit_code == 127

    def test_a_file_that_is_no_program_ends_with_126(self, host: Host) -> None:
        assert host.run(["/etc/passwd"]).exit_code == 126

    def test_a_killed_command_ends_with_128_and_the_signal(self, host: Host) -> None:
        assert host.run(shell("echo up; kill -9 $$")).exit_code == 137

    def test_a_stream_killed_midway_does_not_look_like_success(self, host: Host) -> None:
        with host.stream(shell("head -c 100000 /dev/zero; kill -9 $$")) as stream:
            size = sum(len(chunk) for chunk in stream)
            end = stream.finish()
        assert (size, end.exit_code, end.size_bytes) == (100000, 137, 100000)

    def test_a_command_that_takes_too_long_is_given_up(self, host: Host) -> None:
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="sleep"):
            host.run(["sleep", "60"], timeout_s=0.3)
        assert time.monotonic() - started < 30

    # What goes in

    def test_names_come_through_unharmed(self, host: Host) -> None:
        done = host.run(["printf", "%s|", NASTY, "", "--", "A=b", "last"])
        assert done.stdout.decode() == f"{NASTY}||--|A=b|last|"

    def test_the_argv_in_the_answer_is_the_one_that_was_asked(self, host: Host) -> None:
        assert host.run(["printf", "%s", NASTY]).argv == ("printf", "%s", NASTY)

    def test_every_byte_of_stdin_arrives_and_returns(self, host: Host) -> None:
        assert host.run(["cat"], stdin=EVERY_BYTE).stdout == EVERY_BYTE

    def test_a_megabyte_of_stdin_arrives(self, host: Host) -> None:
        assert host.run(["wc", "-c"], stdin=b"x" * MIB).stdout.split() == [str(MIB).encode()]

    def test_stdin_that_nobody_reads_does_no_harm(self, host: Host) -> None:
        assert host.run(["true"], stdin=b"x" * (4 * MIB)).exit_code == 0

    def test_without_stdin_a_command_reads_its_end(self, host: Host) -> None:
        assert host.run(["cat"]).stdout == b""

    # What comes out

    def test_zeros_come_through(self, host: Host) -> None:
        assert host.run(["head", "-c", "5000", "/dev/zero"]).stdout == bytes(5000)

    def test_line_ends_stay_as_they_are(self, host: Host) -> None:
        assert host.run(["printf", r"a\nb\r\nc\r"]).stdout == b"a\nb\r\nc\r"

    def test_stdout_and_stderr_stay_apart(self, host: Host) -> None:
        done = host.run(shell("echo out; echo err >&2"))
        assert (done.stdout, done.stderr, done.complaint) == (b"out\n", b"err\n", "err")

    def test_3_mb_of_stderr_before_stdout_do_not_block(self, host: Host) -> None:
        noise = "head -c 3145728 /dev/zero | tr '\\000' e >&2; echo done"
        done = host.run(shell(noise))
        assert (done.exit_code, done.stdout) == (0, b"done\n")
        assert done.stderr.endswith(b"e" * 1000)

    def test_a_stream_keeps_the_end_of_3_mb_of_stderr(self, host: Host) -> None:
        noise = "head -c 3145728 /dev/zero | tr '\\000' e >&2; echo the last >&2; echo done"
        with host.stream(shell(noise)) as stream:
            assert b"".join(stream) == b"done\n"
            end = stream.finish()
        assert end.exit_code == 0
        assert end.complaint.endswith("ethe last")
        assert len(end.stderr) == 64 << 10

    def test_silence_is_no_end(self, host: Host) -> None:
        with host.stream(shell("sleep 1.5; echo back")) as stream:
            assert stream.read() == b"back\n"
            assert stream.finish().exit_code == 0

    # Streams

    def test_a_stream_is_read_to_its_end_and_says_how_it_ended(self, host: Host) -> None:
        with host.stream(shell("head -c 3000000 /dev/zero; echo bad >&2; exit 3")) as stream:
            assert b"".join(stream) == bytes(3_000_000)
            assert stream.read() == b""
            end = stream.finish()
        assert (end.exit_code, end.size_bytes, end.stderr) == (3, 3_000_000, b"bad\n")

    def test_no_piece_of_a_stream_is_larger_than_1_mib(self, host: Host) -> None:
        with host.stream(["head", "-c", "8000000", "/dev/zero"]) as stream:
            sizes = [len(chunk) for chunk in stream]
        assert sum(sizes) == 8_000_000
        assert max(sizes) <= MIB

    def test_finish_drains_what_was_not_read(self, host: Host) -> None:
        with host.stream(["head", "-c", "3000000", "/dev/zero"]) as stream:
            first = stream.read()
            end = stream.finish()
        assert 0 < len(first) < 3_000_000
        assert (end.exit_code, end.size_bytes) == (0, 3_000_000)

    def test_what_a_command_wrote_before_it_ended_comes_to_a_reader_that_is_late(self, host: Host) -> None:
        with host.stream(["head", "-c", "6000000", "/dev/zero"]) as stream:
            stream.send(b"")
            got = len(stream.read())
            time.sleep(0.5)
            got += sum(map(len, stream))
            assert (got, stream.finish().exit_code) == (6_000_000, 0)

    def test_finish_closes_stdin(self, host: Host) -> None:
        with host.stream(["cat"]) as stream:
            stream.send(EVERY_BYTE)
            end = stream.finish()
        assert (end.exit_code, end.size_bytes) == (0, len(EVERY_BYTE))

    def test_a_command_whose_stdin_ended_is_read_on(self, host: Host) -> None:
        with host.stream(shell("cat; echo after")) as stream:
            stream.send(b"mine\n")
            stream.end_input()
            assert b"".join(stream) == b"mine\nafter\n"
            assert stream.finish().exit_code == 0

    def test_what_is_sent_releases_the_far_process(self, host: Host) -> None:
        with host.stream(shell('echo ready; read x; echo "got $x"')) as stream:
            assert stream.read() == b"ready\n"
            stream.send(b"go\n")
            assert stream.read() == b"got go\n"
            assert stream.finish().exit_code == 0

    def test_another_thread_may_send_while_one_reads(self, host: Host) -> None:
        with host.stream(["cat"]) as stream:
            sender = threading.Thread(target=lambda: [stream.send(EVERY_BYTE) for _ in range(64)])
            sender.start()
            got = 0
            while got < MIB:
                got += len(stream.read())
            sender.join()
            assert stream.finish().size_bytes == MIB

    def test_sending_to_a_command_that_no_longer_reads_is_silent(self, host: Host) -> None:
        with host.stream(shell("exec <&-; echo closed; sleep 0.3")) as stream:
            assert stream.read() == b"closed\n"
            stream.send(b"late\n")
            assert stream.finish().exit_code == 0
            stream.send(b"later\n")

    def test_an_abandoned_stream_ends_the_far_process(self, host: Host) -> None:
        with host.stream(shell("echo $$; exec cat")) as stream:
            pid = stream.read().decode().strip()
            assert lives(host, pid)
        assert wait_until(lambda: not lives(host, pid))

    def test_an_abandoned_stream_ends_a_process_that_writes(self, host: Host) -> None:
        with host.stream(shell("echo $$; exec cat /dev/zero")) as stream:
            pid = stream.read().partition(b"\n")[0].decode()
            assert lives(host, pid)
        assert wait_until(lambda: not lives(host, pid))

    def test_closing_twice_does_nothing(self, host: Host) -> None:
        stream = host.stream(["cat"])
        stream.close()
        stream.close()

    def test_two_streams_at_once_do_not_disturb_each_other(self, host: Host) -> None:
        with host.stream(["cat"]) as one, host.stream(["cat"]) as other:
            one.send(b"one")
            other.send(b"other")
            assert (other.read(), one.read()) == (b"other", b"one")

    def test_a_command_runs_while_a_stream_is_open_and_not_read(self, host: Host) -> None:
        with host.stream(["cat", "/dev/zero"]):
            assert host.run(["echo", "here"]).stdout == b"here\n"

    # Users

    def test_a_command_runs_as_the_user_that_was_asked_for(
        self, host: Host, another_user: Owner | None
    ) -> None:
        if another_user is None:
            pytest.skip("this host cannot switch to another user here")
        done = host.run(shell("id -u; id -g"), user=another_user)
        assert done.text.split() == [str(another_user.uid), str(another_user.gid)]

    def test_a_stream_runs_as_the_user_that_was_asked_for(
        self, host: Host, another_user: Owner | None
    ) -> None:
        if another_user is None:
            pytest.skip("this host cannot switch to another user here")
        with host.stream(shell("id -u; cat"), user=another_user) as stream:
            stream.send(b"mine\n")
            end = stream.finish()
        assert (end.exit_code, end.size_bytes) == (0, len(f"{another_user.uid}\nmine\n"))

    # Records

    def test_a_command_is_recorded_with_its_end_and_without_its_stdin(self, host: Host) -> None:
        records: list[CommandRecord] = []
        host.record = records.append
        host.run(shell("cat >/dev/null; exit 5"), stdin=b"a secret")
        (record,) = records
        assert record.argv == tuple(shell("cat >/dev/null; exit 5"))
        assert (record.host, record.exit_code) == (host.name, 5)
        assert "a secret" not in repr(record)

    def test_a_stream_is_recorded_once_with_its_end_and_without_what_is_sent(self, host: Host) -> None:
        records: list[CommandRecord] = []
        host.record = records.append
        script = shell("cat; exit 5")
        with host.stream(script) as stream:
            stream.send(b"a secret")
            assert records == []
            stream.finish()
        (record,) = records
        assert (record.argv, record.exit_code, record.note) == (tuple(script), 5, "")
        assert record.seconds > 0
        assert "a secret" not in repr(records)

    def test_a_stream_that_is_let_go_is_recorded_as_that(self, host: Host) -> None:
        records: list[CommandRecord] = []
        host.record = records.append
        with host.stream(["cat"]):
            pass
        with pytest.raises(KeyError), host.stream(["cat"]):
            raise KeyError
        ends = [(record.exit_code, record.note) for record in records if record.argv == ("cat",)]
        assert ends == [(None, "closed"), (None, "KeyError")]

    def test_a_command_that_was_given_up_is_recorded_as_that(self, host: Host) -> None:
        records: list[CommandRecord] = []
        host.record = records.append
        with pytest.raises(TimeoutError):
            host.run(["sleep", "9"], timeout_s=0.2)
        # A host may need a command of its own to end the one that was given up.
        assert [r.note for r in records if r.argv[0] == "sleep"] == ["TimeoutError"]
        assert [r.exit_code for r in records if r.argv[0] == "sleep"] == [None]
