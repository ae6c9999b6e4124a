"""A dataclass as a JSON file of this machine, 0600: written whole or not at all, and believed only where it fits."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union

from jvmdiag.errors import NoSuchFile, NotADump
from jvmdiag.transfer.whole import write_whole

# A document is some KiB; what is larger than this is something else.
MAX_BYTES = 16 << 20
T = TypeVar("T")


def write_document(path: str | Path, document: Mapping[str, Any]) -> None:
    """Replaces an older one. Raises LocalDiskFull, NotWritable."""
    write_whole(Path(path), document_bytes(document))


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """What stands in its file."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def read_document(path: str | Path, kind: type[T], schema: str, *, what: str, advice: str) -> T:
    """The document at `path` as a `kind`; fields of newer versions are ignored.

    Raises NotADump, saying what is wrong with it as a `what`, and NoSuchFile where it can't be read.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            text = file.read(MAX_BYTES)
    except OSError as error:
        raise NoSuchFile(f"can't read {place}", why=(error.strerror or str(error)).lower()) from None
    return parse_document(text, kind, schema, str(place), what, advice=advice)


def parse_document(
    text: bytes, kind: type[T], schema: str, place: str, what: str, *, advice: str, strict: bool = False
) -> T:
    """The same of a document that was read from `place`; where it is `strict`, no field of a newer version is ignored.

    Raises NotADump.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != schema:
            raise ValueError(f'it does not say "schema": "{schema}"')
        newer = document.keys() - {item.name for item in fields(kind)} if strict else ()  # type: ignore[arg-type]
        if newer:
            raise ValueError(f"it says {min(newer)}, which a newer jvmdiag understands")
        return _from_json(kind, document, "")
    except (ValueError, RecursionError) as error:
        raise NotADump(f"{place} is not a {what}", why=str(error), advice=advice) from None


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
