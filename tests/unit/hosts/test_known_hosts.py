"""known_hosts: which line is for which host, and what it says about a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.hosts.known_hosts import (
    HostKey,
    KnownHosts,
    Trust,
    lookup_name,
    parse_known_hosts,
    read_known_hosts,
)

# Made by ssh-keygen; the fingerprints are those of ssh-keygen -l, the hashed line that of ssh-keygen -H.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEoFPtgGoTatCyZn0eh+GsGHjJQnLQL9lyzNuPzgmuZ"
OTHER_ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID0sIfg/zcVSxgBEUmlXbk/bCkpYRmlHt4xfgEMZPjMc"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDqya5X+4SNf+ojXv2gsGEmV"
    "gU1/Hh/ziJxn+EeEoXjCpm9wiIM0JLgbreu3aE14rnr/JrHbqUwVHRYc8HAJ1f4="
)
HASHED = "|1|DhNeiFYoU/nJX2MQIa0yK32n31M=|D758TjiD+IzmM/lrCIL09ZA42tc="


def key(text: str) -> HostKey:
    (line,) = parse_known_hosts(f"h {text}", "f")
    return line.key


def known(text: str, host: str, port: int = 22, alias: str | None = None) -> KnownHosts:
    return KnownHosts(parse_known_hosts(text, "known_hosts"), host, port, alias)


def trust(text: str, shown: str, host: str, port: int = 22, alias: str | None = None) -> Trust:
    return known(text, host, port, alias).judge(key(shown)).trust


@pytest.mark.parametrize(
    ("text", "fingerprint"),
    [
        (ED25519, "SHA256:ZpglkjTDGxn9BPd1MFgZtx0Lv2ovsE10thozzPaVi0Y"),
        (ECDSA, "SHA256:EfDFfXeeMc9/mAQUQDUpau35nhbwDBPTLyXI4NsNL60"),
    ],
)
def test_fingerprints_are_those_of_ssh_keygen(text: str, fingerprint: str) -> None:
    assert key(text).fingerprint == fingerprint


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("web01", "web01", 22),
        ("WEB01", "Web01", 22),
        ("a,web01,b", "web01", 22),
        ("*.example.com", "web01.example.com", 22),
        ("web0?", "web01", 22),
        ("[web01]:2222", "web01", 2222),
        ("[*.example.com]:2222", "web01.example.com", 2222),
        ("[::1]:2222", "::1", 2222),
        (HASHED, "web01.example.com", 2222),
        # ssh takes the key of the bare name for another port too.
        ("web01", "web01", 2222),
    ],
)
def test_a_line_is_for_a_host(names: str, host: str, port: int) -> None:
    assert trust(f"{names} {ED25519}", ED25519, host, port) is Trust.KNOWN


@pytest.mark.parametrize(
    ("names", "host", "port"),
    [
        ("web02", "web01", 22),
        ("*.example.com,!web01.example.com", "web01.example.com", 22),
        ("[web01]:2222", "web01", 22),
        ("[web01]:2222", "web01", 2223),
        (HASHED, "web01.example.com", 22),
        ("|1|broken", "web01", 22),
        ("[w]eb01", "web01", 22),
    ],
)
def test_a_line_is_not_for_a_host(names: str, host: str, port: int) -> None:
    assert trust(f"{names} {ED25519}", ED25519, host, port) is Trust.UNKNOWN


def test_an_alias_takes_the_place_of_host_and_port() -> None:
    assert lookup_name("10.0.0.7", 2222, "Cluster") == "cluster"
    assert trust(f"cluster {ED25519}", ED25519, "10.0.0.7", 2222, "cluster") is Trust.KNOWN
    assert trust(f"[10.0.0.7]:2222 {ED25519}", ED25519, "10.0.0.7", 2222, "cluster") is Trust.UNKNOWN


def test_another_key_of_the_same_type_is_a_change_and_names_its_line() -> None:
    text = f"# comment\n\nweb01 {ECDSA}\nweb01 {ED25519}\n"
    verdict = known(text, "web01").judge(key(OTHER_ED25519))
    assert verdict.trust is Trust.CHANGED
    assert [(line.where, line.key) for line in verdict.lines] == [("known_hosts:4", key(ED25519))]


def test_a_key_of_another_type_than_the_known_ones_is_a_change() -> None:
    # The known type was asked for first: a host that shows another one no longer has it.
    assert trust(f"web01 {ECDSA}", ED25519, "web01") is Trust.CHANGED


def test_one_of_several_keys_is_enough() -> None:
    text = f"web01 {OTHER_ED25519}\nweb01 {ED25519}\n"
    assert trust(text, ED25519, "web01") is Trust.KNOWN


def test_a_key_of_the_bare_name_is_no_change_at_another_port() -> None:
    assert trust(f"web01 {OTHER_ED25519}", ED25519, "web01", 2222) is Trust.UNKNOWN


def test_a_revoked_key_is_refused_although_another_line_knows_it() -> None:
    text = f"web01 {ED25519}\n@revoked * {ED25519}\n"
    verdict = known(text, "web01").judge(key(ED25519))
    assert (verdict.trust, verdict.lines[0].where) == (Trust.REVOKED, "known_hosts:2")


def test_a_certificate_authority_vouches_for_no_plain_key() -> None:
    verdict = known(f"@cert-authority *.example.com {ED25519}", "web01.example.com").judge(key(ED25519))
    assert (verdict.trust, verdict.certified) == (Trust.UNKNOWN, True)


def test_the_known_key_types_come_in_the_order_of_the_file_and_without_marked_ones() -> None:
    text = f"@revoked web01 ssh-rsa AAAA\nweb01 {ECDSA}\nother ssh-dss AAAA\nweb01 {ED25519}\nweb01 {ECDSA}\n"
    assert known(text, "web01").kinds() == ("ecdsa-sha2-nistp256", "ssh-ed25519")


@pytest.mark.parametrize(
    "line", ["web01", "web01 ssh-ed25519", "web01 ssh-ed25519 !!!", "@odd h ssh-rsa AAAA"]
)
def test_lines_that_ssh_would_skip_are_skipped(line: str) -> None:
    assert parse_known_hosts(line, "f") == []


def test_files_that_are_not_there_are_empty(tmp_path: Path) -> None:
    there = tmp_path / "known_hosts"
    there.write_text(f"web01 {ED25519}\n")
    lines = read_known_hosts([tmp_path / "none", there, tmp_path])
    assert [line.where for line in lines] == [f"{there}:1"]
