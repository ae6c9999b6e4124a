"""A process that keeps HotSpot's side of the attach protocol: python pretend_jvm.py MANNER.

It prints a line when it is there.

listening  the socket is open from the start, and every request is answered with its own words
streaming  the same, and it says of itself that it streams its replies, as 24 and later do
large      answers with 3 MB
mute       takes a request and never answers
rude       takes a request and closes the connection
asleep     opens its socket on SIGQUIT, and only where a trigger file asks for it
unready    has no handler for SIGQUIT, which would end it
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

PID = os.getpid()
SOCKET = Path(f"/tmp/.java_pid{PID}")
TRIGGERS = (Path(f"/tmp/.attach_pid{PID}"), Path(f".attach_pid{PID}"))
LARGE = b"0\n" + bytes(range(256)) * 12_000


def open_socket() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    SOCKET.unlink(missing_ok=True)  # as HotSpot does: one that was killed with the same pid left its own
    listener.bind(str(SOCKET))
    listener.listen(5)
    return listener


def request_of(client: socket.socket) -> list[str]:
    """Version 1: the version, the operation, three arguments, each ended by a zero."""
    received = b""
    while received.count(b"\0") < 5:
        chunk = client.recv(4096)
        if not chunk:
            break
        received += chunk
    return received.decode().split("\0")[:-1]


def answer(manner: str, words: list[str]) -> bytes:
    if words[1] == "getversion":
        return b"0\n2 streaming\n" if manner == "streaming" else b"-1\nOperation getversion not recognized!\n"
    return LARGE if manner == "large" else f"0\n{words}\n".encode()


def serve(manner: str, listener: socket.socket) -> None:
    held = []
    while True:
        client, _ = listener.accept()
        if manner == "mute":
            held.append(client)
            continue
        with client:
            words = request_of(client)
            if manner != "rude":
                client.sendall(answer(manner, words))


def asked_for() -> bool:
    return any(trigger.exists() for trigger in TRIGGERS)


def main(manner: str) -> None:
    waked: list[bool] = []

    def wake(_number: int, _frame: FrameType | None) -> None:
        waked.append(asked_for())
        if manner == "robbed":
            # As another client does that made the same trigger and is done with it.
            for trigger in TRIGGERS:
                trigger.unlink(missing_ok=True)

    if manner != "unready":
        signal.signal(signal.SIGQUIT, wake)
    if manner in ("asleep", "robbed", "unready"):
        print("ready", flush=True)
        while not any(waked):
            signal.pause()
    listener = open_socket()
    if manner not in ("asleep", "robbed"):
        print("ready", flush=True)
    serve(manner, listener)


if __name__ == "__main__":
    main(sys.argv[1])
