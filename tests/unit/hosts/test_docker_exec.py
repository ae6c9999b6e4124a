"""Execs of an engine that is stuck: what a real one does only when it breaks."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from jvmdiag.hosts import docker_exec
from jvmdiag.hosts.docker_exec import DockerHost


class StuckClient:
    """Takes every command, and neither ends one nor says a word of it."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self._far: list[socket.socket] = []

    def exec_create(self, _container: str, argv: list[str], **_: Any) -> dict[str, str]:
        self.commands.append(argv)
        return {"Id": str(len(self.commands))}

    def exec_start(self, _id: str, **_: Any) -> socket.socket:
        near, far = socket.socketpair()
        self._far.append(far)
        return near

    def exec_inspect(self, _id: str) -> dict[str, Any]:
        return {"Running": True, "ExitCode": None}

    def close(self) -> None:
        for far in self._far:
            far.close()


class StuckEngine:
    def __init__(self) -> None:
        self.client = StuckClient()
        self.is_guarded = True

    def asked(self, _doing: str, _name: str = "") -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def test_what_ends_an_abandoned_command_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_exec, "_BY_ITSELF_S", 0.01)
    monkeypatch.setattr(docker_exec, "_EXIT_CODE_S", 0.05)
    monkeypatch.setattr(docker_exec, "_END_S", 0.05)
    engine = StuckEngine()
    host = DockerHost(engine, "c0ffee", "docker://web")  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        host.run(["sleep", "1000"], timeout_s=0.05)
    assert len(engine.client.commands) == 2
    engine.client.close()
