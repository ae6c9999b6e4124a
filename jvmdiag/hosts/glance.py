"""A first look at a container without docker-py, whose import alone takes 150 ms.

With root on the engine's host it is the only thing that is asked of the engine: what follows goes through /proc.
"""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote

_TIMEOUT_S = 5.0


def glance(socket_path: str, container: str) -> dict[str, Any] | None:
    """What the engine's `inspect` says of a container; None where it says anything but 200.

    Why it did is for docker-py to find out: this is no second client. HTTP/1.0 asks for one plain body.
    """
    request = f"GET /containers/{quote(container, safe='')}/json HTTP/1.0\r\nHost: docker\r\n\r\n"
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(_TIMEOUT_S)
            engine.connect(socket_path)
            engine.sendall(request.encode())
            while chunk := engine.recv(1 << 16):
                answer += chunk
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        document = json.loads(body) if head.partition(b"\r\n")[0].endswith(b" 200 OK") else None
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
