"""Java objects as the arguments of a call: the bytes of those few that JMX takes, and what is in those that come."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from jvmdiag.jmx.stream import Instance, Value

NULL = b"\x70"
_OBJECT_NAME = ("javax.management.ObjectName", 1081892073854801359, 3)
_STRINGS = ("[Ljava.lang.String;", -5921575005990323385, 2)
_BOXES = "java.lang."


def utf(text: str) -> bytes:
    """As DataOutputStream.writeUTF does: modified UTF-8 behind its length in two bytes."""
    encoded = _encoded(text)
    return struct.pack(">H", len(encoded)) + encoded


def _encoded(text: str) -> bytes:
    wide = text.encode("utf-16-be", "surrogatepass")
    halves = struct.unpack(f">{len(wide) // 2}H", wide)
    return b"".join(chr(one).encode("utf-8", "surrogatepass") if one else b"\xc0\x80" for one in halves)


def string(text: str) -> bytes:
    encoded = _encoded(text)
    if len(encoded) < 1 << 16:
        return b"\x74" + struct.pack(">H", len(encoded)) + encoded
    return b"\x7c" + struct.pack(">q", len(encoded)) + encoded


def strings(texts: Sequence[str]) -> bytes:
    return b"\x75" + _described(*_STRINGS) + struct.pack(">i", len(texts)) + b"".join(map(string, texts))


def object_name(name: str) -> bytes:
    """A javax.management.ObjectName, by any form of its name."""
    return b"\x73" + _described(*_OBJECT_NAME) + string(name) + b"\x78"


def _described(name: str, version: int, flags: int) -> bytes:
    # Each class is annotated with where its code is; null: the other end has it.
    return b"\x72" + utf(name) + struct.pack(">qBH", version, flags, 0) + NULL + b"\x78" + NULL


def plain(value: Value) -> str | int | float | None:
    """A string, or the number or truth in a box of java.lang; None for everything else."""
    if isinstance(value, Instance) and value.kind.name.startswith(_BOXES):
        value = value.fields.get("value")
    return value if isinstance(value, str | int | float) else None


def instances(value: Value) -> Iterator[Instance]:
    """`value` and every object that hangs on it, each once."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        if not isinstance(one, Instance) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [
            *one.items,
            *one.fields.values(),
            *(part for parts in one.written.values() for part in parts),
        ]
