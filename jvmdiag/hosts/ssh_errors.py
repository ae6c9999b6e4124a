"""What paramiko and sockets raise, as ours: one table around every call, and around reading."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from paramiko import ssh_exception as theirs

from jvmdiag.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    HostKeyChanged,
    HostNotFound,
    JvmdiagError,
)

_Row = tuple[type[BaseException], type[JvmdiagError], str]
# The first row whose class fits decides, so the special come before the general.
TABLE: tuple[_Row, ...] = (
    (socket.gaierror, HostNotFound, "{where}: the name does not resolve"),
    (TimeoutError, ConnectionTimedOut, "{where} does not answer"),
    (ConnectionRefusedError, ConnectionRefused, "{where} refuses the connection"),
    (theirs.NoValidConnectionsError, ConnectionRefused, "{where} refuses the connection"),
    (ConnectionError, ConnectionLost, "the connection to {where} broke"),
    (EOFError, ConnectionLost, "{where} closed the connection"),
    (OSError, ConnectionLost, "the connection to {where} broke"),
    (theirs.BadHostKeyException, HostKeyChanged, "{where} shows another host key than known_hosts has"),
    (theirs.AuthenticationException, AuthenticationFailed, "{where} does not let us in"),
    (theirs.ProxyCommandFailure, ConnectionLost, "the ProxyCommand for {where} failed"),
    (theirs.IncompatiblePeer, ConnectionLost, "{where} and jvmdiag have no algorithm in common"),
    (theirs.ChannelException, ConnectionRefused, "{where} does not open a channel"),
    (theirs.ConfigParseError, BadRequest, "the ssh configuration cannot be read"),
    (theirs.CouldNotCanonicalize, HostNotFound, "{where}: the name cannot be made canonical"),
    (theirs.SSHException, ConnectionLost, "the SSH connection to {where} broke"),
)
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.ETIMEDOUT)
_NO_CHANNEL = (
    "sshd there may have no session left (MaxSessions), or not let this login run commands or go further"
)
_ADVICE: dict[type[JvmdiagError], str] = {
    HostNotFound: "check the name, the VPN, and HostName in ~/.ssh/config",
    ConnectionRefused: "check the port, and that sshd runs there",
    ConnectionTimedOut: "check the VPN, a firewall on the way, and ProxyJump in ~/.ssh/config",
    ConnectionLost: "try again; a dump that was under way can be resumed or is still on the target",
    AuthenticationFailed: "try: ssh -v with the same user, host and port",
    BadRequest: "ssh -G HOST shows how ssh itself reads it",
}


def ours(error: BaseException, where: str) -> JvmdiagError:
    """`error` as one of ours, named for `where`; one that is ours already is returned as it is."""
    if isinstance(error, JvmdiagError):
        return error
    # paramiko wraps a timeout while waiting for the banner into a bare SSHException.
    if isinstance(error, theirs.SSHException) and isinstance(error.__context__, TimeoutError):
        error = error.__context__
    if isinstance(error, OSError) and error.errno in _NO_ROUTE:
        return _made(ConnectionTimedOut, "{where} cannot be reached", where, error)
    for kind, made, what in TABLE:
        if isinstance(error, kind):
            return _made(made, what, where, error)
    return _made(ConnectionLost, "the SSH connection to {where} broke", where, error)


def _made(kind: type[JvmdiagError], what: str, where: str, error: BaseException) -> JvmdiagError:
    advice = _NO_CHANNEL if isinstance(error, theirs.ChannelException) else _ADVICE.get(kind, ())
    return kind(what.format(where=where), why=reason(error), advice=advice)


def reason(error: BaseException) -> str:
    """The foreign error's own words in one line, or its class where it has none."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, theirs.ChannelException):
        text = error.text
    line = " ".join(text.split())[:300]
    return line or type(error).__name__


@contextmanager
def foreign_errors(where: str) -> Iterator[None]:
    """Nothing foreign leaves this block, except KeyboardInterrupt and its like."""
    try:
        yield
    except JvmdiagError:
        raise
    # paramiko raises whatever its parsers raise on strange packets.
    except Exception as error:
        raise ours(error, where) from error
