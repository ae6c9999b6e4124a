"""jvmdiag over SSH, as a user runs it: a Tomcat of another user, on a JRE or a JDK."""

from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.real.containers import Containers, SshHost, home_of, left_behind, snapshot, start_ssh_host
from tests.real.fixtures import cases
from tests.real.jvmdiag import final_names, jvmdiag, text_of
from tests.real.sshd import make_key
from tests.real.terminal import on_a_terminal

PASSWORD = "s3cret pass"


@pytest.mark.parametrize("method", [None, "direct", "tools", "quit"])
def test_a_sudo_user_takes_the_threads_of_a_tomcat_on_a_jre(
    ssh_jre: SshHost, method: str | None, tmp_path: Path
) -> None:
    before = snapshot(ssh_jre.container)
    options = ("--method", method) if method else ()
    run = jvmdiag(
        "threaddump", ssh_jre.target("ops"), "--sudo", *options, "-o", str(tmp_path / "out"), "--json",
        home=home_of(ssh_jre, tmp_path),
    )  # fmt: skip
    assert run.exit_code == 0, run.err
    [taken] = run.document["dumps"]
    assert taken["method"] == (method or "direct")
    assert "http-nio-8080" in text_of(taken["artifact"])
    assert left_behind(ssh_jre.container, before) == []


@pytest.mark.parametrize(
    ("ssh", "method"),
    cases(("ssh_jre", "direct"), ("ssh_jdk", "tools"), long=(("ssh_jre", "tools"), ("ssh_jdk", "direct"))),
)
def test_a_heap_dump_comes_home(
    ssh: str, method: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    host: SshHost = request.getfixturevalue(ssh)
    before = snapshot(host.container)
    run = jvmdiag(
        "heapdump", "ssh://app1", "--sudo", "--yes", "--method", method, "-o", str(tmp_path / "out"), "--json",
        home=home_of(host, tmp_path),
    )  # fmt: skip
    assert run.exit_code == 0, run.err
    assert jvmdiag("verify", run.document["artifact"]["path"], home=tmp_path).exit_code == 0
    assert left_behind(host.container, before) == []


def test_without_sudo_it_says_whose_jvm_it_is(ssh_jre: SshHost, tmp_path: Path) -> None:
    run = jvmdiag("threaddump", ssh_jre.target("plain"), home=home_of(ssh_jre, tmp_path))
    assert run.exit_code == 40
    assert "belongs to user tomcat" in run.err
    assert "--sudo" in run.err


def test_a_user_who_may_not_sudo_is_told_so(ssh_jre: SshHost, tmp_path: Path) -> None:
    run = jvmdiag("threaddump", ssh_jre.target("plain"), "--sudo", home=home_of(ssh_jre, tmp_path))
    assert run.exit_code == 27
    assert "sudo" in run.err


def test_of_several_users_jvms_only_the_one_that_is_meant_must_be_allowed(
    session_containers: Containers, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    ssh = start_ssh_host(session_containers, "ssh-jre", tmp_path_factory.mktemp("two-users"))
    rule = "plain ALL=(tomcat:tomcat) NOPASSWD: ALL"
    script = f"echo '{rule}' >/etc/sudoers.d/plain && chmod 440 /etc/sudoers.d/plain"
    assert ssh.container.exec_run(["sh", "-c", script]).exit_code == 0
    # A JVM that needs no class of ours.
    registry = ["java", "-m", "java.rmi/sun.rmi.registry.RegistryImpl", "0"]
    ssh.container.exec_run(registry, user="dev", detach=True)
    home = home_of(ssh, tmp_path)
    until = time.monotonic() + 60
    while len(rows := jvmdiag("ps", ssh.target("plain"), "--sudo", "--json", home=home).document["jvms"]) < 2:
        assert time.monotonic() < until, rows
    ready = {one["jvm"]["user"]: [name for name, why in one["methods"] if not why] for one in rows}
    assert "direct" in ready["tomcat"]
    assert [methods for user, methods in ready.items() if user != "tomcat"] == [[]]
    table = jvmdiag("ps", ssh.target("plain"), "--sudo", home=home)
    assert table.exit_code == 0
    assert f"not looked at: {ssh.target('plain')} pid " in table.out
    assert "wants the password of plain" in table.out
    target, out = ssh.target("plain"), str(tmp_path / "out")
    allowed = jvmdiag("threaddump", target, "--sudo", "--jvm", "catalina", "-o", out, home=home)
    assert allowed.exit_code == 0, allowed.err
    refused = jvmdiag("threaddump", target, "--sudo", "--jvm", "RegistryImpl", "-o", out, home=home)
    assert refused.exit_code == 27, refused.err


def test_a_password_is_asked_on_a_terminal_only(ssh_jre: SshHost, tmp_path: Path) -> None:
    run = jvmdiag("threaddump", ssh_jre.target("dev"), "--sudo", home=home_of(ssh_jre, tmp_path))
    assert run.exit_code == 27
    assert "no terminal" in run.err


def test_a_process_list_that_hides_others_is_seen_whole_with_sudo(
    session_containers: Containers, tmp_path: Path
) -> None:
    """/proc with hidepid=2, as hardened hosts have it: a login sees its own processes only."""
    folder = tmp_path / "host"
    folder.mkdir()
    host = start_ssh_host(session_containers, "ssh-jre", folder)
    pid = str(host.container.attrs["State"]["Pid"])
    remount = ["nsenter", "-t", pid, "-m", "-p", "mount", "-o", "remount,hidepid=2", "/proc"]
    subprocess.run(remount, check=True)
    home, out = home_of(host, tmp_path), tmp_path / "out"
    blind = jvmdiag("threaddump", host.target("ops"), home=home)
    assert blind.exit_code == 30
    assert "hidepid" in blind.err
    [seen] = jvmdiag("ps", host.target("ops"), "--sudo", "--json", home=home).document["jvms"]
    assert (seen["jvm"]["user"], seen["jvm"]["version"][:3]) == ("tomcat", "17.")
    before = snapshot(host.container)
    for command in (("threaddump",), ("threaddump", "--method", "quit"), ("heapdump", "--yes")):
        run = jvmdiag(*command, host.target("ops"), "--sudo", "-o", str(out), home=home)
        assert run.exit_code == 0, run.err
    assert left_behind(host.container, before) == []


def test_a_file_is_fetched_from_an_ssh_host(ssh_jre: SshHost, tmp_path: Path) -> None:
    home, out = home_of(ssh_jre, tmp_path), tmp_path / "out"
    script = 'umask 077; head -c 3000000 /dev/urandom >"$1"; sha256sum <"$1"'
    made: Any = ssh_jre.container.exec_run(["sh", "-c", script, "sh", "/tmp/a b.log"], user="tomcat")
    assert made.exit_code == 0, made.output
    closed = jvmdiag("fetch", ssh_jre.target("plain"), "/tmp/a b.log", "-o", str(out), home=home)
    assert (closed.exit_code, final_names(out)) == (63, [])
    assert "add --sudo" in closed.err
    options = ("--sudo", "--compress", "none", "--remove", "--json", "-o", str(out))
    run = jvmdiag("fetch", ssh_jre.target("ops"), "/tmp/a b.log", *options, home=home)
    assert run.exit_code == 0, run.err
    data = Path(run.document["artifact"]["path"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == made.output.decode().split()[0]
    assert ssh_jre.container.exec_run(["test", "-e", "/tmp/a b.log"])[0] == 1


def test_a_password_given_on_a_terminal_is_never_shown(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    out = tmp_path / "out"
    code, shown = on_a_terminal(
        ["threaddump", ssh_jre.target("dev"), "--sudo", "-v", "-o", str(out)], home, "sudo password", PASSWORD
    )
    assert code == 0, shown
    assert PASSWORD not in shown
    assert all(PASSWORD.encode() not in path.read_bytes() for path in out.iterdir())
    assert len(list(out.glob("*.txt.gz"))) == 1


def test_ps_sees_the_jvm_of_another_user(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    seen = jvmdiag("ps", ssh_jre.target("plain"), "--json", home=home).document["jvms"]
    assert [(one["jvm"]["user"], one["jvm"]["heap"]) for one in seen] == [("tomcat", None)]
    [known] = jvmdiag("ps", ssh_jre.target("ops"), "--sudo", "--json", home=home).document["jvms"]
    assert known["jvm"]["version"].startswith("17.")
    assert known["jvm"]["heap"]["used_bytes"] > 1_000_000


def test_an_unknown_host_key_is_refused(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    (home / ".ssh" / "known_hosts").write_text("")
    run = jvmdiag("ps", ssh_jre.target("ops"), home=home)
    assert run.exit_code == 21
    assert "SHA256:" in run.err
    let_in = jvmdiag(
        "threaddump", ssh_jre.target("ops"), "--sudo", "--accept-new-host-key", "-o", str(home), home=home
    )
    assert let_in.exit_code == 0, let_in.err
    manifest = next(home.glob("*.manifest.json")).read_text()
    assert '"host_key_checked": false' in manifest


def test_a_changed_host_key_is_refused(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    (home / ".ssh" / "known_hosts").write_text(f"[{ssh_jre.host}]:{ssh_jre.port} {other}")
    for flag in ((), ("--accept-new-host-key",)):
        run = jvmdiag("ps", ssh_jre.target("ops"), *flag, home=home)
        assert run.exit_code == 22
        assert "is not the one known here" in run.err
        assert run.err.count("SHA256:") == 2
        assert "ssh-keygen -R" in run.err


def test_a_login_that_is_refused_says_what_was_tried(ssh_jre: SshHost, tmp_path: Path) -> None:
    home = home_of(ssh_jre, tmp_path)
    other = make_key(home / "other")
    config = home / ".ssh" / "config"
    config.write_text(config.read_text().replace(str(ssh_jre.key), str(other)))
    run = jvmdiag("threaddump", ssh_jre.target("ops"), "--json", home=home)
    assert run.exit_code == 23
    assert "does not let us in" in run.err
    assert f"tried: key {other}" in run.err
    assert run.document["exit_code"] == 23


def test_a_host_nobody_knows_and_a_port_nobody_listens_on(tmp_path: Path) -> None:
    assert jvmdiag("ps", "ssh://no-such-host.invalid", home=tmp_path).exit_code == 28
    assert jvmdiag("ps", "ssh://127.0.0.1:1", home=tmp_path).exit_code == 24
