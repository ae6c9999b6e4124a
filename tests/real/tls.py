"""TLS in front of the engine's socket, with certificates of its own for both sides, as DOCKER_TLS_VERIFY wants."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CHUNK = 1 << 16


def make_certificates(folder: Path) -> None:
    """ca.pem, and cert.pem with key.pem that serve as the server's and as the client's."""
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca-key.pem -out ca.pem")
    openssl(folder, "req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    sign = "x509 -req -days 2 -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile names -out cert.pem"
    openssl(folder, sign)


def openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


@contextmanager
def tls_in_front_of(unix_socket: str, folder: Path) -> Iterator[int]:
    """The port of 127.0.0.1 on which the engine answers over TLS, to those with the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, context, unix_socket), daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)


def _accept(listener: socket.socket, context: ssl.SSLContext, unix_socket: str) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(raw, context, unix_socket), daemon=True).start()


def _serve(raw: socket.socket, context: ssl.SSLContext, unix_socket: str) -> None:
    with (
        suppress(OSError),
        raw,
        context.wrap_socket(raw, server_side=True) as client,
        socket.socket(socket.AF_UNIX) as engine,
    ):
        engine.connect(unix_socket)
        back = threading.Thread(target=_copy, args=(engine, client), daemon=True)
        back.start()
        _copy(client, engine)
        back.join(5)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        # That of an SSLSocket takes TLS off as well, in the midst of what the other thread reads or writes by it.
        socket.socket.shutdown(sink, socket.SHUT_RDWR)
