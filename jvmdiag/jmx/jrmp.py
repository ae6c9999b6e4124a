"""JRMP, the wire protocol of RMI: calls to a remote object, several in one go, and the answers to them.

The stream protocol in one piece: what the client says of itself is sent without waiting for the server's word, and
behind the calls stands an operation that is none, at which the server closes the connection. So it takes no more than a
program that sends bytes and reads to the end.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from jvmdiag.jmx.objects import instances, plain, utf
from jvmdiag.jmx.stream import HEADER, BadStream, Instance, Reader, Value

# java.rmi.server.ObjID of the registry: number 0, and a UID of zeros.
REGISTRY_ID = bytes(22)
_OPEN = b"JRMI" + struct.pack(">H", 2) + b"\x4b" + utf("") + struct.pack(">i", 0)
_ACCEPTED, _CALL, _RETURN, _ACK, _NONE = b"\x4e", b"\x50", b"\x51", b"\x54", b"\xff"
_NORMAL = 1
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")
_LONGEST_LINE = 200
_REMOTE = "java.rmi.server.RemoteObject"


@dataclass(frozen=True)
class RemoteRef:
    """A remote object: where its server listens, by its own idea of its address. `factory`: a class of the client that
    makes the sockets, where it is not plain TCP."""

    host: str
    port: int
    object_id: bytes
    factory: str = ""


@dataclass(frozen=True)
class Returned:
    """`value` of a method that returns something. `ack` is what takes the server's hold off a remote object in it."""

    value: Value
    ack: bytes


@dataclass(frozen=True)
class Thrown:
    """An exception came instead: its class and its message, and those of what caused it."""

    kind: str
    message: str


@dataclass(frozen=True)
class Method:
    """`signature` is its name and descriptor; `returns`: whether anything comes back."""

    signature: str
    returns: bool = True

    @property
    def hash(self) -> bytes:
        # RMI, 8.3: the first eight bytes of the SHA of the name and descriptor, the least first.
        return hashlib.sha1(utf(self.signature), usedforsecurity=False).digest()[:8][::-1]


@dataclass(frozen=True)
class Call:
    object_id: bytes
    method: Method
    arguments: bytes = b""

    @property
    def bytes(self) -> bytes:
        # -1: the method is told by its hash.
        head = self.object_id + struct.pack(">i", -1) + self.method.hash
        return _CALL + HEADER + b"\x77" + bytes((len(head),)) + head + self.arguments


def request(calls: Sequence[Call], acks: Sequence[bytes] = ()) -> bytes:
    """All that goes to the server."""
    return _OPEN + b"".join(one.bytes for one in calls) + b"".join(_ACK + ack for ack in acks) + _NONE


def answers(data: bytes, calls: Sequence[Call]) -> tuple[Returned | Thrown, ...]:
    """What came, one for each call. Raises BadStream where that is no answer to them, or is not whole."""
    reader = Reader(data)
    if reader.take(1) != _ACCEPTED:
        raise BadStream(_not_rmi(data))
    reader.text()
    reader.take(4)
    found = tuple(_answer(reader, call.method) for call in calls)
    if not reader.at_end:
        raise BadStream("more came than was asked for")
    return found


def _not_rmi(data: bytes) -> str:
    return "it speaks TLS" if data.startswith(_TLS_RECORD) else "it does not speak RMI"


def _answer(reader: Reader, method: Method) -> Returned | Thrown:
    if reader.take(1) != _RETURN:
        raise BadStream("it is no answer of RMI")
    reader.header()
    head = reader.value()
    if not isinstance(head, bytes) or len(head) != 15:
        raise BadStream("it is no answer of RMI")
    if head[0] == _NORMAL:
        return Returned(reader.value() if method.returns else None, head[1:])
    return _thrown(reader.value())


def _thrown(value: Value) -> Thrown:
    if not isinstance(value, Instance):
        raise BadStream("it is no answer of RMI")
    causes = [one for one in instances(value) if "detailMessage" in one.fields]
    lines: list[str] = []
    for one in causes:
        line = _line(str(plain(one.fields["detailMessage"]) or ""))
        # An exception that wraps another often says what that one says.
        if not any(line in other for other in lines):
            lines.append(line)
    return Thrown(_line(value.kind.name), _line("; ".join(line for line in lines if line)))


def _line(text: str) -> str:
    """One line for a person: a message may hold a stack trace, or what moves a cursor."""
    first = text.strip().partition("\n")[0].rstrip()
    return "".join(one if one.isprintable() else "?" for one in first[:_LONGEST_LINE])


def remote_ref(value: Value) -> RemoteRef:
    """Of the stub of a remote object, whatever wraps it. Raises BadStream where it is none."""
    for one in instances(value):
        if _REMOTE in one.written:
            return _ref_of(one.written[_REMOTE])
    raise BadStream("it holds no remote object")


def _ref_of(parts: Sequence[Value]) -> RemoteRef:
    reader = Reader(b"".join(one for one in parts if isinstance(one, bytes)))
    kind = reader.text()
    if kind not in ("UnicastRef", "UnicastRef2"):
        raise BadStream("it holds a reference that leads nowhere")
    if kind == "UnicastRef2":
        reader.take(1)
    host, port, object_id = reader.text(), reader.number(">i"), reader.take(22)
    factory = next((one.kind.name for one in parts if isinstance(one, Instance)), "")
    if not 0 < port < 1 << 16:
        raise BadStream("it holds a reference to no port")
    return RemoteRef(host, port, object_id, factory)


def stub_ref(data: bytes) -> RemoteRef:
    """Of a serialized stub, as a JMX URL holds it. Raises BadStream."""
    reader = Reader(data)
    reader.header()
    return remote_ref(reader.value())
