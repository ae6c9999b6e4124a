"""SSH against an OpenSSH server of our own: host keys, logins, jump hosts, and lines that break."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.errors import (
    AuthenticationFailed,
    BadRequest,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    HostKeyChanged,
    HostKeyUnknown,
    HostNotFound,
    SudoRefused,
)
from jvmdiag.hosts.ssh import SshHost, open_ssh
from jvmdiag.hosts.ssh_options import SshOptions
from jvmdiag.model import CommandRecord, Owner
from jvmdiag.target import SshTarget
from tests.contract.host_contract import WAIT_S, lives, wait_until
from tests.real.containers import SshHost as SshContainer
from tests.real.delay import DelayProxy
from tests.real.sshd import Sshd, free_port, make_key, missing

pytestmark = pytest.mark.real
ME = getpass.getuser()


@pytest.fixture(scope="module", autouse=True)
def _no_agent() -> Iterator[None]:
    if why := missing():
        pytest.fail(why)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSH_AUTH_SOCK", raising=False)
        yield


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd"), host_keys=("ed25519", "ecdsa", "rsa")) as server:
        yield server


@pytest.fixture
def trusting(sshd: Sshd) -> Iterator[Sshd]:
    """The server, whose known_hosts a test may spoil."""
    yield sshd
    sshd.trust(*sshd.host_keys)


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[None]:
    """An ssh-agent that holds these keys, as SSH_AUTH_SOCK."""
    path = folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: listens(path)), process.poll()
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SSH_AUTH_SOCK", str(path))
            subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True, stdin=subprocess.DEVNULL)
            yield
    finally:
        process.terminate()
        process.wait()


def listens(path: Path) -> bool:
    """A socket is there a moment before somebody listens."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
        one.connect(str(path))
        return True
    return False


def write_config(folder: Path, text: str) -> Path:
    path = folder / "ssh_config"
    path.write_text(text)
    return path


# The connection


def test_a_connection_knows_who_and_how_far(sshd: Sshd) -> None:
    records: list[CommandRecord] = []
    with open_ssh(sshd.target(), sshd.options(), records.append) as host:
        assert isinstance(host, SshHost)
        assert (host.login, host.uid) == (ME, os.getuid())
        assert host.host_key_checked
        assert 0 < host.rtt_s < 30
        assert host.transport.get_security_options().ciphers[0] == "aes128-gcm@openssh.com"
    assert [record.host for record in records] == [f"ssh://{ME}@127.0.0.1:{sshd.port}"]


def test_bytes_flow_far_beyond_the_window(sshd: Sshd) -> None:
    size = 5 * (8 << 20)
    with (
        open_ssh(sshd.target(), sshd.options()) as host,
        host.stream(["head", "-c", str(size), "/dev/zero"]) as s,
    ):
        assert s.finish().size_bytes == size


def test_a_long_line_is_measured_and_gets_the_large_window(sshd: Sshd) -> None:
    with DelayProxy(sshd.port, 0.02) as line:
        options = sshd.options(accept_new_host_key=True)
        with open_ssh(sshd.target(port=line.port), options) as host:
            assert isinstance(host, SshHost)
            assert 0.04 <= host.rtt_s < 30
            assert host.transport.window_bytes == 32 << 20


def test_a_login_whose_shell_prints_is_refused_and_told_where_to_look(tmp_path: Path) -> None:
    with (
        Sshd(tmp_path, config=('ForceCommand echo welcome; eval "$SSH_ORIGINAL_COMMAND"',)) as server,
        pytest.raises(ConnectionRefused, match="welcome") as caught,
    ):
        open_ssh(server.target(), server.options())
    assert "case $-" in caught.value.advice[0]


def test_one_session_at_a_time_is_enough_for_one_command_after_the_other(tmp_path: Path) -> None:
    with (
        Sshd(tmp_path, config=("MaxSessions 1",)) as server,
        open_ssh(server.target(), server.options()) as host,
    ):
        assert [host.run(["echo", str(n)]).text for n in range(3)] == ["0\n", "1\n", "2\n"]


def test_a_host_that_gives_no_session_says_so_at_once(tmp_path: Path) -> None:
    with (
        Sshd(tmp_path, config=("MaxSessions 0",)) as server,
        pytest.raises(ConnectionRefused, match="Connect failed") as caught,
    ):
        open_ssh(server.target(), server.options())
    assert "MaxSessions" in caught.value.advice[0]


# Host keys


def test_an_unknown_host_is_refused_with_its_fingerprint_and_the_way_to_add_it(trusting: Sshd) -> None:
    trusting.known_hosts.write_text("")
    with pytest.raises(HostKeyUnknown) as caught:
        open_ssh(trusting.target(), trusting.options())
    public = trusting.host_keys[0].with_name(f"{trusting.host_keys[0].name}.pub")
    shown = subprocess.run(["ssh-keygen", "-lf", public], check=True, capture_output=True, text=True)
    assert shown.stdout.split()[1] in caught.value.why
    assert any(f"ssh -p {trusting.port}" in line for line in caught.value.advice)


def test_an_unknown_host_is_let_in_by_the_flag_and_the_host_says_so(trusting: Sshd) -> None:
    trusting.known_hosts.write_text("")
    with open_ssh(trusting.target(), trusting.options(accept_new_host_key=True)) as host:
        assert isinstance(host, SshHost)
        assert not host.host_key_checked
    assert trusting.known_hosts.read_text() == ""


def test_a_changed_key_is_refused_with_both_fingerprints_whatever_the_flag(
    trusting: Sshd, tmp_path: Path
) -> None:
    trusting.trust(make_key(tmp_path / "old"))
    for accept in (False, True):
        with pytest.raises(HostKeyChanged) as caught:
            open_ssh(trusting.target(), trusting.options(accept_new_host_key=accept))
        assert caught.value.why.count("SHA256:") == 2
        assert f"{trusting.known_hosts}:1" in caught.value.why


def test_a_revoked_key_is_refused(trusting: Sshd) -> None:
    known = trusting.known_hosts.read_text()
    trusting.known_hosts.write_text(f"{known}@revoked * {known.splitlines()[0].partition(' ')[2]}\n")
    with pytest.raises(HostKeyChanged, match="revoked"):
        open_ssh(trusting.target(), trusting.options())


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["ed25519", "ecdsa", "rsa"])
def test_the_key_type_that_known_hosts_has_is_the_one_asked_for(trusting: Sshd, kind: int) -> None:
    trusting.trust(trusting.host_keys[kind])
    with open_ssh(trusting.target(), trusting.options()) as host:
        assert isinstance(host, SshHost)
        assert host.host_key_checked


def test_hashed_known_hosts_are_understood(trusting: Sshd) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", trusting.known_hosts], check=True, capture_output=True)
    assert "|1|" in trusting.known_hosts.read_text()
    with open_ssh(trusting.target(), trusting.options()) as host:
        assert isinstance(host, SshHost)
        assert host.host_key_checked


# The configuration


def test_an_alias_of_the_configuration_leads_there(sshd: Sshd, tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        f"Host web\n HostName {sshd.host}\n Port {sshd.port}\n User {ME}\n"
        f" IdentityFile {sshd.client_key}\n UserKnownHostsFile {sshd.known_hosts}\n",
    )
    options = SshOptions(config_path=config, known_hosts=())
    with open_ssh(SshTarget("web"), options) as host:
        assert host.run(["echo", "in"]).stdout == b"in\n"


def test_a_host_key_alias_is_what_known_hosts_is_asked_for(trusting: Sshd, tmp_path: Path) -> None:
    trusting.trust(*trusting.host_keys, hosts="cluster")
    config = write_config(tmp_path, f"Host {trusting.host}\n HostKeyAlias cluster\n")
    with open_ssh(trusting.target(), trusting.options(config_path=config)) as host:
        assert isinstance(host, SshHost)
        assert host.host_key_checked


def test_two_jump_hosts_are_gone_through_and_each_is_checked(sshd: Sshd, tmp_path: Path) -> None:
    inner, far = tmp_path / "inner", tmp_path / "far"
    inner.mkdir()
    far.mkdir()
    with Sshd(inner) as second, Sshd(far) as third:
        config = write_config(
            tmp_path,
            f"Host outer\n HostName 127.0.0.1\n Port {sshd.port}\n"
            f"Host inner\n HostName 127.0.0.1\n Port {second.port}\n IdentityFile {second.client_key}\n"
            f"Host far\n HostName 127.0.0.1\n Port {third.port}\n IdentityFile {third.client_key}\n"
            " ProxyJump outer,inner\n"
            f"Host *\n User {ME}\n IdentityFile {sshd.client_key}\n",
        )
        known = (sshd.known_hosts, second.known_hosts, third.known_hosts)
        with open_ssh(SshTarget("far"), SshOptions(config_path=config, known_hosts=known)) as host:
            assert isinstance(host, SshHost)
            assert host.host_key_checked
            done = host.run(["sh", "-c", "echo $SSH_CONNECTION"])
            assert done.text.split()[-1] == str(third.port)
            with host.stream(["head", "-c", "20000000", "/dev/zero"]) as stream:
                assert stream.finish().size_bytes == 20_000_000
        with pytest.raises(HostKeyUnknown, match=str(second.port)):
            open_ssh(SshTarget("far"), SshOptions(config_path=config, known_hosts=known[::2]))


def test_a_jump_host_that_reaches_nobody_says_whom(sshd: Sshd, tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        f"Host jump\n HostName 127.0.0.1\n Port {sshd.port}\n IdentityFile {sshd.client_key}\n"
        f"Host far\n HostName 127.0.0.1\n Port {free_port()}\n ProxyJump {ME}@jump\n",
    )
    with pytest.raises(ConnectionRefused, match=r"127\.0\.0\.1"):
        open_ssh(SshTarget("far"), SshOptions(config_path=config, known_hosts=(sshd.known_hosts,)))


def test_a_proxy_command_carries_the_connection(sshd: Sshd, tmp_path: Path) -> None:
    if shutil.which("python3") is None:
        pytest.skip("the ProxyCommand of this test is written in Python")
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while (b := os.read(0, 65536)):\n"
        "        s.sendall(b)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while (b := s.recv(65536)):\n"
        "    os.write(1, b)\n"
    )
    config = write_config(tmp_path, f"Host {sshd.host}\n ProxyCommand python3 {relay} %h %p\n")
    options = sshd.options(config_path=config)
    with open_ssh(sshd.target(), options) as host, host.stream(["head", "-c", "9000000", "/dev/zero"]) as s:
        assert s.finish().size_bytes == 9_000_000


def test_a_proxy_command_that_fails_is_quoted(sshd: Sshd, tmp_path: Path) -> None:
    config = write_config(tmp_path, f"Host {sshd.host}\n ProxyCommand echo 'no way' >&2; exit 1\n")
    with pytest.raises(ConnectionLost, match="no way"):
        open_ssh(sshd.target(), sshd.options(config_path=config))


def test_a_configuration_that_cannot_be_read_is_a_bad_request(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        open_ssh(sshd.target(), sshd.options(config_path=write_config(tmp_path, "what\n")))


# Nobody there


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(HostNotFound, match=r"web\.invalid"):
        open_ssh(SshTarget("web.invalid", ME), SshOptions(config_path=None))


def test_a_port_that_nobody_listens_on() -> None:
    with pytest.raises(ConnectionRefused):
        open_ssh(SshTarget("127.0.0.1", ME, free_port()), SshOptions(config_path=None))


def test_a_port_that_answers_and_says_nothing(sshd: Sshd) -> None:
    with DelayProxy(sshd.port) as line:
        line.fall_silent()
        started = time.monotonic()
        with pytest.raises(ConnectionTimedOut):
            open_ssh(sshd.target(port=line.port), sshd.options(connect_timeout_s=0.5))
        assert time.monotonic() - started < 30


# Logging in


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key_lets_us_in(sshd: Sshd, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / kind, kind)
    sshd.authorize(sshd.client_key, key)
    with open_ssh(sshd.target(), sshd.options(identity_files=(key,))) as host:
        assert host.run(["true"]).ok


def test_a_locked_key_is_opened_with_what_is_asked_for(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "ed25519", "open sesame")
    sshd.authorize(sshd.client_key, key)
    answers = iter(["wrong", "open sesame"])
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    with open_ssh(sshd.target(), sshd.options(identity_files=(key,), ask=ask)) as host:
        assert host.run(["true"]).ok
    assert prompts == [f"Passphrase of {key}: "] * 2


def test_a_locked_key_without_a_terminal_is_named(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "ed25519", "open sesame")
    with pytest.raises(AuthenticationFailed, match="needs a passphrase") as caught:
        open_ssh(sshd.target(), sshd.options(identity_files=(key,)))
    assert str(key) in caught.value.why


def test_a_refused_login_says_who_with_what_and_what_would_do(sshd: Sshd, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    config = write_config(tmp_path, f"IdentityFile {tmp_path}/nowhere\n")
    with pytest.raises(AuthenticationFailed) as caught:
        open_ssh(sshd.target(), sshd.options(identity_files=(stranger,), config_path=config))
    assert f"{ME}@127.0.0.1" in caught.value.what
    for part in (
        f"tried: key {stranger}",
        f"{tmp_path}/nowhere (no such file)",
        f"takes for {ME}: publickey",
    ):
        assert part in caught.value.why


def test_the_agent_lets_us_in(sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "held")
    sshd.authorize(sshd.client_key, key)
    config = write_config(tmp_path, f"IdentityFile {tmp_path}/nowhere\n")
    options = sshd.options(identity_files=(), config_path=config)
    with agent(tmp_path, key), open_ssh(sshd.target(), options) as host:
        assert host.run(["true"]).ok
    only = write_config(tmp_path, f"IdentityFile {tmp_path}/nowhere\nIdentitiesOnly yes\n")
    with agent(tmp_path, key), pytest.raises(AuthenticationFailed):
        open_ssh(sshd.target(), sshd.options(identity_files=(), config_path=only))


def test_a_named_key_comes_before_the_many_of_an_agent(sshd: Sshd, tmp_path: Path) -> None:
    # sshd hangs up at the sixth key it refuses.
    many = [make_key(tmp_path / f"k{n}") for n in range(7)]
    with agent(tmp_path, *many):
        with open_ssh(sshd.target(), sshd.options()) as host:
            assert host.run(["true"]).ok
        config = write_config(tmp_path, f"IdentityFile {tmp_path}/nowhere\n")
        with pytest.raises(AuthenticationFailed, match="hung up after") as caught:
            open_ssh(sshd.target(), sshd.options(identity_files=(), config_path=config))
    assert "IdentitiesOnly" in caught.value.advice[0]


# Lines that break


def test_a_cut_line_is_never_an_ordinary_end(sshd: Sshd) -> None:
    with DelayProxy(sshd.port) as line:
        options = sshd.options(accept_new_host_key=True)
        with (
            open_ssh(sshd.target(port=line.port), options) as host,
            host.stream(["cat", "/dev/zero"]) as stream,
        ):
            stream.read()
            line.cut()
            with pytest.raises(ConnectionLost):
                stream.finish()
            with pytest.raises(ConnectionLost):
                host.run(["true"])
            with pytest.raises(ConnectionLost):
                host.stream(["true"])


def cut_when_it_runs(line: DelayProxy, runs: Path) -> None:
    if wait_until(runs.exists):
        line.cut()


@pytest.mark.parametrize("verb", ["run", "read"])
def test_a_cut_line_wakes_who_waits(sshd: Sshd, verb: str, tmp_path: Path) -> None:
    runs = tmp_path / "it runs"
    # A word comes to it when sshd's own has come here, that it runs.
    command = ["sh", "-c", 'read -r _; echo >"$1"; exec sleep 20', "sh", str(runs)]
    with DelayProxy(sshd.port) as line:
        options = sshd.options(accept_new_host_key=True)
        with open_ssh(sshd.target(port=line.port), options) as host:
            cutter = threading.Thread(target=cut_when_it_runs, args=(line, runs))
            cutter.start()
            with pytest.raises(ConnectionLost) as caught:
                if verb == "run":
                    host.run(command, stdin=b"go\n")
                else:
                    with host.stream(command) as stream:
                        stream.send(b"go\n")
                        stream.read()
            cutter.join()
    assert "while a command was running" in caught.value.what


def test_a_line_that_falls_silent_is_given_up_after_three_keepalives(sshd: Sshd) -> None:
    with DelayProxy(sshd.port) as line:
        options = sshd.options(accept_new_host_key=True)
        with open_ssh(sshd.target(port=line.port), options) as host, host.stream(["cat"]) as stream:
            assert isinstance(host, SshHost)
            line.fall_silent()
            # A login and a command may take a busy sshd longer than three of these.
            host.transport.keep_alive(0.2)
            started = time.monotonic()
            with pytest.raises(ConnectionLost, match="nothing came from there"):
                stream.read()
            assert time.monotonic() - started < 30


def test_a_quiet_line_that_answers_is_kept(sshd: Sshd) -> None:
    # Without answers it would be given up after three of them.
    with open_ssh(sshd.target(), sshd.options(keepalive_s=0.5)) as host:
        assert host.run(["sh", "-c", "sleep 2.2; echo there"]).stdout == b"there\n"


def test_who_was_stopped_asks_before_the_line_is_given_up(sshd: Sshd) -> None:
    with open_ssh(sshd.target(), sshd.options(keepalive_s=1.0)) as host, host.stream(["cat"]) as stream:
        assert isinstance(host, SshHost)
        packetizer: Any = host.transport.packetizer
        # As a SIGSTOP of an hour leaves it.
        packetizer.heard_at = stopped_at = time.monotonic() - 3600
        assert wait_until(lambda: packetizer.heard_at > stopped_at + 60)
        stream.send(b"there\n")
        assert stream.read() == b"there\n"


@pytest.mark.parametrize("who", ["we", "the server"])
def test_new_keys_midway_stop_nothing(tmp_path: Path, who: str) -> None:
    # On a long line the end of a command is under way when the keys are to be changed.
    config = () if who == "we" else ("RekeyLimit 3M",)
    with Sshd(tmp_path, config=config) as server, DelayProxy(server.port, 0.02) as line:
        options = server.options(accept_new_host_key=True)
        with open_ssh(server.target(port=line.port), options) as host:
            assert isinstance(host, SshHost)
            if who == "we":
                host.transport.packetizer.REKEY_BYTES = 3 << 20
            started = time.monotonic()
            for _ in range(4):
                with host.stream(["head", "-c", "4000000", "/dev/zero"]) as stream:
                    assert stream.finish().size_bytes == 4_000_000
            assert time.monotonic() - started < 60


def test_the_end_of_a_stdin_that_comes_behind_the_end_of_its_command_costs_nothing(tmp_path: Path) -> None:
    told = tmp_path / "told"
    waits = ("sh", "-c", 'until [ -e "$1" ]; do sleep 0.01; done', "sh", str(told))
    with Sshd(tmp_path) as server, open_ssh(server.target(), server.options()) as host:
        assert isinstance(host, SshHost)
        channel: Any = host._execute(waits, WAIT_S)
        # The same message as Channel.shutdown_write makes before the end, and sends after it.
        end_of_stdin = channel._send_eof()
        told.touch()
        assert wait_until(lambda: channel.closed)
        assert host.run(["true"]).ok
        channel.transport._send_user_message(end_of_stdin)
        assert host.run(["echo", "still here"]).stdout == b"still here\n"
        assert "nonexistent channel" not in server.log.read_text()


def test_a_server_that_is_restarted_loses_the_command_under_way(tmp_path: Path) -> None:
    with Sshd(tmp_path) as server:
        with open_ssh(server.target(), server.options()) as host, host.stream(["cat"]) as stream:
            server.restart()
            with pytest.raises(ConnectionLost):
                stream.read()
        with open_ssh(server.target(), server.options()) as host:
            assert host.run(["true"]).ok


# Logins and sudo of a host in a container: ops needs no password for sudo, dev needs one, plain may not

SECRET = "s3cret pass"  # of the container's user dev
ROOT = Owner(0, 0)
Open = Callable[..., SshHost]


@pytest.fixture
def login(ssh_jre: SshContainer) -> Iterator[Open]:
    opened: list[SshHost] = []

    def open_as(user: str, **changes: object) -> SshHost:
        options = SshOptions(
            config_path=None,
            known_hosts=(ssh_jre.known_hosts,),
            identity_files=(ssh_jre.key,),
            **changes,  # type: ignore[arg-type]
        )
        host = open_ssh(SshTarget(ssh_jre.host, user, ssh_jre.port), options)
        opened.append(host)
        return host

    yield open_as
    for host in opened:
        host.close()


@contextmanager
def second_sshd(ssh_jre: SshContainer, *options: str) -> Iterator[Callable[..., SshHost]]:
    """Another sshd in the container, with other options; it is reached through the first."""
    pidfile = "/run/second-sshd.pid"
    argv = ["/usr/sbin/sshd", "-p", "2222", "-o", f"PidFile={pidfile}"]
    argv += [part for option in options for part in ("-o", option)]
    code, said = ssh_jre.container.exec_run(argv, user="root")
    assert code == 0, said
    # It writes that once it listens, behind the end of the command, and removes it when it does no more.
    there = ["test", "-s", pidfile]
    assert wait_until(lambda: ssh_jre.container.exec_run(there)[0] == 0)

    def open_as(folder: Path, user: str, **changes: object) -> SshHost:
        config = write_config(
            folder,
            f"Host first\n HostName {ssh_jre.host}\n Port {ssh_jre.port}\n IdentityFile {ssh_jre.key}\n"
            f"Host second\n HostName 127.0.0.1\n Port 2222\n ProxyJump plain@first\n IdentityFile {folder}/none\n",
        )
        options = SshOptions(
            config_path=config,
            known_hosts=(ssh_jre.known_hosts,),
            accept_new_host_key=True,
            **changes,  # type: ignore[arg-type]
        )
        return open_ssh(SshTarget("second", user), options)

    try:
        yield open_as
    finally:
        ssh_jre.container.exec_run(["sh", "-c", f"kill $(cat {pidfile})"], user="root")
        assert wait_until(lambda: ssh_jre.container.exec_run(there)[0] != 0)


@pytest.mark.parametrize(
    ("option", "prompt"),
    [
        ("PasswordAuthentication=yes", "Password of dev@127.0.0.1:2222: "),
        ("KbdInteractiveAuthentication=yes", "(dev@127.0.0.1:2222) Password: "),
    ],
)
def test_a_password_lets_us_in_where_there_is_no_key(
    ssh_jre: SshContainer, tmp_path: Path, option: str, prompt: str
) -> None:
    prompts: list[str] = []
    answers = iter(["not it", SECRET])

    def ask(text: str) -> str:
        prompts.append(text)
        return next(answers)

    none = ("PasswordAuthentication=no", "KbdInteractiveAuthentication=no")
    with second_sshd(ssh_jre, option, *none) as open_as, open_as(tmp_path, "dev", ask=ask) as host:
        assert host.run(["id", "-un"]).stdout == b"dev\n"
        assert isinstance(host, SshHost)
        assert not host.host_key_checked
    assert prompts == [prompt, prompt]


def test_a_password_that_cannot_be_asked_for_is_named_as_a_way(ssh_jre: SshContainer, tmp_path: Path) -> None:
    with (
        second_sshd(ssh_jre, "PasswordAuthentication=yes") as open_as,
        pytest.raises(AuthenticationFailed, match="no terminal to ask on") as caught,
    ):
        open_as(tmp_path, "dev")
    assert "publickey, password" in caught.value.why


@pytest.mark.parametrize("option", ["PasswordAuthentication=yes", "KbdInteractiveAuthentication=yes"])
def test_nothing_typed_at_a_password_prompt_is_a_refused_login(
    ssh_jre: SshContainer, tmp_path: Path, option: str
) -> None:
    prompts: list[str] = []
    none = ("PasswordAuthentication=no", "KbdInteractiveAuthentication=no")
    with (
        second_sshd(ssh_jre, option, *none) as open_as,
        pytest.raises(AuthenticationFailed, match="none was typed"),
    ):
        open_as(tmp_path, "dev", ask=ctrl_d(prompts))
    assert len(prompts) == 1


def test_nothing_typed_at_a_passphrase_prompt_goes_on_to_the_next_way(sshd: Sshd, tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", passphrase="open it")
    prompts: list[str] = []
    with pytest.raises(AuthenticationFailed, match="no passphrase was typed"):
        open_ssh(sshd.target(), sshd.options(identity_files=(locked,), ask=ctrl_d(prompts)))
    assert prompts == [f"Passphrase of {locked}: "]
    with open_ssh(
        sshd.target(), sshd.options(identity_files=(locked, sshd.client_key), ask=ctrl_d(prompts))
    ) as host:
        assert host.run(["true"]).ok


def ctrl_d(prompts: list[str]) -> Callable[[str], str]:
    """A person who ends the input at every prompt."""

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        raise EOFError

    return ask


def test_a_key_and_then_a_password_are_two_steps_of_one_login(ssh_jre: SshContainer, tmp_path: Path) -> None:
    methods = "AuthenticationMethods=publickey,keyboard-interactive"
    keys = {"identity_files": (ssh_jre.key,)}
    with second_sshd(ssh_jre, methods, "KbdInteractiveAuthentication=yes") as open_as:
        with open_as(tmp_path, "dev", ask=lambda _: SECRET, **keys) as host:
            assert host.run(["id", "-un"]).stdout == b"dev\n"
        with pytest.raises(AuthenticationFailed, match="accepted, and not enough"):
            open_as(tmp_path, "dev", **keys)


def owner_of(host: SshHost, user: str) -> Owner:
    uid, gid = host.run(["sh", "-c", 'id -u "$1"; id -g "$1"', "sh", user]).text.split()
    return Owner(int(uid), int(gid))


def test_sudo_without_a_password_runs_as_the_jvms_user(login: Open) -> None:
    host = login("ops", sudo=True)
    tomcat = owner_of(host, "tomcat")
    assert host.run(["id", "-un"], user=tomcat).stdout == b"tomcat\n"
    assert host.run(["cat"], stdin=b"\x00mine", user=tomcat).stdout == b"\x00mine"
    assert host.run(["sh", "-c", "echo err >&2; exit 1"], user=tomcat).exit_code == 1
    assert host.run(["id", "-u"], user=ROOT).stdout == b"0\n"


def test_sudo_with_a_password_leaves_the_commands_stdin_alone(login: Open) -> None:
    prompts: list[str] = []
    records: list[CommandRecord] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return SECRET

    host = login("dev", sudo=True, ask=ask)
    host.record = records.append
    tomcat = owner_of(host, "tomcat")
    own = bytes(range(256)) * 5000
    for _ in range(3):
        assert host.run(["cat"], stdin=own, user=tomcat).stdout == own
    with host.stream(["sh", "-c", "id -un; cat"], user=tomcat) as stream:
        stream.send(b"sent\n")
        assert stream.finish().size_bytes == len(b"tomcat\nsent\n")
    host.settle(ROOT)
    assert host.run(["id", "-u"], user=ROOT).stdout == b"0\n"
    assert len(prompts) == 1
    assert SECRET not in repr(records)


def test_a_wrong_sudo_password_is_refused_once(login: Open) -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "not it"

    host = login("dev", sudo=True, ask=ask)
    with pytest.raises(SudoRefused, match="does not take that password"):
        host.run(["id"], user=ROOT)
    assert len(prompts) == 1


def test_sudo_that_wants_a_password_without_a_terminal(login: Open) -> None:
    with pytest.raises(SudoRefused, match="no terminal"):
        login("dev", sudo=True).run(["id"], user=ROOT)


def test_a_user_who_may_not_sudo_is_told_what_sudo_said(login: Open) -> None:
    host = login("plain", sudo=True, ask=lambda _: "whatever")
    with pytest.raises(SudoRefused, match="it says: "):
        host.run(["id"], user=ROOT)


def test_what_sudo_says_in_foreign_bytes_is_shown(login: Open) -> None:
    host = login("ops", sudo=True)
    latin_1 = ["sh", "-c", r"printf 'sudo: d\351sol\351\n' >&2; exit 1"]
    with pytest.raises(SudoRefused, match="sudo: d\ufffdsol\ufffd"):
        host.run(latin_1, user=owner_of(host, "tomcat"))


def test_without_sudo_another_user_is_refused_with_advice(login: Open) -> None:
    host = login("ops")
    with pytest.raises(SudoRefused) as caught:
        host.run(["id"], user=ROOT)
    assert "--sudo" in caught.value.advice[0]
    assert host.run(["id", "-u"], user=host.owner).ok


def test_an_abandoned_command_that_neither_reads_nor_writes_is_ended_too(login: Open) -> None:
    host = login("plain")
    with host.stream(["sh", "-c", "echo $$; exec sleep 300"]) as stream:
        pid = stream.read().decode().strip()
    assert wait_until(lambda: not lives(host, pid))
