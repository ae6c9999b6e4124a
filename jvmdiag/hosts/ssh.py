"""An SSH host as a Host: commands are sessions of one connection. Imported on use: it takes 170 ms."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from contextlib import ExitStack

import paramiko

from jvmdiag.errors import ConnectionLost, ConnectionRefused, SudoRefused
from jvmdiag.hosts.base import CHUNK, ByteStream, Host, Recorder
from jvmdiag.hosts.ssh_auth import authenticate
from jvmdiag.hosts.ssh_config import Hop, SshConfig
from jvmdiag.hosts.ssh_connection import Connection
from jvmdiag.hosts.ssh_errors import foreign_errors, ours
from jvmdiag.hosts.ssh_options import SshOptions
from jvmdiag.hosts.ssh_transport import SshTransport
from jvmdiag.hosts.sudo import Identity, UserSwitch, is_sudos_own
from jvmdiag.hosts.tail import Tail
from jvmdiag.model import Completed, Owner, StreamEnd
from jvmdiag.target import SshTarget

__all__ = ["SshHost", "SshOptions", "open_ssh"]

_OPEN_S = 30.0
# sshd allows ten sessions (MaxSessions), and counts one until its command has ended, after we have let go.
_SESSION_S = 15.0
_AGAIN_S = 0.1
_NO_SESSION = 2  # SSH_OPEN_CONNECT_FAILED of RFC 4254, which is what sshd says then
_DRAIN_S = 5.0
_WHO_AM_I = ("sh", "-c", "id -u; id -g; id -G")


def open_ssh(target: SshTarget, options: SshOptions, record: Recorder | None = None) -> SshHost:
    """Connect and log in, through every jump host; costs about 0.3 s and a dozen round trips for each.

    Raises HostNotFound, ConnectionRefused, ConnectionTimedOut, ConnectionLost, HostKeyUnknown,
    HostKeyChanged, AuthenticationFailed, and BadRequest for an ssh configuration that cannot be read.
    """
    hop = SshConfig(options.config_path).hop(target)
    with ExitStack() as undo:
        before: Connection | None = None
        for jump in hop.jumps:
            before = _enter(jump, options, before, undo)
        host = SshHost(str(target), _enter(hop, options, before, undo), options, record)
        host.identify()
        undo.pop_all()
    return host


def _enter(hop: Hop, options: SshOptions, before: Connection | None, undo: ExitStack) -> Connection:
    connection = Connection(hop, options, before)
    undo.callback(connection.close)
    connection.open()
    with foreign_errors(hop.address):
        authenticate(connection.transport, hop, options)
    return connection


class SshHost(Host):
    """A host with a login. `login` is the user's name there, `uid` its number, and `host_key_checked`
    says whether known_hosts vouched for this host and every jump host before it."""

    def __init__(
        self, name: str, connection: Connection, options: SshOptions, record: Recorder | None
    ) -> None:
        super().__init__(name, record)
        self._connection = connection
        self._options = options
        self._me = Identity(Owner(-1, -1), connection.hop.user)
        self._users = self._switches()

    @property
    def hop(self) -> Hop:
        """Where the connection goes, as ~/.ssh/config made it."""
        return self._connection.hop

    @property
    def login(self) -> str:
        return self.hop.user

    @property
    def uid(self) -> int:
        return self._me.owner.uid

    @property
    def owner(self) -> Owner:
        """uid and gid of the login."""
        return self._me.owner

    def settle(self, user: Owner) -> None:
        """Find out how commands run as `user`, in the caller's thread: it may ask for sudo's password.

        Raises SudoRefused.
        """
        self._users.to(user)

    @property
    def sudo(self) -> bool:
        """Whether sudo was asked for."""
        return self._options.sudo

    @property
    def rtt_s(self) -> float:
        """The shortest round trip so far, in seconds: the opening of a channel and its confirmation."""
        return self.transport.rtt_s or 0.0

    @property
    def host_key_checked(self) -> bool:
        one: Connection | None = self._connection
        while one is not None:
            if not one.host_key_checked:
                return False
            one = one.before
        return True

    @property
    def transport(self) -> SshTransport:
        return self._connection.transport

    def identify(self) -> None:
        """Ask who we are there. Raises ConnectionRefused where the login runs no commands as they are."""
        done = self.run(_WHO_AM_I)
        lines = done.text.splitlines()
        if not done.ok or len(lines) != 3 or not all(word.isdecimal() for word in done.text.split()):
            raise _no_commands(self, done)
        groups = tuple(int(word) for word in lines[2].split())
        self._me = Identity(Owner(int(lines[0]), int(lines[1])), self.login, groups)
        self._users = self._switches()
        if not self.transport.is_near:
            # Until its first command runs, sshd leaves Nagle's algorithm on: 40 ms that are no distance.
            with foreign_errors(self.hop.address):
                self._open_channel(_OPEN_S).close()

    def _switches(self) -> UserSwitch:
        def probe(argv: tuple[str, ...], stdin: bytes) -> Completed:
            return self.run(argv, stdin=stdin)

        return UserSwitch(self.name, self._me, probe, sudo=self._options.sudo, ask=self._options.ask)

    def _run(self, argv: tuple[str, ...], stdin: bytes, user: Owner | None, timeout_s: float) -> Completed:
        started = time.monotonic()
        with contextlib.closing(self._start(argv, user, timeout_s)) as stream:
            try:
                feeder = threading.Thread(target=stream.send_all, args=(stdin,), daemon=True)
                feeder.start()
                stream.deadline = started + timeout_s
                out = b"".join(stream)
                end = stream.finish()
                code = stream.exit_code()
            except TimeoutError:
                raise TimeoutError(f"{argv[0]} on {self.name} did not end within {timeout_s:g} s") from None
        return Completed(argv, code, out, end.stderr, time.monotonic() - started)

    def _stream(self, argv: tuple[str, ...], user: Owner | None) -> ByteStream:
        return self._start(argv, user, _OPEN_S)

    def _start(self, argv: tuple[str, ...], user: Owner | None, timeout_s: float) -> SshStream:
        switch = self._users.to(user)
        stream = SshStream(self, self._execute(switch.argv(argv), timeout_s), switched=bool(switch.before))
        if switch.stdin:
            stream.send(switch.stdin)
        return stream

    def _execute(self, argv: tuple[str, ...], timeout_s: float) -> paramiko.Channel:
        with foreign_errors(self.hop.address):
            channel = self._open_channel(min(timeout_s, _OPEN_S))
            try:
                # sshd gives the text to the login shell. `exec` takes its place, so that a name like
                # A=b or a builtin is the command it says, and a signal reaches the command itself.
                channel.exec_command(f"exec {shlex.join(argv)}")
            except BaseException:
                channel.close()
                raise
        return channel

    def _open_channel(self, timeout_s: float) -> paramiko.Channel:
        """A channel; where sshd has no session just now, once one of ours has ended. Raises what paramiko does."""
        until = time.monotonic() + min(timeout_s, _SESSION_S)
        while True:
            first = self.transport.rtt_s is None
            try:
                return self.transport.open_command_channel(timeout_s)
            except paramiko.ChannelException as error:
                if error.code != _NO_SESSION or first or time.monotonic() > until:
                    raise
            time.sleep(_AGAIN_S)

    def lost(self) -> ConnectionLost:
        """Why the connection is gone, as far as it is known."""
        cause = self.transport.get_exception()
        why = (
            str(cause)
            if cause is not None and str(cause)
            else "it ended without saying how the command ended"
        )
        return ConnectionLost(
            f"the connection to {self.hop.address} broke while a command was running",
            why=why,
            advice="try again; what was made on the target may still be there",
        )

    def close(self) -> None:
        self._connection.close()


def _no_commands(host: SshHost, done: Completed) -> ConnectionRefused:
    said = " ".join((done.text + " " + done.complaint).split())[:200]
    return ConnectionRefused(
        f"{host.hop.address} lets us in, and does not run commands as they are",
        why=f"asked for its user's numbers it says (exit code {done.exit_code}): {said or 'nothing'}",
        advice=(
            "a start-up file of its shell may print: let it do so only for terminals, `case $- in *i*)`",
            "a forced command or a login without a shell cannot be used",
        ),
    )


class SshStream(ByteStream):
    """A session channel: stdout is read here, stderr is drained beside it by a thread.

    sshd sends a session's stdout and stderr in one window: one that is not read stops the other.
    """

    def __init__(self, host: SshHost, channel: paramiko.Channel, *, switched: bool) -> None:
        self._host = host
        self._channel = channel
        self._switched = switched
        self.deadline: float | None = None
        self._size_bytes = 0
        self._complaints = Tail()
        self._drain = threading.Thread(target=self._drain_stderr, daemon=True)
        self._drain.start()

    def _drain_stderr(self) -> None:
        while True:
            try:
                chunk = self._channel.recv_stderr(CHUNK)
            except TimeoutError:  # the channel has one timeout for everything, and it is stdout's
                continue
            if not chunk:
                return
            self._complaints.add(chunk)

    def _left_s(self) -> float | None:
        """Seconds to the deadline. Raises TimeoutError once it has passed."""
        if self.deadline is None:
            return None
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def read(self) -> bytes:
        left_s = self._left_s()
        if left_s is not None:
            self._channel.settimeout(left_s)
        try:
            chunk = self._channel.recv(CHUNK)
        except TimeoutError:
            raise
        except Exception as error:
            raise ours(error, self._host.hop.address) from error
        self._size_bytes += len(chunk)
        if not chunk and not self._channel.eof_received and self._channel.exit_status == -1:
            raise self._host.lost()
        return chunk

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        # A channel that is closed raises OSError, one whose stdin is closed takes 0 bytes for ever.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while rest and (sent := self._channel.send(bytes(rest[: 1 << 16]))):
                rest = rest[sent:]

    def send_all(self, data: bytes) -> None:
        """Send and close stdin."""
        self.send(data)
        self.end_input()

    def end_input(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.shutdown_write()

    def finish(self) -> StreamEnd:
        """Raises SudoRefused too, where sudo and not the command ended it."""
        self.end_input()
        while self.read():
            pass
        if not self._channel.status_event.wait(self._left_s()):
            raise TimeoutError
        code = self.exit_code()
        self._drain.join(_DRAIN_S)
        stderr = self._complaints.value
        if self._switched and is_sudos_own(code, self._size_bytes, stderr):
            raise SudoRefused(
                f"sudo on {self._host.name} refuses",
                why=" ".join(stderr.decode("utf-8", "replace").split())[:300],
            )
        return StreamEnd(code, stderr, self._size_bytes)

    def exit_code(self) -> int:
        """That of a command that has ended. Raises ConnectionLost where nobody said."""
        if self._channel.exit_status == -1:
            raise self._host.lost()
        return self._channel.exit_status

    def close(self) -> None:
        """Also has sshd send SIGTERM to a command that neither reads nor writes (not for a root login)."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            if not self._channel.status_event.is_set():
                self._host.transport.send_signal(self._channel, "TERM")
            self._channel.close()
        self._drain.join(_DRAIN_S)
