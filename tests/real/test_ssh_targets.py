"""jvmdiag over SSH, as a user runs it: a Tomcat of another user, on a JRE or a JDK, and containers there."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from tests.real.containers import Containers, SshHost, left_behind, snapshot, start_ssh_host
from tests.real.engine import Engine
from tests.real.fixtures import RunContainer
from tests.real.jvmdiag import argv, environment, jvmdiag, text_of
from tests.real.sshd import Sshd

PASSWORD = "s3cret pass"


def home_of(ssh: SshHost, folder: Path) -> Path:
    """A home whose ~/.ssh lets us in, under the alias `app1` as well."""
    ssh_folder = folder / ".ssh"
    ssh_folder.mkdir(mode=0o700)
    (ssh_folder / "known_hosts").write_text(ssh.known_hosts.read_text())
    (ssh_folder / "config").write_text(
        f"Host app1\n  HostName {ssh.host}\n  Port {ssh.port}\n  User ops\n"
        f"Host *\n  IdentityFile {ssh.key}\n  IdentitiesOnly yes\n"
    )
    return folder


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


@pytest.mark.parametrize("ssh", ["ssh_jre", "ssh_jdk"])
@pytest.mark.parametrize("method", ["direct", "tools"])
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
    until = time.monotonic() + 30
    while len(rows := jvmdiag("ps", ssh.target("plain"), "--sudo", "--json", home=home).document["jvms"]) < 2:
        assert time.monotonic() < until
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


def on_a_terminal(arguments: list[str], home: Path, prompt: str, answer: str) -> tuple[int, str]:
    """Run it on a pseudo terminal and type `answer` at `prompt`; exit code and all that was shown."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        argv(*arguments),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(home),
        start_new_session=True,
    )
    os.close(follower)
    shown, answered, until = "", False, time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([leader], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(leader, 4096)
        except OSError:
            break
        shown += data.decode(errors="replace")
        if prompt in shown and not answered:
            answered = True
            os.write(leader, answer.encode() + b"\n")
    os.close(leader)
    return process.wait(10), shown


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


def test_a_host_nobody_knows_and_a_port_nobody_listens_on(tmp_path: Path) -> None:
    assert jvmdiag("ps", "ssh://no-such-host.invalid", home=tmp_path).exit_code == 28
    assert jvmdiag("ps", "ssh://127.0.0.1:1", home=tmp_path).exit_code == 24


def test_a_container_behind_ssh(engine: Engine, run_container: RunContainer, tmp_path: Path) -> None:
    """The engine's host is reached over SSH: by its /proc, and by exec over `docker system dial-stdio`."""
    container = run_container("tomcat-jre")
    settings = (f"SetEnv DOCKER_HOST={engine.url}", f"SetEnv PATH={os.environ['PATH']}")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with Sshd(folder, config=settings) as sshd:
        ssh = sshd.options()
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh" / "known_hosts").write_text(Path(ssh.known_hosts[0]).read_text())
        target = f"{sshd.target()}/docker/{container.name}"
        key = ("-i", str(ssh.identity_files[0]))
        before = snapshot(container)
        for view in ("host", "inside"):
            run = jvmdiag(
                "heapdump",
                target,
                *key,
                "--yes",
                "--view",
                view,
                "-o",
                str(tmp_path / view),
                "--json",
                home=tmp_path,
            )
            assert run.exit_code == 0, run.err
            assert jvmdiag("verify", run.document["artifact"]["path"], home=tmp_path).exit_code == 0
        missing = jvmdiag("threaddump", f"{target}x", *key, home=tmp_path)
        assert missing.exit_code == 10
        assert str(container.name) in missing.err
    assert left_behind(container, before) == []
