"""What a channel sends, in order, and nothing behind its CLOSE."""

from __future__ import annotations

import threading
from typing import Any

import paramiko

from jvmdiag.hosts.ssh_order import ChannelOrder

DATA, EOF, CLOSE = 94, 96, 97
WAIT_S = 10.0


def message(kind: int) -> paramiko.Message:
    made = paramiko.Message()
    made.add_byte(bytes([kind]))
    made.add_int(3)
    return made


class Recording(threading.Thread):
    """A transport, a thread as paramiko's is, that notes what it is given; `gate` holds the first one up."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__(daemon=True)
        self.sent: list[int] = []
        self.entered = threading.Event()
        self.gate = gate
        self.work: Any = None

    def run(self) -> None:
        self.work()

    def _send_user_message(self, one: paramiko.Message) -> None:
        self.sent.append(one.asbytes()[0])
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(WAIT_S)


def test_nothing_follows_the_close_of_its_channel() -> None:
    transport = Recording()
    order = ChannelOrder(transport)
    for kind in (DATA, CLOSE, EOF, DATA, CLOSE):
        order._send_user_message(message(kind))
    assert transport.sent == [DATA, CLOSE]


def test_another_channel_is_another_matter() -> None:
    transport = Recording()
    ChannelOrder(transport)._send_user_message(message(CLOSE))
    ChannelOrder(transport)._send_user_message(message(DATA))
    assert transport.sent == [CLOSE, DATA]


def test_the_thread_that_reads_packets_leaves_its_message_to_the_one_that_sends() -> None:
    gate = threading.Event()
    transport = Recording(gate)
    order = ChannelOrder(transport)
    sender = threading.Thread(target=order._send_user_message, args=(message(EOF),), daemon=True)
    sender.start()
    assert transport.entered.wait(WAIT_S)
    transport.work = lambda: order._send_user_message(message(CLOSE))
    transport.start()
    # It comes back although the sender waits: for new keys, say, that it alone can bring.
    transport.join(WAIT_S)
    assert not transport.is_alive()
    assert transport.sent == [EOF]
    gate.set()
    sender.join(WAIT_S)
    assert transport.sent == [EOF, CLOSE]


def test_whatever_else_is_asked_of_the_transport_is_answered_by_it() -> None:
    assert ChannelOrder(Recording()).entered.is_set() is False
