"""Every exception of paramiko and of sockets has an error of ours."""

from __future__ import annotations

import errno
import inspect
import socket

import paramiko
import pytest
from paramiko import ssh_exception

from jvmdiag.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    HostKeyChanged,
    HostNotFound,
    JvmdiagError,
    NoJvm,
)
from jvmdiag.hosts.ssh_errors import TABLE, foreign_errors, ours

KEY = paramiko.RSAKey.generate(1024)
THEIRS: dict[type[BaseException], tuple[BaseException, type[JvmdiagError]]] = {
    type(error): (error, kind)
    for error, kind in (
        (ssh_exception.SSHException("no kex"), ConnectionLost),
        (ssh_exception.AuthenticationException("no"), AuthenticationFailed),
        (ssh_exception.PasswordRequiredException("locked"), AuthenticationFailed),
        (ssh_exception.BadAuthenticationType("no", ["publickey"]), AuthenticationFailed),
        (ssh_exception.PartialAuthentication(["password"]), AuthenticationFailed),
        (ssh_exception.UnableToAuthenticate("no"), AuthenticationFailed),
        (ssh_exception.ChannelException(2, "Connect failed"), ConnectionRefused),
        (ssh_exception.BadHostKeyException("h", KEY, KEY), HostKeyChanged),
        (ssh_exception.IncompatiblePeer("no kex"), ConnectionLost),
        (ssh_exception.ProxyCommandFailure("nc", "gone"), ConnectionLost),
        (ssh_exception.NoValidConnectionsError({("::1", 22): OSError("x")}), ConnectionRefused),
        (ssh_exception.CouldNotCanonicalize("h"), HostNotFound),
        (ssh_exception.ConfigParseError("line 3"), BadRequest),
        (ssh_exception.MessageOrderError("order"), ConnectionLost),
    )
}
PUBLIC = [
    kind
    for name, kind in vars(ssh_exception).items()
    if inspect.isclass(kind) and issubclass(kind, BaseException) and not name.startswith("_")
]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_public_exception_of_paramiko_is_one_of_ours(kind: type[BaseException]) -> None:
    assert any(issubclass(kind, row[0]) for row in TABLE)
    error, expected = THEIRS[kind]
    found = ours(error, "ops@web01")
    assert type(found) is expected
    assert found.why


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "Name or service not known"), HostNotFound),
        (ConnectionRefusedError(111, "Connection refused"), ConnectionRefused),
        (TimeoutError("timed out"), ConnectionTimedOut),
        (OSError(errno.EHOSTUNREACH, "No route to host"), ConnectionTimedOut),
        (ConnectionResetError(104, "reset"), ConnectionLost),
        (BrokenPipeError(32, "Broken pipe"), ConnectionLost),
        (EOFError(), ConnectionLost),
        (OSError(9, "Bad file descriptor"), ConnectionLost),
        (ValueError("strange packet"), ConnectionLost),
    ],
)
def test_what_sockets_raise_is_one_of_ours(error: BaseException, expected: type[JvmdiagError]) -> None:
    found = ours(error, "ops@web01")
    assert type(found) is expected
    assert "ops@web01" in found.what
    assert found.advice


def test_a_special_row_is_never_hidden_by_a_general_one_before_it() -> None:
    for position, (kind, _, _) in enumerate(TABLE):
        assert not [row[0] for row in TABLE[:position] if issubclass(kind, row[0])]


def test_a_banner_that_never_came_is_a_timeout() -> None:
    error = ssh_exception.SSHException("Error reading SSH protocol banner")
    error.__context__ = TimeoutError()
    assert type(ours(error, "h")) is ConnectionTimedOut


def test_ours_go_through_and_ctrl_c_too() -> None:
    with pytest.raises(NoJvm, match="none"), foreign_errors("h"):
        raise NoJvm("none")
    with pytest.raises(KeyboardInterrupt), foreign_errors("h"):
        raise KeyboardInterrupt
    with pytest.raises(ConnectionLost) as caught, foreign_errors("h"):
        raise EOFError("gone")
    assert isinstance(caught.value.__cause__, EOFError)
