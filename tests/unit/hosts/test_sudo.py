"""Which switch is chosen, what sudo is shown, and what its refusals become."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from jvmdiag.errors import SudoRefused
from jvmdiag.hosts.sudo import (
    ROOT,
    Identity,
    Refusal,
    Switch,
    UserSwitch,
    is_sudos_own,
    refusal_of,
    setpriv_argv,
    sudo_argv,
    with_password,
)
from jvmdiag.model import Completed, Owner
from tests.fakes import FakeHost, Script, done

JVM = Owner(1001, 1002)
OPS = Identity(Owner(1000, 1000), "ops", (1000,))
AS_ROOT = Identity(ROOT, "root", (0,))
SECRET = "pass'word $x"
WANTS_PASSWORD = done(exit_code=1, stderr="sudo: a password is required\n")
NOT_ALLOWED = done(
    exit_code=1, stderr="Sorry, user ops is not allowed to execute '/bin/true' as app:app on web.\n"
)


def probe(*before: str, command: tuple[str, ...] = ("true",)) -> tuple[str, ...]:
    return ("env", "LC_ALL=C", *before, *command)


def is_password_probe(argv: tuple[str, ...]) -> bool:
    return argv[2:6] == ("sudo", "-S", "-p", "")


def switch(
    script: Script, me: Identity = OPS, *, sudo: bool = True, ask: Callable[[str], str] | None = None
) -> tuple[UserSwitch, FakeHost]:
    host = FakeHost(script)

    def run(argv: tuple[str, ...], stdin: bytes) -> Completed:
        return host.run(argv, stdin=stdin)

    return UserSwitch("ssh://web", me, run, sudo=sudo, ask=ask), host


def test_nothing_is_switched_for_ourselves_or_nobody() -> None:
    users, host = switch({}, sudo=False)
    assert (users.to(None), users.to(OPS.owner)) == (Switch(), Switch())
    assert host.asked == []


def test_root_uses_setpriv_and_asks_the_host_once() -> None:
    users, host = switch({probe(*setpriv_argv(JVM)): done()}, AS_ROOT, sudo=False)
    assert users.to(JVM).argv(("jcmd", "1")) == (
        "setpriv",
        "--reuid=1001",
        "--regid=1002",
        "--clear-groups",
        "--",
        "jcmd",
        "1",
    )
    users.to(JVM)
    assert len(host.asked) == 1


def test_root_without_setpriv_uses_sudo() -> None:
    script = {probe(*setpriv_argv(JVM)): done(exit_code=127), probe(*sudo_argv(JVM)): done()}
    assert switch(script, AS_ROOT, sudo=False)[0].to(JVM).before == sudo_argv(JVM)


def test_others_are_told_to_add_sudo_or_to_log_in_otherwise() -> None:
    users, host = switch({}, sudo=False)
    with pytest.raises(SudoRefused) as caught:
        users.to(JVM)
    assert "uid 1001" in caught.value.what
    assert "add --sudo" in caught.value.advice[0]
    assert host.asked == []


def test_sudo_without_a_password_gets_the_jvms_user_and_group() -> None:
    users, _ = switch({probe(*sudo_argv(JVM)): done()})
    assert users.to(JVM).argv(("id",)) == ("sudo", "-n", "-u", "#1001", "-g", "#1002", "--", "id")
    assert users.to(JVM).stdin == b""


def test_a_rule_for_the_user_alone_is_used_where_the_group_comes_by_itself() -> None:
    alone = sudo_argv(JVM, with_group=False)
    script = {
        probe(*sudo_argv(JVM)): NOT_ALLOWED,
        probe(*alone, command=("id", "-g")): done("1002\n"),
    }
    assert switch(script)[0].to(JVM).before == alone


def test_a_rule_for_the_user_alone_is_refused_where_the_group_would_be_another() -> None:
    script = {
        probe(*sudo_argv(JVM)): NOT_ALLOWED,
        probe(*sudo_argv(JVM, with_group=False), command=("id", "-g")): done("1001\n"),
    }
    with pytest.raises(SudoRefused, match="does not allow it"):
        switch(script)[0].to(JVM)


def test_a_password_goes_to_stdin_alone_and_is_asked_once() -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return SECRET

    users, host = switch(
        {
            probe(*sudo_argv(JVM)): WANTS_PASSWORD,
            probe(*sudo_argv(ROOT)): WANTS_PASSWORD,
            is_password_probe: lambda asked: done("0\n" if "#0" in asked.argv else "1002\n"),
        },
        ask=ask,
    )
    first, second = users.to(JVM), users.to(ROOT)
    assert first.stdin.startswith(f"{SECRET}\n".encode())
    assert first.stdin != second.stdin
    assert prompts == ["sudo password of ops on ssh://web: "]
    for text in (*(asked.argv for asked in host.asked), repr(first), str(first.before)):
        assert SECRET not in str(text)


def test_a_password_that_was_right_is_not_asked_for_again_for_the_next_user() -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return SECRET

    users, _ = switch(
        {
            (lambda argv: "-n" in argv): WANTS_PASSWORD,
            is_password_probe: lambda asked: done("0\n") if "#0" in asked.argv else NOT_ALLOWED,
        },
        ask=ask,
    )
    with pytest.raises(SudoRefused, match="does not allow it"):
        users.to(JVM)
    assert users.to(ROOT).stdin.startswith(SECRET.encode())
    assert len(prompts) == 1


def test_a_wrong_password_is_said_and_not_tried_again() -> None:
    refused = done(exit_code=1, stderr="Sorry, try again.\nsudo: 1 incorrect password attempt\n")
    users, host = switch(
        {probe(*sudo_argv(JVM)): WANTS_PASSWORD, is_password_probe: refused}, ask=lambda _: SECRET
    )
    with pytest.raises(SudoRefused, match="does not take that password") as caught:
        users.to(JVM)
    assert [asked.stdin for asked in host.asked] == [b"", f"{SECRET}\n".encode()]
    assert SECRET not in f"{caught.value} {caught.value.advice}"


def test_nothing_typed_is_a_refusal() -> None:
    def ask(_: str) -> str:
        raise EOFError

    users, host = switch({probe(*sudo_argv(JVM)): WANTS_PASSWORD}, ask=ask)
    with pytest.raises(SudoRefused, match="none was typed"):
        users.to(JVM)
    assert len(host.asked) == 1


def test_without_a_terminal_no_password_is_asked_for() -> None:
    users, _ = switch({probe(*sudo_argv(JVM)): WANTS_PASSWORD}, ask=None)
    with pytest.raises(SudoRefused, match="no terminal") as caught:
        users.to(JVM)
    assert any("NOPASSWD" in line for line in caught.value.advice)


@pytest.mark.parametrize(
    ("said", "code", "refusal"),
    [
        ("sudo: a password is required\n", 1, Refusal.PASSWORD),
        ("sudo: a terminal is required to read the password; ...\n", 1, Refusal.PASSWORD),
        ("ops is not in the sudoers file.\n", 1, Refusal.NOT_ALLOWED),
        ("Sorry, user ops may not run sudo on web01.\n", 1, Refusal.NOT_ALLOWED),
        ("Sorry, user ops is not allowed to execute '/bin/x' as root on web01.\n", 1, Refusal.NOT_ALLOWED),
        ("sudo: sorry, you must have a tty to run sudo\n", 1, Refusal.TTY),
        ("bash: line 1: sudo: command not found\n", 127, Refusal.MISSING),
        ("env: ‘sudo’: No such file or directory\n", 127, Refusal.MISSING),
        ("sudo: unknown user #4711\n", 1, Refusal.UNKNOWN_USER),
        ("sudo: error initializing audit plugin\n", 1, Refusal.OTHER),
    ],
)
def test_what_sudo_says_is_understood(said: str, code: int, refusal: Refusal) -> None:
    assert refusal_of(done(exit_code=code, stderr=said)) is refusal
    users, _ = switch(
        {probe(*sudo_argv(JVM)): done(exit_code=code, stderr=said), (lambda _: True): NOT_ALLOWED}
    )
    with pytest.raises(SudoRefused) as caught:
        users.to(JVM)
    assert caught.value.advice


def test_a_success_is_no_refusal() -> None:
    assert refusal_of(done(stderr="sudo: unable to resolve host web01\n")) is None


@pytest.mark.parametrize(
    ("code", "size_bytes", "stderr", "own"),
    [
        (1, 0, b"sudo: a password is required\n", True),
        (1, 0, b"sudo: unable to resolve host\nsudo: a password is required\n", True),
        (1, 0, b"sudo: a\nthe command's own word\n", False),
        (1, 5, b"sudo: a password is required\n", False),
        (2, 0, b"sudo: a password is required\n", False),
        (1, 0, b"", False),
        (None, 0, b"sudo: a\n", False),
    ],
)
def test_only_sudos_own_end_is_taken_for_a_refusal(
    code: int | None, size_bytes: int, stderr: bytes, own: bool
) -> None:
    assert is_sudos_own(code, size_bytes, stderr) is own


@pytest.mark.parametrize("read_by_sudo", [True, False], ids=["sudo read it", "sudo wanted none"])
def test_the_command_never_sees_the_password_and_all_of_its_own_stdin(read_by_sudo: bool) -> None:
    # A sudo with a NOPASSWD rule leaves the line; one without reads it a byte at a time.
    sudo = ("sh", "-c", 'IFS= read -r password; exec "$@"', "sudo") if read_by_sudo else ("env",)
    own = b"\x00binary\nNONCE\n" + bytes(range(256))
    made = with_password(sudo, SECRET, "NONCE")
    argv = made.argv(("cat", "-"))
    assert SECRET not in " ".join(argv)
    ran = subprocess.run(argv, input=made.stdin + own, capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, own)


def test_a_stdin_without_the_marker_starts_nothing() -> None:
    made = with_password(("env",), SECRET, "NONCE")
    ran = subprocess.run(made.argv(("echo", "ran")), input=b"x\ny\n", capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, b"")
