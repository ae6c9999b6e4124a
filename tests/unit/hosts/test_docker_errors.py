"""Every answer of an engine, and every exception of docker-py and what it stands on, has an error of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
import requests
import urllib3

from jvmdiag.errors import (
    BadRequest,
    ConnectionLost,
    EngineRefused,
    EngineUnreachable,
    JvmdiagError,
    NoImage,
    NoSuchFile,
    NoSuchTarget,
    TargetNotRunning,
    TargetPaused,
)
from jvmdiag.hosts.docker import ContainerFacts, Engine
from jvmdiag.hosts.docker_errors import foreign, ours
from jvmdiag.hosts.images import has_image, pull
from jvmdiag.hosts.sidecars import create_sidecar, hold_sidecar
from tests.proxy import Answer, answering, message

FACTS = ContainerFacts("c0ffee", "web", "tomcat:10", True, False, "running", 4711, False, "json-file", ())
CALLS: dict[str, Callable[[Engine], object]] = {
    "containers": lambda engine: engine.containers(),
    "inspect": lambda engine: engine.inspect("web"),
    "how_it_ended": lambda engine: engine.how_it_ended("web"),
    "last_log_stamp": lambda engine: engine.last_log_stamp("web"),
    "log_since": lambda engine: engine.log_since("web", 1.0),
    "kill": lambda engine: engine.kill("web", "SIGQUIT"),
    "archive": lambda engine: list(engine.archive("web", "/x")),
    "has_image": lambda engine: has_image(engine, "jdk:17"),
    "create_sidecar": lambda engine: create_sidecar(engine, "s", FACTS, "jdk:17", capabilities=()),
    "hold": lambda engine: hold_sidecar(engine, "s"),
}
PUBLIC = [
    kind
    for module in (docker.errors, requests.exceptions, urllib3.exceptions)
    for kind in vars(module).values()
    if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    if kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_public_exception_has_a_row_of_its_own_family(kind: type[BaseException]) -> None:
    assert any(issubclass(kind, row[0]) for row in foreign()[:-1])


def test_a_special_row_is_never_hidden_by_a_general_one_before_it() -> None:
    for position, (kind, _, _) in enumerate(foreign()):
        assert not [row[0] for row in foreign()[:position] if issubclass(kind, row[0])]


@pytest.mark.parametrize(
    ("answer", "expected", "word"),
    [
        (message(403, "authorization denied by plugin opa: no"), EngineRefused, "plugin opa"),
        (message(401, "who are you"), EngineRefused, "who are you"),
        (message(500, "driver failed"), ConnectionLost, "driver failed"),
        (Answer(502, b"<html>\n<h1>Bad</h1>"), ConnectionLost, "502 Server Error"),
        (Answer(418, b'["a list"]', {"Content-Type": "application/json"}), EngineRefused, ""),
        (Answer(503), ConnectionLost, "503"),
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_what_stands_before_the_engine_says_no(
    call: str, answer: Answer, expected: type[JvmdiagError], word: str, tmp_path: Path
) -> None:
    with answering(tmp_path, answer) as url:
        engine = Engine(url, "here")
        with pytest.raises(expected) as caught:
            CALLS[call](engine)
        engine.close()
    assert type(caught.value) is expected
    assert "here" in caught.value.what
    assert word in caught.value.why


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{}", b"null", b'"a"'])
@pytest.mark.parametrize("call", ["containers", "inspect", "how_it_ended"])
def test_an_answer_that_no_engine_gives(call: str, body: bytes, tmp_path: Path) -> None:
    with answering(tmp_path, Answer(200, body)) as url:
        engine = Engine(url, "here")
        if call == "containers" and body in (b"{}", b'""'):
            assert engine.containers() == []
        else:
            with pytest.raises(EngineRefused, match="here does not speak"):
                CALLS[call](engine)
        engine.close()


def test_an_archive_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    stat = {"X-Docker-Container-Path-Stat": "e30="}
    with answering(tmp_path, Answer(200, b"x" * 1000, stat, cut=True)) as url:
        engine = Engine(url, "here")
        chunks = engine.archive("web", "/x")
        with pytest.raises(ConnectionLost, match="here no longer answers"):
            list(chunks)
        engine.close()


@pytest.mark.parametrize("answer", [message(403, "no"), message(500, "no"), Answer(200, b'{"error": "no"}')])
def test_a_pull_that_fails_says_why_and_how_to_do_without(answer: Answer, tmp_path: Path) -> None:
    with answering(tmp_path, answer) as url:
        engine = Engine(url, "here")
        with pytest.raises(NoImage, match="could not be pulled") as caught:
            pull(engine, "jdk:17", lambda *_: None)
        engine.close()
    assert "no" in caught.value.why
    assert caught.value.advice


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (404, "No such image: jdk:17", NoImage),
        (404, "jdk:17: image not known", NoImage),
        (404, "Could not find the file /x in container web", NoSuchFile),
        (404, "No such container: web", NoSuchTarget),
        (500, "lstat /x/etc/passwd/x: not a directory", NoSuchFile),
        (500, "lstat /xxx: file name too long", NoSuchFile),
        (500, "Multiple IDs found with provided prefix: c", NoSuchTarget),
        (409, "Container web is paused, unpause the container before exec", TargetPaused),
        (409, "Container web is not running", TargetNotRunning),
        (409, "cannot join PID of a non running container: web", TargetNotRunning),
        (400, "invalid reference format", BadRequest),
        (403, "authorization denied: web is paused", EngineRefused),
        (429, "slow down", EngineRefused),
    ],
)
def test_what_an_engine_answers(status: int, text: str, expected: type[JvmdiagError]) -> None:
    response = requests.Response()
    response.status_code = status
    found = ours(docker.errors.APIError("no", response=response, explanation=text), "here", "do it", "web")
    assert type(found) is expected
    assert found.why == text
    assert "{" not in str(found)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (message(403, "not you"), EngineRefused),
        (message(500, "starting"), EngineUnreachable),
        (Answer(200, b"<html>"), EngineUnreachable),
        (Answer(404, b"404 page not found"), EngineUnreachable),
    ],
)
def test_an_engine_that_does_not_open(answer: Answer, expected: type[JvmdiagError], tmp_path: Path) -> None:
    with answering(tmp_path, answer, {"/version": answer}) as url, pytest.raises(expected, match="here"):
        Engine(url, "here").containers()


@pytest.mark.parametrize("image", [404, 403])
def test_an_image_is_missing_by_404_alone(image: int, tmp_path: Path) -> None:
    with answering(tmp_path, message(image, "jdk is not known here")) as url:
        engine = Engine(url, "here")
        if image == 404:
            assert not has_image(engine, "jdk:17")
        else:
            with pytest.raises(EngineRefused):
                has_image(engine, "jdk:17")
        engine.close()


def test_a_container_that_others_link_to_has_its_own_name(tmp_path: Path) -> None:
    listed = b'[{"Names": ["/app/db", "/web"]}, {"Names": null}, {"Names": ["/cache"]}]'
    with answering(tmp_path, Answer(200, listed)) as url:
        engine = Engine(url, "here")
        assert engine.containers() == ["web", "cache"]
        engine.close()


def test_a_configuration_that_docker_py_stumbles_over_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"proxies": ["a", "b"]}')
    with answering(tmp_path, Answer(200)) as url, pytest.raises(BadRequest, match=f"{tmp_path}/config.json"):
        Engine(url, "here").containers()
