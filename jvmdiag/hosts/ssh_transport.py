"""One SSH connection, and what paramiko's Transport leaves out.

Added here: exit-signal (a killed command would look like none at all), a keepalive that expects an
answer (a dead peer would keep a reader waiting for ever), a new exchange of keys that cannot block
itself, channels that say nothing behind their CLOSE, and AES-GCM first among the ciphers (309 against
434 MB/s).
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import paramiko
from paramiko import common, packet

from jvmdiag.hosts import fastpipe
from jvmdiag.hosts.ssh_order import ChannelOrder

# paramiko logs a traceback for every broken connection, and Python prints it where nobody listens.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_FAST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_SILENT_INTERVALS = 3
# What is under way comes before the new keys: 32 MiB on a line of 300 kB/s.
_NEW_KEYS_S = 120.0
_NEAR_S = 0.005
_NEAR_WINDOW_BYTES = 8 << 20
_FAR_WINDOW_BYTES = 32 << 20
PACKET_BYTES = 64 << 10
_UNKNOWN_SIGNAL = 255


class SilentPeer(EOFError):
    """Nothing came for three keepalives."""


class _Packetizer(packet.Packetizer):
    """Notes when the peer was last heard, and lets the transport act between two packets.

    `unanswered` counts what it was asked since.
    """

    # paramiko changes keys after 512 MiB, which halts a long line for several round trips. OpenSSH and
    # RFC 4344 do so after 2**32 blocks, for AES 64 GiB.
    REKEY_BYTES = 32 << 30
    heard_at = 0.0
    unanswered = 0
    before_read: Callable[[], None] | None = None

    def read_message(self) -> Any:
        if self.before_read is not None:
            self.before_read()
        message = super().read_message()
        self.heard_at = time.monotonic()
        self.unanswered = 0
        return message


class SshTransport(paramiko.Transport):
    """A paramiko Transport with the additions that the module's docstring lists."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock, packetizer_class=_Packetizer)
        self.rtt_s: float | None = None
        self._held: list[paramiko.Message] = []
        packetizer: Any = self.packetizer
        packetizer.before_read = self._send_held
        self.clear_to_send_timeout = _NEW_KEYS_S
        ciphers = self.get_security_options().ciphers
        fast = tuple(name for name in _FAST_CIPHERS if name in ciphers)
        self.get_security_options().ciphers = (*fast, *(name for name in ciphers if name not in fast))
        stock: Any = paramiko.Transport
        table: dict[int, Any] = stock._channel_handler_table
        self._stock_request = table[common.MSG_CHANNEL_REQUEST]
        self._channel_handler_table = {**table, common.MSG_CHANNEL_REQUEST: self._channel_request}

    def _channel_request(self, channel: Any, message: paramiko.Message) -> None:
        kind = message.get_text()
        if kind == "exit-signal":
            message.get_boolean()
            channel.exit_status = exit_code_of_signal(message.get_text())
            channel.status_event.set()
            return
        message.rewind()
        message.get_int()
        self._stock_request(channel, message)

    def _send_user_message(self, data: paramiko.Message) -> None:
        # paramiko answers a CHANNEL_CLOSE in the thread that reads packets. While keys are exchanged it
        # would wait there for what this thread alone can bring, and break the connection after 30 s.
        if threading.current_thread() is self and not self.clear_to_send.is_set():
            self._held.append(data)
            return
        stock: Any = super()
        stock._send_user_message(data)

    def _send_held(self) -> None:
        while self._held and self.clear_to_send.is_set():
            self._send_user_message(self._held.pop(0))

    def keep_alive(self, interval_s: float) -> None:
        """Ask the peer for a sign of life after each silent interval, and give it up after three."""
        packetizer: Any = self.packetizer
        packetizer.heard_at = time.monotonic()

        def ask() -> None:
            silent_s = time.monotonic() - packetizer.heard_at
            # Whoever was stopped meanwhile (Ctrl-Z) heard nothing, and asked nothing.
            asked = packetizer.unanswered >= _SILENT_INTERVALS - 1
            if asked and silent_s > _SILENT_INTERVALS * interval_s:
                raise SilentPeer(f"nothing came from there for {silent_s:.0f} s")
            question = paramiko.Message()
            question.add_byte(common.cMSG_GLOBAL_REQUEST)
            question.add_string("keepalive@openssh.com")
            question.add_boolean(True)
            self._send_user_message(question)
            packetizer.unanswered += 1

        packetizer.set_keepalive(interval_s, ask)

    @property
    def is_near(self) -> bool:
        """Whether a round trip takes less than 5 ms; what was not measured is far."""
        return self.rtt_s is not None and self.rtt_s < _NEAR_S

    @property
    def window_bytes(self) -> int:
        """What may be under way to us, by measurement: 8 MiB near, 32 MiB far."""
        return _NEAR_WINDOW_BYTES if self.is_near else _FAR_WINDOW_BYTES

    def open_channel(self, *args: Any, **kwargs: Any) -> paramiko.Channel:
        channel: Any = super().open_channel(*args, **kwargs)
        channel.transport = ChannelOrder(self)
        return channel  # type: ignore[no-any-return]

    def open_command_channel(self, timeout_s: float) -> paramiko.Channel:
        """A session channel with a FastPipe. Opening it takes one round trip: the shortest is `rtt_s`."""
        started = time.monotonic()
        channel = self.open_session(self.window_bytes, PACKET_BYTES, timeout_s)
        took_s = time.monotonic() - started
        self.rtt_s = took_s if self.rtt_s is None else min(self.rtt_s, took_s)
        fastpipe.install(channel)
        return channel

    def send_signal(self, channel: Any, name: str) -> None:
        """Ask sshd to signal the command of `channel` and its process group; sshd before 7.9 does not."""
        request = paramiko.Message()
        request.add_byte(common.cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("signal")
        request.add_boolean(False)
        request.add_string(name)
        channel.transport._send_user_message(request)


def exit_code_of_signal(name: str) -> int:
    """128 + n of a signal as SSH names it (KILL); 255 for one that has no number here."""
    number = getattr(signal, f"SIG{name}", None)
    return 128 + number if isinstance(number, int) else _UNKNOWN_SIGNAL
