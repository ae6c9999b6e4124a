"""Running a command as another user: setpriv where we are root, sudo elsewhere, decided once a session.

The password of sudo is the first line of its stdin, never in argv. sudo reads it only when it wants
one, and a cached credential or a NOPASSWD rule would leave it to the command; so the command is
started by a shell that skips what comes before a marker line.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from jvmdiag.errors import SudoRefused
from jvmdiag.model import Completed, Owner

ROOT = Owner(0, 0)
Probe = Callable[[tuple[str, ...], bytes], Completed]
Ask = Callable[[str], str]
# `read` of a shell takes a byte at a time from a pipe: what follows the marker is the command's.
_SKIP = 'm=$1; shift; while IFS= read -r l; do [ "$l" = "$m" ] && exec "$@"; done; exit 1'
_PASSWORD_WORDS = (
    "a password is required",
    "a terminal is required",
    "no password was provided",
    "incorrect password attempt",
)


@dataclass(frozen=True)
class Identity:
    """Who commands run as without any switch: uid, gid and every group, and the login's name."""

    owner: Owner
    login: str
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Switch:
    """What to put before an argv to run it as somebody else, and before its stdin (a secret: not shown)."""

    before: tuple[str, ...] = ()
    stdin: bytes = field(default=b"", repr=False)

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        return (*self.before, *argv)


def setpriv_argv(user: Owner) -> tuple[str, ...]:
    """What root puts before a command to run it as `user`, without supplementary groups."""
    return ("setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--")


def sudo_argv(user: Owner, *, with_group: bool = True, password: bool = False) -> tuple[str, ...]:
    """What to put before a command; `password` has sudo read one line of stdin without a prompt."""
    how = ("-S", "-p", "") if password else ("-n",)
    group = ("-g", f"#{user.gid}") if with_group else ()
    return ("sudo", *how, "-u", f"#{user.uid}", *group, "--")


def with_password(before: tuple[str, ...], password: str, marker: str) -> Switch:
    """`before` ends in --; the command sees its own stdin, whether sudo read the password or not."""
    skip = ("sh", "-c", _SKIP, "sh", marker)
    return Switch((*before, *skip), f"{password}\n{marker}\n".encode())


class Refusal(str, Enum):
    """What sudo said no to."""

    PASSWORD = "wants a password"  # noqa: S105 - a state, not a password
    MISSING = "is not installed there"
    TTY = "wants a terminal (requiretty)"
    NOT_ALLOWED = "does not allow it"
    UNKNOWN_USER = "does not know that user"
    OTHER = "failed"


def refusal_of(done: Completed) -> Refusal | None:
    """What sudo refused, by its words in the C locale; None where the command ran."""
    if done.exit_code == 0:
        return None
    said = done.stderr.decode("utf-8", "replace")
    if done.exit_code == 127 or "sudo: not found" in said or "sudo: command not found" in said:
        return Refusal.MISSING
    if any(words in said for words in _PASSWORD_WORDS):
        return Refusal.PASSWORD
    if "must have a tty" in said:
        return Refusal.TTY
    if "unknown user" in said or "unknown group" in said or "unknown uid" in said:
        return Refusal.UNKNOWN_USER
    if "not in the sudoers file" in said or "not allowed to" in said or "may not run" in said:
        return Refusal.NOT_ALLOWED
    return Refusal.OTHER


def is_sudos_own(exit_code: int | None, size_bytes: int, stderr: bytes) -> bool:
    """Whether an end was sudo's, not the command's: 1, no output, only lines of stderr with `sudo: `."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return (
        exit_code == 1 and not size_bytes and bool(lines) and all(line.startswith("sudo: ") for line in lines)
    )


class UserSwitch:
    """How to become others on one host. Asks the host once for each of them, and a person once at most.

    `probe` runs an argv with a stdin there. Every method raises SudoRefused with what sudo said.
    """

    def __init__(self, where: str, me: Identity, probe: Probe, *, sudo: bool, ask: Ask | None) -> None:
        self._where = where
        self._me = me
        self._probe = probe
        self._sudo = sudo
        self._ask = ask
        self._password: str | None = None
        self._known: dict[Owner, Switch] = {}

    def to(self, user: Owner | None) -> Switch:
        """The switch to `user`; none is needed for None or for ourselves."""
        if user is None or user == self._me.owner:
            return Switch()
        if user not in self._known:
            self._known[user] = self._find(user)
        return self._known[user]

    def _find(self, user: Owner) -> Switch:
        if self._me.owner.uid == 0 and self._run(setpriv_argv(user)).ok:
            return Switch(setpriv_argv(user))
        if self._me.owner.uid != 0 and not self._sudo:
            raise self._not_asked_for(user)
        done = self._run(sudo_argv(user))
        refusal = refusal_of(done)
        if refusal is None:
            return Switch(sudo_argv(user))
        if refusal is Refusal.PASSWORD:
            return self._by_password(user)
        if refusal is Refusal.NOT_ALLOWED and self._group_comes_by_itself(user):
            return Switch(sudo_argv(user, with_group=False))
        raise self._refused(user, refusal, done)

    def _by_password(self, user: Owner) -> Switch:
        password = self._asked(user)
        done = Completed((), 1, b"", b"", 0.0)
        for with_group in (True, False):
            # A rule for the user alone refuses -g; without it the group is the user's own.
            before = sudo_argv(user, with_group=with_group, password=True)
            # The password alone: a second line would be a second try, and some hosts lock after three.
            done = self._run(before, f"{password}\n".encode(), ("id", "-g"))
            if done.ok and done.text.strip() == str(user.gid):
                return with_password(before, password, secrets.token_hex(8))
            if refusal_of(done) is not Refusal.NOT_ALLOWED:
                break
        refusal = refusal_of(done) or Refusal.NOT_ALLOWED
        if refusal is Refusal.PASSWORD:
            self._password = None
        raise self._refused(user, refusal, done)

    def _asked(self, user: Owner) -> str:
        if self._password is None:
            if self._ask is None:
                raise self._no_terminal(user)
            try:
                self._password = self._ask(f"sudo password of {self._me.login} on {self._where}: ")
            except EOFError:
                raise self._nothing_typed() from None
        return self._password

    def _group_comes_by_itself(self, user: Owner) -> bool:
        done = self._run(sudo_argv(user, with_group=False), b"", ("id", "-g"))
        return done.ok and done.text.strip() == str(user.gid)

    def _run(
        self, before: tuple[str, ...], stdin: bytes = b"", command: tuple[str, ...] = ("true",)
    ) -> Completed:
        # sudo speaks the language of the host, and is understood in C.
        return self._probe(("env", "LC_ALL=C", *before, *command), stdin)

    def _not_asked_for(self, user: Owner) -> SudoRefused:
        return SudoRefused(
            f"on {self._where} this needs uid {user.uid}, gid {user.gid}, and we are {self._me.login}",
            why="a JVM is only spoken to by its own user or by root",
            advice=("add --sudo", "or log in as that user, or as root: ssh://USER@HOST"),
        )

    def _no_terminal(self, user: Owner) -> SudoRefused:
        return SudoRefused(
            f"sudo on {self._where} wants the password of {self._me.login}",
            why="there is no terminal to ask for it on",
            advice=(
                "run jvmdiag on a terminal",
                f"or let {self._me.login} become uid {user.uid} with NOPASSWD in /etc/sudoers.d",
            ),
        )

    def _nothing_typed(self) -> SudoRefused:
        return SudoRefused(
            f"sudo on {self._where} wants the password of {self._me.login}",
            why="none was typed",
            advice=_ADVICE[Refusal.PASSWORD],
        )

    def _refused(self, user: Owner, refusal: Refusal, done: Completed) -> SudoRefused:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
        return SudoRefused(
            f"sudo on {self._where} {_WORDS.get(refusal, refusal.value)}: {self._me.login} to uid {user.uid}",
            why=f"it says: {said}" if said else f"it ended with exit code {done.exit_code}",
            advice=_ADVICE[refusal],
        )


_WORDS = {Refusal.PASSWORD: "does not take that password"}
_LOG_IN = "log in as the JVM's user, or as root: ssh://USER@HOST"
_ADVICE = {
    Refusal.PASSWORD: ("try again with the right password", _LOG_IN),
    Refusal.MISSING: (_LOG_IN,),
    Refusal.TTY: (
        "set `Defaults !requiretty` for this login in /etc/sudoers.d: no terminal is ever used",
        _LOG_IN,
    ),
    Refusal.NOT_ALLOWED: ("see what is allowed, on the host: sudo -l", _LOG_IN),
    Refusal.UNKNOWN_USER: ("sudo only knows users of /etc/passwd: log in as root",),
    Refusal.OTHER: ("try it on the host: sudo true", _LOG_IN),
}
