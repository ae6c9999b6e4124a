"""FILE.manifest.json: which JVM, by which method, at what price, and by which witnesses FILE is trusted."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from jvmdiag import __version__
from jvmdiag.model import CommandRecord, Cost, Forecast, Jvm, LeftBehind, Pause, Witness
from jvmdiag.transfer.document import read_document, write_document

SCHEMA = "jvmdiag.manifest/1"
_SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class Tool:
    """What wrote the manifest."""

    name: str = f"jvmdiag {__version__}"
    python: str = field(default_factory=platform.python_version)
    platform: str = field(default_factory=platform.platform)


@dataclass(frozen=True)
class JvmFacts:
    """The JVM as it was when its dump was taken. `options` come masked: they can hold passwords."""

    pid: int
    nspid: int
    user: str
    owner: str
    vm: str
    version: str | None
    vm_name: str | None
    java: str
    main: str
    options: tuple[str, ...]
    uptime_s: float
    heap_used_bytes: int | None = None
    heap_max_bytes: int | None = None
    memory_limit_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The statement about one file. Times are ISO 8601 in UTC, sizes in bytes, sums in hex.

    `host_key_checked` is None where no SSH was used. `jvm_reported_bytes` is what the JVM said it wrote.
    `durations_s` holds what was measured, by name: dump, pause, transfer, verify, total.
    """

    schema: str = SCHEMA
    kind: str
    file: str
    target: str
    host_key_checked: bool | None = None
    jvm: JvmFacts | None = None
    method: str
    method_detail: str = ""
    started_at: str
    ended_at: str
    durations_s: Mapping[str, float] = field(default_factory=dict)
    codec: str
    encrypted_to: tuple[str, ...] = ()
    raw_bytes: int
    stored_bytes: int
    raw_sha256: str
    stored_sha256: str
    jvm_reported_bytes: int | None = None
    pause: Pause | None = None
    cost: Cost | None = None
    forecast: Forecast | None = None
    forced: tuple[str, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    left_behind: tuple[LeftBehind, ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[CommandRecord, ...] = ()
    tool: Tool = field(default_factory=Tool)

    @property
    def ratio(self) -> float:
        """Raw over stored, to two digits; 1.0 for an empty file."""
        return round(self.raw_bytes / self.stored_bytes, 2) if self.stored_bytes else 1.0


def manifest_path(file: str | Path) -> Path:
    """Where the manifest of `file` stands: beside it."""
    return Path(f"{file}{_SUFFIX}")


def utc(moment: datetime) -> str:
    """An aware datetime as the manifest writes it: 2026-03-01T12:00:00.250Z."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def jvm_facts(jvm: Jvm, masked_options: tuple[str, ...]) -> JvmFacts:
    """What the manifest says of `jvm`; the values of `masked_options` are for any reader."""
    return JvmFacts(
        pid=jvm.pid,
        nspid=jvm.nspid,
        user=jvm.user,
        owner=str(jvm.owner),
        vm=jvm.vm.value,
        version=jvm.version,
        vm_name=jvm.vm_name,
        java=jvm.java,
        main=jvm.main,
        options=masked_options,
        uptime_s=jvm.uptime_s,
        heap_used_bytes=jvm.heap.used_bytes if jvm.heap else None,
        heap_max_bytes=jvm.heap.max_bytes if jvm.heap else None,
        memory_limit_bytes=jvm.memory.limit_bytes if jvm.memory else None,
    )


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write it whole or not at all, 0600. Replaces an older one. Raises LocalDiskFull, NotWritable."""
    write_document(path, asdict(manifest) | {"ratio": manifest.ratio})


def read_manifest(path: str | Path) -> Manifest:
    """The manifest at `path`; fields of newer versions are ignored.

    Raises NotADump, saying what is wrong with it, and NoSuchFile where it can't be read.
    """
    return read_document(
        path,
        Manifest,
        SCHEMA,
        what="manifest of jvmdiag",
        advice="move it away, and the file is verified without it",
    )
