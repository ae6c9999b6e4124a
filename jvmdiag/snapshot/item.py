"""An item of a snapshot: what it is called, what it costs, and how it is taken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from jvmdiag.attach.rung import Reach, Scene, Speaker
from jvmdiag.impact.forecast import Operation
from jvmdiag.jvm.thread_names import ThreadNames
from jvmdiag.model import Pause


class Risk(str, Enum):
    """What taking an item may cost the application; docs/reference/snapshot.md says it of each.

    LIGHT: nothing beyond what a thread dump costs, about a millisecond of standstill. DEFAULT: the JVM works for it, or
    stands still by the size of its heap. FULL: the same once more, for what is seldom needed.
    """

    LIGHT = "light"
    DEFAULT = "default"
    FULL = "full"

    def holds(self, other: Risk) -> bool:
        """Whether who bears this bears `other`."""
        order = list(Risk)
        return order.index(other) <= order.index(self)


class NotTaken(Exception):
    """There is nothing to be taken, and that is no failure. Its text says why."""


@dataclass(frozen=True)
class Taken:
    """The bytes of one file, and what is to be known of them. `missing` says what else was wanted, and why it did not
    come; empty where it is all there."""

    data: bytes
    note: str = ""
    pause: Pause | None = None
    missing: str = ""


@dataclass
class At:
    """Where the items are taken: the JVM of `scene`, what the kernel says of it by `reach`, its files by `files`, its
    mouth by `speaker`, where it has one.

    `files` reads as the JVM's own user: what has a name in its mount namespace may be exchanged by it at any time.
    `most_s` bounds every answer of the JVM, where the item's own bound is not shorter. `names` replaces the names of
    threads, where they are not to be kept.
    """

    scene: Scene
    reach: Reach
    files: Reach
    most_s: float
    names: ThreadNames | None = None
    speaker: Speaker | None = None

    @property
    def pid(self) -> str:
        """The JVM's, as the one who reads its files numbers it."""
        return str(self.scene.jvm.pid)

    def bound_s(self, item: Item) -> float:
        """How long the JVM is waited for."""
        return min(item.timeout_s, self.most_s)

    @property
    def asked(self) -> Speaker:
        """The speaker; only what `asks` needs it."""
        assert self.speaker is not None
        return self.speaker


@dataclass(frozen=True)
class Item(ABC):
    """`file` is its name in the folder. `timeout_s` bounds it. `about` says in a line what it shows."""

    name: str
    file: str
    risk: Risk
    timeout_s: float
    about: str

    asks: ClassVar[bool] = False
    """Whether the JVM itself has to answer."""
    operation: ClassVar[Operation | None] = None
    """What its price is forecast as, where it has one that somebody should know of before."""

    @abstractmethod
    def take(self, at: At) -> Taken:
        """Raises NotTaken, and every error there is."""
