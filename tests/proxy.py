"""A proxy or an authorization plugin in front of an engine, that answers in its stead: HTTP on a UNIX socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

_VERSION = json.dumps({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}).encode()


@dataclass(frozen=True)
class Answer:
    """`cut`: the first chunk of a body that is never ended."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None
    cut: bool = False


def message(status: int, text: str) -> Answer:
    """A refusal as the engine words it."""
    return Answer(status, json.dumps({"message": text}).encode(), {"Content-Type": "application/json"})


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def answering(folder: Path, answer: Answer, others: Mapping[str, Answer] | None = None) -> Iterator[str]:
    """The URL of a socket that gives its version, and `answer` to all else but the ends of paths in `others`."""
    known = {"/version": Answer(200, _VERSION), **(others or {})}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            self._give(next((one for end, one in known.items() if path.endswith(end)), answer))

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def _give(self, one: Answer) -> None:
            self.send_response(one.status)
            for name, value in (one.headers or {}).items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.close_connection = True
            if not one.cut:
                self.send_header("Content-Length", str(len(one.body)))
                self.end_headers()
                self.wfile.write(one.body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(one.body), one.body))

        def log_message(self, *_: object) -> None:
            return

    path = folder / "proxy.sock"
    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
