"""Which engine is meant, as the docker command decides."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from jvmdiag.errors import BadRequest
from jvmdiag.hosts.docker_context import DEFAULT_URL, Certificates, Endpoint, named_endpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of docker's configuration; no variable names an engine."""
    for variable in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def context(folder: Path, name: str, text: str) -> Path:
    file = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def endpoint(url: str, *, skip: bool = False) -> str:
    docker = {"Host": url, "SkipTLSVerify": skip}
    return json.dumps({"Name": "x", "Metadata": {}, "Endpoints": {"docker": docker}})


@pytest.mark.parametrize("text", [None, "", "{}", '{"currentContext": ""}', '{"currentContext": "default"}'])
def test_without_a_word_it_is_the_default_socket(folder: Path, text: str | None) -> None:
    if text is not None:
        (folder / "config.json").write_text(text)
    assert named_endpoint() == Endpoint(DEFAULT_URL)
    assert named_endpoint().socket_path == "/var/run/docker.sock"


def test_a_variable_comes_before_the_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(folder, "one", endpoint("tcp://one:2375"))
    context(folder, "two", endpoint("ssh://ops@two"))
    (folder / "config.json").write_text('{"currentContext": "one"}')
    assert str(named_endpoint()) == "tcp://one:2375 (Docker context one)"
    monkeypatch.setenv("DOCKER_CONTEXT", "two")
    assert named_endpoint().url == "ssh://ops@two"
    monkeypatch.setenv("DOCKER_HOST", "unix:///x.sock")
    assert named_endpoint() == Endpoint("unix:///x.sock", "DOCKER_HOST")


def test_a_context_has_its_certificates(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = context(folder, "tls", endpoint("tcp://one:2376"))
    tls = folder / "contexts" / "tls" / file.parent.name / "docker"
    tls.mkdir(parents=True)
    (tls / "ca.pem").touch()
    monkeypatch.setenv("DOCKER_CONTEXT", "tls")
    assert named_endpoint().tls == Certificates(tls / "ca.pem", None, True)
    (tls / "cert.pem").touch()
    (tls / "key.pem").touch()
    assert named_endpoint().tls == Certificates(tls / "ca.pem", (tls / "cert.pem", tls / "key.pem"), True)


def test_a_context_that_does_not_verify_speaks_tls_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context(folder, "lax", endpoint("tcp://one:2376", skip=True))
    monkeypatch.setenv("DOCKER_CONTEXT", "lax")
    assert named_endpoint().tls == Certificates(None, None, False)


@pytest.mark.parametrize(
    "text", ["[]", "{", "\0", '"a"', "[" * 100_000, '{"currentContext": 5}', '{"currentContext": "nope"}']
)
def test_a_broken_configuration_is_told_with_its_name(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(BadRequest) as caught:
        named_endpoint()
    assert f"{folder}/config.json" in str(caught.value)
    assert caught.value.advice


@pytest.mark.parametrize("text", ["[]", "{", "{}", '{"Endpoints": []}', '{"Endpoints": {"docker": 5}}'])
def test_a_broken_context_is_told_with_its_file(
    folder: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = context(folder, "bad", text)
    monkeypatch.setenv("DOCKER_CONTEXT", "bad")
    with pytest.raises(BadRequest, match=str(file)):
        named_endpoint()


def test_a_context_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nope")
    with pytest.raises(BadRequest, match="no Docker context 'nope': DOCKER_CONTEXT names it"):
        named_endpoint()


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://one:2376")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(BadRequest, match=str(tmp_path)):
        named_endpoint()
