"""The target grammar: what each form names, what is refused, and that text and Target agree."""

from __future__ import annotations

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.target import (
    FORMS,
    DockerTarget,
    LocalTarget,
    SshDockerTarget,
    SshTarget,
    Target,
    file_stem,
    parse_target,
)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web", DockerTarget("web")),
        ("web_1.a-b", DockerTarget("web_1.a-b")),
        ("0c1894377d7d", DockerTarget("0c1894377d7d")),
        ("docker://web", DockerTarget("web")),
        ("docker://web/", DockerTarget("web")),
        ("local://", LocalTarget()),
        ("local://localhost", LocalTarget()),
        ("local:///", LocalTarget()),
        ("ssh://app1", SshTarget("app1")),
        ("ssh://ops@app1:2222", SshTarget("app1", "ops", 2222)),
        ("ssh://ops@app1/", SshTarget("app1", "ops")),
        ("ssh://App1.Example", SshTarget("App1.Example")),
        ("ssh://[::1]:22", SshTarget("::1", None, 22)),
        ("ssh://ops@[fe80::1]", SshTarget("fe80::1", "ops")),
        ("ssh://a%40b@app1", SshTarget("app1", "a@b")),
        ("ssh://ops@app1/docker/web", SshDockerTarget(SshTarget("app1", "ops"), "web")),
        ("ssh://app1:22/docker/web/", SshDockerTarget(SshTarget("app1", None, 22), "web")),
    ],
)
def test_each_form_names_its_target(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it names no container"),
        ("-rm", "can't be a container's name"),
        ("we b", "can't be a container's name"),
        ("web\n", "can't be a container's name"),
        ("web;id", "can't be a container's name"),
        ("docker://", "it names no container"),
        ("docker://a/b", "can't be a container's name"),
        ("k8s://web", "no such kind of target: k8s://"),
        ("local://elsewhere", "no such kind of target"),
        ("ssh://", "it names no host"),
        ("ssh://ops@", "it names no host"),
        ("ssh://app1:99999", "no number up to 65535"),
        ("ssh://app1:twenty", "no number up to 65535"),
        ("ssh://[::1", "lacks its brackets"),
        ("ssh://ops:x@app1", "a password does not belong in a target"),
        ("ssh://-oProxyCommand=id", "does not begin with a dash"),
        ("ssh://ops@-oProxyCommand=id", "does not begin with a dash"),
        ("ssh://app1?x=1", "behind the host"),
        ("ssh://app1#x", "behind the host"),
        ("ssh://app1/web", "only /docker/NAME"),
        ("ssh://app1/docker/", "only /docker/NAME"),
        ("ssh://app1/docker/-rm", "can't be a container's name"),
        ("ssh://app1/docker/a/b", "can't be a container's name"),
    ],
)
def test_what_names_no_target_says_why_and_lists_the_forms(text: str, why: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_target(text)
    assert why in caught.value.why
    assert [line.strip() for line in caught.value.advice[1:]] == [form.strip() for form in FORMS]


@pytest.mark.parametrize(
    "text",
    [
        "ssh://ops:hunter2@app1",
        "ssh://ops:hunter2/x@app1",
        "ssh://ops:hunter2#x@app1",
        "ssh://ops:hun@hunter2@app1",
        "ssh://ops:hunter2@app1:99999",
        "ssh://ops:hunter2@",
        "ops:hunter2@app1",
        "docker://ops:hunter2@web",
    ],
)
def test_a_password_in_a_target_is_not_repeated(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_target(text)
    assert "hunter2" not in f"{caught.value}{caught.value.advice}"


@pytest.mark.parametrize(
    "target",
    [
        LocalTarget(),
        DockerTarget("web"),
        SshTarget("app1"),
        SshTarget("app1", "ops", 2222),
        SshTarget("::1", "ops", 22),
        SshTarget("fe80::1"),
        SshTarget("app1", "a@b"),
        SshTarget("app1", "a/b:c"),
        SshDockerTarget(SshTarget("::1", "ops", 22), "web"),
    ],
)
def test_a_target_that_is_written_and_read_again_is_the_same(target: Target) -> None:
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    ("target", "stem"),
    [
        (LocalTarget(), "local"),
        (DockerTarget("web_1.x-y"), "web_1.x-y"),
        (SshTarget("app1.example", "ops", 22), "app1.example"),
        (SshTarget("fe80::1%eth0"), "fe80__1_eth0"),
        (SshDockerTarget(SshTarget("::1"), "web"), "__1-web"),
    ],
)
def test_a_targets_file_name_has_no_character_to_quote(target: Target, stem: str) -> None:
    assert file_stem(target) == stem
