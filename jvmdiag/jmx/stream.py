"""What a Java serialization stream holds, in bounded steps: a decoder that makes no objects of the classes it names.

By the Java Object Serialization Specification, chapter 6. Whatever comes gives values or BadStream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

HEADER = b"\xac\xed\x00\x05"
_NULL, _REFERENCE, _CLASS_DESC, _OBJECT, _STRING, _ARRAY, _CLASS = range(0x70, 0x77)
_BLOCK, _END_BLOCK, _RESET, _BLOCK_LONG, _EXCEPTION, _STRING_LONG, _PROXY, _ENUM = range(0x77, 0x7F)
_FIRST_HANDLE = 0x7E0000
_SC_WRITE_METHOD, _SC_SERIALIZABLE, _SC_EXTERNALIZABLE, _SC_BLOCK_DATA = 1, 2, 4, 8
_SIZES = {form: struct.calcsize(form) for form in (">b", ">B", ">H", ">d", ">f", ">h", ">i", ">q", ">?")}
_PRIMITIVES = {"B": ">b", "C": ">H", "D": ">d", "F": ">f", "I": ">i", "J": ">q", "S": ">h", "Z": ">?"}
# A stack trace of a hundred frames is a few thousand steps, and nested a dozen deep.
_MOST_STEPS = 20_000
_DEEPEST = 64
_MOST_ANCESTORS = 32


class BadStream(ValueError):
    """It is cut, is no such stream, or is larger than an answer may be."""


@dataclass(eq=False)
class ClassOf:
    """A class as the stream describes it. `line`: its ancestors, eldest first, and itself, once it is `whole`."""

    name: str
    flags: int = 0
    fields: tuple[tuple[str, str], ...] = ()
    line: tuple[ClassOf, ...] = ()
    whole: bool = False


@dataclass(eq=False)
class Instance:
    """An object, an array (`items`) or an enum constant: its fields, and by class what its write method wrote."""

    kind: ClassOf
    fields: dict[str, Value] = field(default_factory=dict)
    written: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    items: tuple[Value, ...] = ()


Value = None | str | bytes | int | float | ClassOf | Instance


class Reader:
    """Reads values one after the other from `data`, which may hold several streams, from `at` on."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at
        self._handles: list[Value] = []
        self._steps = 0
        self._depth = 0

    @property
    def at_end(self) -> bool:
        return self.at >= len(self._data)

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self._data) - self.at:
            raise BadStream("it is cut")
        self.at += size
        return self._data[self.at - size : self.at]

    def byte(self) -> int:
        at = self.at
        if at >= len(self._data):
            raise BadStream("it is cut")
        self.at = at + 1
        return self._data[at]

    def number(self, form: str) -> int:
        return int(self._unpacked(form))

    def _unpacked(self, form: str) -> int | float:
        found: int | float
        try:
            (found,) = struct.unpack_from(form, self._data, self.at)
        except struct.error:
            raise BadStream("it is cut") from None
        self.at += _SIZES[form]
        return found

    def text(self, size_form: str = ">H") -> str:
        return decode_utf(self.take(self.number(size_form)))

    def header(self) -> None:
        """The beginning of a stream, which knows nothing of the one before."""
        if self.take(4) != HEADER:
            raise BadStream("it is no Java serialization stream")
        self._handles = []

    def value(self) -> Value:
        """The next object, or the next block of primitive data as bytes. Raises BadStream."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise BadStream("it holds more than an answer may")
        if self._depth >= _DEEPEST:
            raise BadStream("it is nested deeper than an answer may be")
        self._depth += 1
        try:
            return self._content(self.byte())
        finally:
            self._depth -= 1

    def _content(self, tag: int) -> Value:
        if tag == _NULL:
            return None
        if tag == _REFERENCE:
            return self._known()
        if tag in (_BLOCK, _BLOCK_LONG):
            return self.take(self.byte() if tag == _BLOCK else self.number(">i"))
        if tag in (_STRING, _STRING_LONG):
            return self._new(self.text(">H" if tag == _STRING else ">q"))
        if tag in (_CLASS_DESC, _PROXY):
            return self._class_desc(tag)
        if tag == _CLASS:
            return self._new(self._class())
        if tag == _RESET:
            self._handles = []
            return self.value()
        if tag in (_OBJECT, _ARRAY, _ENUM):
            return self._instance(tag)
        raise BadStream(f"it holds 0x{tag:02x}, which nothing begins with")

    def _new(self, value: Value) -> Value:
        self._handles.append(value)
        return value

    def _known(self) -> Value:
        handle = self.number(">i") - _FIRST_HANDLE
        if not 0 <= handle < len(self._handles):
            raise BadStream("it refers to what it does not hold")
        return self._handles[handle]

    def _class(self) -> ClassOf:
        value = self.value()
        if not isinstance(value, ClassOf) or not value.whole:
            raise BadStream("it holds something else where a class should be")
        return value

    def _class_desc(self, tag: int) -> ClassOf:
        described = ClassOf("")
        if tag == _PROXY:
            self._handles.append(described)
            names = [self.text() for _ in range(self._count(">i", 2))]
            described.name, described.flags = f"proxy of {', '.join(names)}", _SC_SERIALIZABLE
        else:
            described.name = self.text()
            self.take(8)
            self._handles.append(described)
            described.flags = self.byte()
            described.fields = tuple(self._field() for _ in range(self._count(">H", 3)))
        self._annotation()
        parent = self.value()
        if parent is not None and not (isinstance(parent, ClassOf) and parent.whole):
            raise BadStream("it holds something else where a class should be")
        line = (*parent.line, described) if parent else (described,)
        if len(line) > _MOST_ANCESTORS:
            raise BadStream("it is nested deeper than an answer may be")
        described.line, described.whole = line, True
        return described

    def _count(self, form: str, least_bytes: int) -> int:
        """How many follow, each of which takes so many bytes."""
        count = self.number(form)
        if count < 0 or count * least_bytes > len(self._data) - self.at:
            raise BadStream("it is cut")
        return count

    def _field(self) -> tuple[str, str]:
        kind, name = chr(self.byte()), self.text()
        if kind in ("L", "["):
            if not isinstance(self.value(), str):
                raise BadStream("it holds something else where the type of a field should be")
        elif kind not in _PRIMITIVES:
            raise BadStream("it holds a field of no type")
        return kind, name

    def _annotation(self) -> tuple[Value, ...]:
        found = []
        while self._peek() != _END_BLOCK:
            found.append(self.value())
        self.take(1)
        return tuple(found)

    def _peek(self) -> int:
        if self.at_end:
            raise BadStream("it is cut")
        return self._data[self.at]

    def _instance(self, tag: int) -> Instance:
        made = Instance(self._class())
        self._handles.append(made)
        if tag == _ENUM:
            made.fields["name"] = self.value()
        elif tag == _ARRAY:
            made.items = self._items(made.kind.name[1:2])
        else:
            for kind in made.kind.line:
                self._steps += 1
                self._part(made, kind)
        return made

    def _items(self, kind: str) -> tuple[Value, ...]:
        if kind in _PRIMITIVES:
            return (self.take(self._count(">i", 1) * _SIZES[_PRIMITIVES[kind]]),)
        return tuple(self.value() for _ in range(self._count(">i", 1)))

    def _part(self, made: Instance, kind: ClassOf) -> None:
        """The fields that `kind` itself has, and what its write method wrote."""
        if kind.flags & _SC_EXTERNALIZABLE:
            if not kind.flags & _SC_BLOCK_DATA:
                raise BadStream("it holds an object of which nobody can tell where it ends")
            made.written[kind.name] = self._annotation()
            return
        if not kind.flags & _SC_SERIALIZABLE:
            return
        for form, name in kind.fields:
            made.fields[name] = self._unpacked(_PRIMITIVES[form]) if form in _PRIMITIVES else self.value()
        if kind.flags & _SC_WRITE_METHOD:
            made.written[kind.name] = self._annotation()


def decode_utf(data: bytes) -> str:
    """Of Java's modified UTF-8: NUL in two bytes, and a character beyond 16 bits as two halves."""
    if data.isascii():
        return data.decode("ascii")
    try:
        halves = data.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise BadStream("it holds text that is none") from None
    return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
