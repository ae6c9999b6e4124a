"""Results as JSON documents: a schema name with a version, and the fields of the result.

Within a version fields are only added. Sizes are in bytes, times in seconds, moments in ISO 8601 UTC.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

from jvmdiag.errors import JvmdiagError
from jvmdiag.jvm.options import mask_command, mask_option
from jvmdiag.model import Jvm


def document(schema: str, *, one_line: bool = False, **fields: Any) -> str:
    """One document, `jvmdiag.SCHEMA/1`; on one line where many follow each other."""
    indent = None if one_line else 2
    return json.dumps(
        {"schema": f"jvmdiag.{schema}/1", **fields}, default=_plain, ensure_ascii=False, indent=indent
    )


def jvm_fields(jvm: Jvm) -> dict[str, Any]:
    """A JVM without its secrets: options and command line are masked."""
    fields = {f.name: getattr(jvm, f.name) for f in dataclasses.fields(jvm) if f.name not in _INTERNAL}
    fields["command"] = mask_command(jvm.command)
    fields["options"] = [mask_option(option) for option in jvm.options]
    return fields


def error_document(error: JvmdiagError) -> str:
    """What went wrong, as a document."""
    return document("error", **error_fields(error))


def error_fields(error: JvmdiagError) -> dict[str, Any]:
    """What went wrong, as part of a document."""
    return {
        "error": type(error).__name__,
        "exit_code": error.exit_code,
        "what": error.what,
        "why": error.why,
        "advice": list(error.advice),
    }


_INTERNAL = {
    "mounts",
    "perfdata",
    "interpreters",
    "mnt_ns",
    "shares_mnt_ns",
    "readable",
    "seen_as_root",
    "stdout_is_of_pid1",
    "tmp_is_ours",
}


def _plain(value: Any) -> Any:
    if isinstance(value, Jvm):
        return jvm_fields(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"no JSON for {type(value).__name__}")
