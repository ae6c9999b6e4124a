"""A page of a server that runs on the target, asked for from the target's own network namespace: GET, nothing else.

Nothing is installed there: perl, python3, bash, curl, nc or wget does it, whichever there is.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from jvmdiag.attach.rung import Scene
from jvmdiag.errors import JvmdiagError
from jvmdiag.hosts.base import Host
from jvmdiag.hosts.place import ViewKind
from jvmdiag.model import Completed

TIMEOUT_S = 5
MOST_BYTES = 1 << 20
# The shell, the way there, and the client's own bound.
AROUND_S = 5.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HARMLESS_QUERIES = ("auto", "XML=true")
_SAFE = "/%:=&?~#+!$,;'@()*[]"
_STATUS = re.compile(rb"^\s*HTTP/\d(?:\.\d)? (\d{3})", re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.MULTILINE | re.IGNORECASE)
NO_SHELL = (126, 127)
# curl does not tell a refused connection in words.
NOBODY = (b"refused", b"curl: (7)")
_SAID = {
    401: "it asks for a user and a password (401)",
    403: "it is not for whoever asks from the machine itself, or not for that user (403)",
    404: "there is no such page (404)",
}
_SAID_TO_A_USER = _SAID | {401: "it does not know that user, or not with that password (401)"}


@dataclass(frozen=True)
class Credentials:
    """For HTTP's basic authentication. They go to the target on stdin."""

    user: str
    password: str = field(repr=False)


class Why(str, Enum):
    """NOBODY: no one listens there. REFUSED: 401 or 403. NO_CLIENT: nothing there can ask. LATER: it does not answer
    now, and is asked again. OTHER: the rest."""

    NOBODY = "nobody"
    REFUSED = "refused"
    NO_CLIENT = "no client"
    LATER = "later"
    OTHER = "other"


@dataclass(frozen=True)
class NoPage:
    """Why there is no page: a line for Group.unseen."""

    why: Why
    text: str


@dataclass(frozen=True)
class Page:
    """The body of an answer 200, and by which client of the target it was had."""

    text: str
    client: str


@dataclass(frozen=True)
class Vantage:
    """A place from which it may be asked: `prefix` makes a command of `host` run in the JVM's network namespace."""

    host: Host
    prefix: tuple[str, ...] = ()


def vantages(scene: Scene) -> tuple[Vantage, ...]:
    """Inside of the JVM's machine or container; then from the machine that has the container, which takes root there
    and its nsenter. Of a container that is seen as processes of its machine only the latter."""
    kind = scene.view.kind
    contained = kind is ViewKind.MACHINE and len(scene.jvm.nspids) > 1
    inside = () if contained else (Vantage(scene.inside),)
    if not (contained or kind is ViewKind.ENGINE_HOST) or not scene.jvm.seen_as_root:
        return inside
    return (*inside, Vantage(scene.view.host, ("nsenter", "-t", str(scene.jvm.pid), "-n")))


class Http:
    """Asks for pages from the first vantage that can, and keeps to that one."""

    def __init__(self, vantages: Sequence[Vantage]) -> None:
        self._vantages = tuple(vantages)

    def get(self, url: str, credentials: Credentials | None = None) -> Page | NoPage:
        """The page at `url`, an http or https URL. Takes 5 s at most, and 1 MiB; raises nothing of ours."""
        came: Page | NoPage = NoPage(
            Why.NO_CLIENT, f"{shown(url)}: only root may ask for it in the network of that container"
        )
        for vantage in self._vantages:
            came = _get(vantage, url, credentials)
            if not (isinstance(came, NoPage) and came.why is Why.NO_CLIENT):
                self._vantages = (vantage,)
                break
        return came


def shown(url: str) -> str:
    """The URL for any reader: a query may hold a token."""
    head, _, query = url.partition("?")
    return url if query in ("", *_HARMLESS_QUERIES) else f"{head}?…"


def _get(vantage: Vantage, url: str, credentials: Credentials | None) -> Page | NoPage:
    parts = urlsplit(url)
    arguments = (
        parts.hostname or "",
        str(parts.port or (443 if parts.scheme == "https" else 80)),
        _tls(parts),
        "credentials" if credentials else "",
        str(TIMEOUT_S),
        str(MOST_BYTES),
    )
    argv = (*vantage.prefix, "sh", "-c", script_of("http.sh"), "sh", *arguments)
    try:
        done = vantage.host.run(argv, stdin=_stdin(parts, credentials), timeout_s=TIMEOUT_S + AROUND_S)
    except TimeoutError:
        return NoPage(Why.OTHER, f"{shown(url)}: no answer within {TIMEOUT_S} s")
    except JvmdiagError as error:
        return NoPage(Why.OTHER, f"{shown(url)}: {error}")
    return read_answer(url, done, as_user=credentials is not None)


@cache
def script_of(name: str) -> str:
    """The script of that name, with client.sh where it takes that in: a target has no files of ours."""
    folder = Path(__file__).parent
    client = (folder / "client.sh").read_text(encoding="utf-8")
    return (folder / name).read_text(encoding="utf-8").replace(". ./client.sh\n", client)


def _tls(parts: SplitResult) -> str:
    if parts.scheme != "https":
        return ""
    # A certificate names a public name, never the machine's loopback address.
    return "unverified" if parts.hostname in _LOOPBACK else "tls"


def _stdin(parts: SplitResult, credentials: Credentials | None) -> bytes:
    user = (
        f"{quote(credentials.user, safe='')}:{quote(credentials.password, safe='')}@" if credentials else ""
    )
    url = f"{parts.scheme}://{user}{parts.netloc}{_path(parts)}"
    return f"{url}\n".encode() + _request(parts, credentials)


def _path(parts: SplitResult) -> str:
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)


def _request(parts: SplitResult, credentials: Credentials | None) -> bytes:
    """In HTTP/1.0: the answer ends with the connection, and is in no chunks."""
    host = "localhost" if parts.hostname in _LOOPBACK else parts.netloc
    lines = [f"GET {_path(parts)} HTTP/1.0", f"Host: {host}", "User-Agent: jvmdiag", "Connection: close"]
    if credentials:
        both = f"{credentials.user}:{credentials.password}".encode()
        lines.append(f"Authorization: Basic {base64.b64encode(both).decode()}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def read_answer(url: str, done: Completed, *, as_user: bool = False) -> Page | NoPage:
    """What http.sh printed; `as_user`: it was asked with credentials. Pure."""
    client, _, answer = done.stdout.partition(b"\n")
    if not client and done.exit_code in NO_SHELL:
        return NoPage(
            Why.NO_CLIENT, f"{shown(url)}: there is no shell in the JVM's network from which to ask for it"
        )
    if client == b"none":
        clients = (
            "python3, curl or GNU wget"
            if url.startswith("https:")
            else "perl, python3, bash, curl, nc or GNU wget"
        )
        return NoPage(Why.NO_CLIENT, f"{shown(url)}: nothing there can ask for it; it takes {clients}")
    if not client:
        return NoPage(
            Why.NO_CLIENT, f"{shown(url)}: {last_line(done.stderr) or 'the shell there printed nothing'}"
        )
    # perl and python3 end with an error where time is over, curl says so.
    cut = done.exit_code != 0 or b"curl: (" in done.stderr
    said = _SAID_TO_A_USER if as_user else _SAID
    return _read(url, client.decode("ascii", "replace"), answer, done.stderr, said, cut=cut)


def _read(
    url: str, client: str, answer: bytes, stderr: bytes, said: Mapping[int, str], *, cut: bool
) -> Page | NoPage:
    # wget tells heads on stderr.
    raw = answer.startswith(b"HTTP/")
    head, _, body = answer.partition(b"\r\n\r\n") if raw else (stderr, b"", answer)
    statuses = [int(status) for status in _STATUS.findall(head)]
    if not statuses:
        return _no_answer(url, stderr, body)
    # busybox's wget follows where it is led, and cannot be told not to: what comes from there is no answer.
    if status := next((one for one in statuses if one != 200), 0):
        why = Why.REFUSED if status in (401, 403) else Why.OTHER
        return NoPage(why, f"{shown(url)}: {said.get(status, f'it answers {status}')}")
    length = _LENGTH.search(head) if raw else None
    if cut or len(answer) >= MOST_BYTES or (length and len(body) < int(length[1])):
        return NoPage(
            Why.OTHER, f"{shown(url)}: its answer is longer than 1 MiB or {TIMEOUT_S} s, or was cut"
        )
    return Page(body.decode("utf-8", "replace"), client)


def _no_answer(url: str, stderr: bytes, body: bytes) -> NoPage:
    if any(said in stderr for said in NOBODY):
        return NoPage(Why.NOBODY, f"{shown(url)}: nobody listens there")
    said = last_line(stderr) or ("it does not speak HTTP" if body else "no answer")
    return NoPage(Why.OTHER, f"{shown(url)}: {said}")


def last_line(stderr: bytes) -> str:
    lines: Iterable[str] = stderr.decode("utf-8", "replace").strip().splitlines()
    return next(iter(reversed(tuple(lines))), "")
