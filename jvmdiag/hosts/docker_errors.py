"""What an engine answers, and what docker-py and its like raise, as ours: tables around calls and iteration."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import cache

from jvmdiag.errors import (
    AttachRefused,
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
from jvmdiag.hosts.docker_client import import_docker
from jvmdiag.hosts.docker_context import config_file

_DENIED, _MISSING = (401, 403, 407), (404,)
_ANY = tuple(range(400, 600))
_FAILED = tuple(range(500, 600))
_Answer = tuple[tuple[int, ...], str, type[JvmdiagError], str]
# The first row whose status and words (in lower case) fit decides. What the status of an answer is has
# changed from engine to engine, and Podman has words of its own.
ANSWERS: tuple[_Answer, ...] = (
    (_DENIED, "", EngineRefused, "the Docker Engine at {where} does not let us {doing}"),
    (_MISSING, "no such image", NoImage, "there is no such image on the engine at {where}"),
    (_MISSING, "image not known", NoImage, "there is no such image on the engine at {where}"),
    (_MISSING, "could not find the file", NoSuchFile, "no such file in {container}"),
    # A path through what is no directory, or with a name that no file can have.
    (_FAILED, "lstat ", NoSuchFile, "no such file in {container}"),
    (_MISSING, "", NoSuchTarget, "{container} is gone"),
    (_ANY, "multiple ids found", NoSuchTarget, "the engine cannot tell which container {container} is"),
    (_ANY, "is paused", TargetPaused, "{container} is paused"),
    (_ANY, "is not running", TargetNotRunning, "{container} is not running any more"),
    (_ANY, "is restarting", TargetNotRunning, "{container} is not running any more"),
    (_ANY, "non running container", TargetNotRunning, "{container} is not running any more"),
    (_ANY, "invalid reference format", BadRequest, "{container} is no name of an image"),
    (_ANY, "does not support reading", AttachRefused, "the log of {container} can't be read back"),
    (_FAILED, "", ConnectionLost, "the Docker Engine at {where} failed to {doing}"),
    (_ANY, "", EngineRefused, "the Docker Engine at {where} refuses to {doing}"),
)
_ADVICE: dict[type[JvmdiagError], str] = {
    EngineRefused: "an authorization plugin or a proxy before the engine may say so; does docker itself get in?",
    ConnectionLost: "try again; the engine's own log says more: journalctl -u docker",
    NoImage: "name a JDK image that has a shell: --jdk-image NAME (or JVMDIAG_JDK_IMAGE)",
    TargetPaused: "go on with: docker unpause {container}",
}


@cache
def foreign() -> tuple[tuple[type[BaseException], type[JvmdiagError], str], ...]:
    """What is raised where no answer came, or none that an engine gives. The special come before the general."""
    docker = import_docker()
    import requests
    import urllib3

    silent = "the Docker Engine at {where} does not answer any more"
    gone = "the Docker Engine at {where} no longer answers"
    strange = "what answers at {where} does not speak as a Docker Engine does"
    return (
        (requests.exceptions.InvalidJSONError, EngineRefused, strange),
        (docker.errors.StreamParseError, EngineRefused, strange),
        (requests.exceptions.Timeout, ConnectionLost, silent),
        (urllib3.exceptions.TimeoutError, ConnectionLost, silent),
        (TimeoutError, ConnectionLost, silent),
        (requests.exceptions.RequestException, ConnectionLost, gone),
        (urllib3.exceptions.HTTPError, ConnectionLost, gone),
        (urllib3.exceptions.ProxySchemeUnsupported, ConnectionLost, gone),
        (OSError, ConnectionLost, gone),
        (
            docker.errors.DockerException,
            EngineRefused,
            "the Docker Engine at {where} cannot be asked to {doing}",
        ),
        # docker-py takes a strange answer for what it expects, and stumbles over it anywhere.
        (Exception, EngineRefused, strange),
    )


def ours(error: BaseException, where: str, doing: str, container: str = "it") -> JvmdiagError:
    """`error` as one of ours; one that is ours already is returned as it is."""
    if isinstance(error, JvmdiagError):
        return error
    status = getattr(error, "status_code", None)
    text = str(getattr(error, "explanation", None) or error).lower()
    answers = (
        (kind, what) for statuses, words, kind, what in ANSWERS if status in statuses and words in text
    )
    raised = ((kind, what) for theirs, kind, what in foreign() if isinstance(error, theirs))
    kind, what = next(answers, None) or next(raised)
    said = {"where": where, "doing": doing, "container": container}
    return kind(what.format(**said), why=reason(error), advice=_ADVICE.get(kind, "").format(**said) or ())


def reason(error: BaseException) -> str:
    """What the engine or the library says, in one line."""
    said = getattr(error, "explanation", None)
    # A proxy answers with a page.
    text = str(error if not said or str(said).lstrip().startswith("<") else said)
    line = " ".join(text.split())[:300]
    # Of these the text alone says nothing.
    bare = isinstance(error, AttributeError | LookupError | TypeError) or not line
    return f"{type(error).__name__}: {line}" if bare else line


def status_of(error: JvmdiagError) -> int | None:
    """The HTTP status of the answer that `error` was made of; None where there was no answer."""
    status = getattr(error.__cause__, "status_code", None)
    return status if isinstance(status, int) else None


@contextmanager
def opening_errors(where: str) -> Iterator[None]:
    """Around the opening of a client: what is wrong with the engine, or with the files that docker-py reads."""
    try:
        yield
    except JvmdiagError:
        raise
    except Exception as error:
        raise _unopened(error, where) from error


def _unopened(error: Exception, where: str) -> JvmdiagError:
    cause = error.__cause__
    if cause is not None and getattr(cause, "status_code", None) in _DENIED:
        return ours(cause, where, "ask for its version")
    # docker-py wraps what the engine's answer does to it; what is left it stumbled over in its own file.
    if isinstance(error, AttributeError | LookupError | TypeError):
        return BadRequest(
            f"docker-py cannot make sense of {config_file()}",
            why=reason(error),
            advice="mend it or move it away; DOCKER_CONFIG names another folder than ~/.docker",
        )
    return EngineUnreachable(
        f"no Docker Engine answers at {where}",
        why=reason(error),
        advice=(
            "is it running? try: docker info",
            "DOCKER_HOST or `docker context use` name another engine; ssh://HOST/docker/NAME one on a host",
        ),
    )


@contextmanager
def engine_errors(where: str, doing: str, container: str = "it") -> Iterator[None]:
    """Nothing foreign leaves this block: the engine `where` was asked to do `doing`, with `container`."""
    try:
        yield
    except JvmdiagError:
        raise
    except Exception as error:
        raise ours(error, where, doing, container) from error


def engine_stream(
    chunks: Generator[bytes, None, None], where: str, doing: str, container: str = "it"
) -> Iterator[bytes]:
    """The same around what is still to come of an answer. Closing it lets go of the connection."""
    with closing(chunks), engine_errors(where, doing, container):
        yield from chunks
