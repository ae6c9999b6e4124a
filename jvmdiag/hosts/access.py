"""How to get in, as the command line decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jvmdiag.hosts.place import ViewKind


@dataclass(frozen=True)
class Access:
    """How to get in. `ask` shows a prompt on the terminal and reads without echo; None never asks.

    `view` restricts from where a container is looked at; None takes the cheapest that works.
    """

    sudo: bool = False
    accept_new_host_key: bool = False
    identity_files: tuple[Path, ...] = ()
    ssh_config: Path | None = None
    ask: Callable[[str], str] | None = None
    view: ViewKind | None = None
