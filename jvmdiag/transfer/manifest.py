"""FILE.manifest.json: which JVM, by which method, at what price, and by which witnesses FILE is trusted."""

from __future__ import annotations

import json
import os
import platform
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, Union

from jvmdiag import __version__
from jvmdiag.errors import NoSuchFile, NotADump
from jvmdiag.model import CommandRecord, Cost, Forecast, Jvm, LeftBehind, Pause, Witness
from jvmdiag.transfer.sink import PartialFile

SCHEMA = "jvmdiag.manifest/1"
_SUFFIX = ".manifest.json"
# A manifest is a few KiB; what is larger than this is something else.
_MAX_BYTES = 16 << 20
T = TypeVar("T")


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
    document = asdict(manifest) | {"ratio": manifest.ratio}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    final = Path(path)
    # A name of its own: a leftover of a killed run must not be in the way of saying what happened.
    with PartialFile(final.parent, f".{final.name}.{os.getpid()}") as file:
        file.write(text.encode("utf-8", "backslashreplace") + b"\n")
        file.replace(final)


def read_manifest(path: str | Path) -> Manifest:
    """The manifest at `path`; fields of newer versions are ignored.

    Raises NotADump, saying what is wrong with it, and NoSuchFile where it can't be read.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            text = file.read(_MAX_BYTES)
    except OSError as error:
        raise NoSuchFile(f"can't read {place}", why=(error.strerror or str(error)).lower()) from None
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f'it does not say "schema": "{SCHEMA}"')
        return _from_json(Manifest, document, "")
    except (ValueError, RecursionError) as error:
        raise NotADump(
            f"{place} is not a manifest of jvmdiag",
            why=str(error),
            advice="move it away, and the file is verified without it",
        ) from None


def _from_json(kind: type[T], document: Mapping[str, Any], where: str) -> T:
    """A dataclass of a JSON object. Raises ValueError that names the field."""
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        place = f"{where}{item.name}"
        if item.name in document:
            values[item.name] = _value(hints[item.name], document[item.name], place)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"it has no {place}")
    return kind(**values)


def _value(hint: Any, value: Any, place: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(inner[0], value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], item, f"{place}[{n}]") for n, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: _value(inner[1], item, f"{place}.{name}") for name, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _from_json(hint, value, f"{place}.")
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise ValueError(f"{place} is {json.dumps(value)[:60]}, which is no {getattr(hint, '__name__', hint)}")
