"""How to get into an SSH host, as the command line decides; nothing of paramiko is imported for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jvmdiag.hosts.access import Access

Ask = Callable[[str], str]


@dataclass(frozen=True)
class SshOptions:
    """`ask` shows a prompt on the terminal and reads without echo; None never asks.

    `config_path` None reads no ssh_config. The UserKnownHostsFile of the config comes on top of
    `known_hosts`. `accept_new_host_key` lets a host in that no known_hosts file names; a host whose
    key changed is refused all the same.
    """

    config_path: Path | None = Path("~/.ssh/config")
    known_hosts: tuple[Path, ...] = (Path("~/.ssh/known_hosts"), Path("/etc/ssh/ssh_known_hosts"))
    identity_files: tuple[Path, ...] = ()
    accept_new_host_key: bool = False
    sudo: bool = False
    ask: Ask | None = None
    connect_timeout_s: float = 15.0
    keepalive_s: float = 15.0

    @classmethod
    def of(cls, access: Access) -> SshOptions:
        """What the command line's Access says about SSH; no ssh_config there means ~/.ssh/config."""
        return cls(
            config_path=access.ssh_config or cls.config_path,
            identity_files=access.identity_files,
            accept_new_host_key=access.accept_new_host_key,
            sudo=access.sudo,
            ask=access.ask,
        )
