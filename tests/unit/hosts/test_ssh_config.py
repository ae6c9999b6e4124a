"""ssh_config to Hop, as ssh would have it."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.hosts.ssh_config import Hop, SshConfig
from jvmdiag.target import SshTarget


def hop(tmp_path: Path, config: str, host: str, user: str | None = None, port: int | None = None) -> Hop:
    path = tmp_path / "config"
    path.write_text(config)
    return SshConfig(path).hop(SshTarget(host, user, port))


def test_without_a_file_a_host_is_itself(tmp_path: Path) -> None:
    for config in (SshConfig(None), SshConfig(tmp_path / "none")):
        found = config.hop(SshTarget("web01"))
        assert (found.host, found.port, found.user) == ("web01", 22, getpass.getuser())
        assert [path.name for path in found.identity_files] == ["id_ed25519", "id_ecdsa", "id_rsa"]
        assert found.identity_files_are_defaults
        assert (found.jumps, found.proxy_command, found.host_key_alias) == ((), None, None)


def test_an_alias_gets_everything_that_stands_under_it(tmp_path: Path) -> None:
    config = """
        Host Web
            HostName 10.0.0.7
            User ops
            Port 2222
            IdentityFile ~/keys/%r
            IdentitiesOnly yes
            IdentityAgent none
            UserKnownHostsFile ~/known ~/more
            HostKeyAlias cluster
            ConnectTimeout 3
            AddressFamily inet
    """
    found = hop(tmp_path, config, "Web")
    assert (found.alias, found.host, found.port, found.user) == ("Web", "10.0.0.7", 2222, "ops")
    assert found.identity_files == (Path.home() / "keys/ops",)
    assert (found.identities_only, found.use_agent, found.identity_files_are_defaults) == (True, False, False)
    assert found.known_hosts == (Path.home() / "known", Path.home() / "more")
    assert (found.host_key_alias, found.connect_timeout_s, found.family) == ("cluster", 3.0, "inet")
    assert found.address == "ops@10.0.0.7:2222"


def test_user_and_port_of_the_target_win_and_are_seen_by_match_and_tokens(tmp_path: Path) -> None:
    config = """
        Match user deploy
            IdentityFile /keys/deploy
        Host web
            User ops
            Port 2222
            ProxyCommand nc -x %h %p %r
    """
    found = hop(tmp_path, config, "web", user="deploy", port=2200)
    assert (found.user, found.port) == ("deploy", 2200)
    assert found.identity_files == (Path("/keys/deploy"),)
    assert found.proxy_command == "nc -x web 2200 deploy"


def test_a_chain_of_jump_hosts_has_each_its_own_configuration(tmp_path: Path) -> None:
    config = """
        Host web
            ProxyJump me@outer:2200,inner
        Host outer
            HostName outer.example.com
            ProxyJump door
        Host inner
            HostName 10.0.0.1
            User in
            ProxyJump never-used
    """
    jumps = hop(tmp_path, config, "web").jumps
    assert [(jump.user, jump.host, jump.port) for jump in jumps] == [
        (getpass.getuser(), "door", 22),
        ("me", "outer.example.com", 2200),
        ("in", "10.0.0.1", 22),
    ]


def test_a_jump_host_for_every_host_is_not_its_own(tmp_path: Path) -> None:
    found = hop(tmp_path, "Host *\n  ProxyJump bastion\n", "web")
    assert [jump.host for jump in found.jumps] == ["bastion"]


def test_jump_hosts_that_lead_to_each_other_are_refused(tmp_path: Path) -> None:
    config = "Host a\n ProxyJump b\nHost b\n ProxyJump a\n"
    with pytest.raises(BadRequest, match="circles"):
        hop(tmp_path, config, "a")


@pytest.mark.parametrize(
    ("line", "jumps", "command"),
    [
        ("ProxyJump none", 0, None),
        ("ProxyCommand none", 0, None),
        ("ProxyCommand nc %h %p", 0, "nc web 22"),
        ("ProxyJump ssh://a@[::1]:22", 1, None),
        ("ProxyJump b\n ProxyCommand nc", 1, None),
    ],
)
def test_how_the_way_there_is_said(tmp_path: Path, line: str, jumps: int, command: str | None) -> None:
    found = hop(tmp_path, f"Host web\n {line}\n", "web")
    assert (len(found.jumps), found.proxy_command) == (jumps, command)


def test_included_files_are_read_and_what_follows_stays_in_its_block(tmp_path: Path) -> None:
    (tmp_path / "one.conf").write_text("Host web\n  Port 2222\n")
    (tmp_path / "two.conf").write_text("Host other\n  Port 1\n")
    config = f"Include {tmp_path}/*.conf {tmp_path}/none\nUser everywhere\nHost db\n User dba\n"
    found = hop(tmp_path, config, "web")
    assert (found.port, found.user) == (2222, "everywhere")
    assert hop(tmp_path, config, "db").user == "everywhere"
    inside = f"Host web\n Include {tmp_path}/one.conf\n User inside\n"
    assert hop(tmp_path, inside, "web").user == "inside"
    assert hop(tmp_path, inside, "db").user == getpass.getuser()


@pytest.mark.parametrize("how_often", [1, 3])
def test_a_file_that_includes_itself_is_refused_as_by_ssh(tmp_path: Path, how_often: int) -> None:
    with pytest.raises(BadRequest, match=f"{tmp_path}/config .* in circles"):
        hop(tmp_path, f"Include {tmp_path}/config\n" * how_often, "web")


@pytest.mark.parametrize("include", ["/", "/tmp", "~nouser/config", "/nowhere/*", "/etc/passwd/x", "a\0b"])
def test_an_include_of_what_is_no_file_is_passed_over_as_by_ssh(tmp_path: Path, include: str) -> None:
    assert hop(tmp_path, f"Include {include}\nUser ops\n", "web").user == "ops"


def test_an_include_by_pattern_leaves_out_hidden_files(tmp_path: Path) -> None:
    for name in (".web.swp", "web"):
        (tmp_path / name).write_text(f"User {name}\n")
    assert hop(tmp_path, f"Include {tmp_path}/*web*\n", "web").user == "web"


@pytest.mark.parametrize(
    "line",
    ['Include "foo', 'UserKnownHostsFile "x', 'Host "web', "Port abc", "CanonicalizeHostname yes", "What"],
)
def test_what_is_wrong_in_a_file_is_told_with_its_name(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadRequest, match=f"{tmp_path}/config cannot be read") as caught:
        hop(tmp_path, f"{line}\n", "web")
    assert caught.value.why
    assert caught.value.advice


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=f"{tmp_path} cannot be read: Is a directory"):
        SshConfig(tmp_path)


def test_a_key_of_a_user_who_is_not_there_is_no_key(tmp_path: Path) -> None:
    found = hop(tmp_path, "UserKnownHostsFile ~nouser/known\n", "web")
    assert found.known_hosts == (Path("~nouser/known"),)


def test_a_user_without_a_name_is_asked_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    with pytest.raises(BadRequest, match="has no name"):
        hop(tmp_path, "", "web", "ops")
    monkeypatch.setenv("LOGNAME", "ops")
    assert hop(tmp_path, "", "web").user == "ops"


@pytest.mark.parametrize(
    "config", ["Host web\n what\n", "Host web\n Port abc\n", "Match all web\n", "CanonicalizeHostname yes\n"]
)
def test_a_file_that_cannot_be_understood_is_a_bad_request(tmp_path: Path, config: str) -> None:
    with pytest.raises(BadRequest):
        hop(tmp_path, config, "web")


@pytest.mark.parametrize("spec", ["a@:22", "host:abc", "@"])
def test_a_jump_that_names_no_host_is_a_bad_request(tmp_path: Path, spec: str) -> None:
    with pytest.raises(BadRequest, match="ProxyJump"):
        hop(tmp_path, f"Host web\n ProxyJump {spec}\n", "web")


def test_a_user_cannot_write_configuration(tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        hop(tmp_path, "", "web", user="ops\nProxyCommand touch /tmp/x")
