"""The messages of one SSH channel in the order in which they were meant, and none behind its CLOSE.

paramiko makes a message under the channel's lock and sends it without: the EOF of a thread that closes a
command's stdin can be overtaken by the CLOSE with which paramiko answers the command's end. sshd has then
forgotten the channel, and ends the whole connection ("ieof packet referred to nonexistent channel").
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import paramiko

_CLOSE = 97  # SSH_MSG_CHANNEL_CLOSE, RFC 4254


class ChannelOrder:
    """Stands where a paramiko Channel has its Transport, and passes on everything else that is asked of it.

    The thread that reads packets never waits here: whoever is sending takes its message along. It alone can
    bring the new keys that a sender may be waiting for.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._waiting: deque[paramiko.Message] = deque()
        self._sending = threading.Lock()
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send_user_message(self, message: paramiko.Message) -> None:
        self._waiting.append(message)
        may_wait = threading.current_thread() is not self._transport
        while self._waiting and self._sending.acquire(blocking=may_wait):
            try:
                while self._waiting:
                    self._send(self._waiting.popleft())
            finally:
                self._sending.release()

    def _send(self, message: paramiko.Message) -> None:
        if not self._closed:
            self._closed = message.asbytes()[0] == _CLOSE
            self._transport._send_user_message(message)
