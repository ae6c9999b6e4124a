"""The recorded probes, and the JVMs in one as JSON: python -m tests.unit.jvm.probe_case CASE."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from jvmdiag.jvm.parse import parse_probe
from jvmdiag.model import Jvm, Mount

CASES = Path(__file__).parents[2] / "data" / "probe"
TOKEN = "0123456789abcdef"


def output_of(case: str) -> bytes:
    return (CASES / f"{case}.out").read_bytes()


def jvms_of(case: str) -> tuple[Jvm, ...]:
    return parse_probe(output_of(case), TOKEN)


def the_jvm_of(case: str) -> Jvm:
    [jvm] = jvms_of(case)
    return jvm


def as_json(jvms: tuple[Jvm, ...]) -> str:
    """Every field of each, a mount on one line."""
    return json.dumps([_fields(jvm) for jvm in jvms], indent=2)


def _fields(jvm: Jvm) -> dict[str, Any]:
    return {**dataclasses.asdict(jvm), "mounts": [_line(mount) for mount in jvm.mounts]}


def _line(mount: Mount) -> str:
    return f"{mount.point} {mount.fstype} {mount.source} {'ro' if mount.read_only else 'rw'}"


if __name__ == "__main__":
    print(as_json(jvms_of(sys.argv[1])))
