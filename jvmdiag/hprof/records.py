"""The record model: what an HPROF file holds, one frozen dataclass for each kind of record.

`offset` is where a record's tag stands in the raw (uncompressed) file. Ids are unsigned numbers of 4 or 8 bytes: of an
object its address, of a symbol that of its Utf8 record. Serial numbers are those of Trace, LoadClass and StartThread.
A content that is longer than the reader's limit is None; its size is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jvmdiag.hprof.layout import Kind, RootKind


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The beginning of the file, always the first record given."""

    offset: int
    version: str
    id_size: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Utf8:
    """A symbol: the name of a class, method or field, a signature, or a string constant of a class file."""

    offset: int
    symbol_id: int
    size_bytes: int
    content: bytes | None

    @property
    def text(self) -> str | None:
        """The content, decoded as a JVM writes it; what is no text is replaced."""
        return None if self.content is None else symbol_text(self.content)


@dataclass(frozen=True, slots=True)
class LoadClass:
    """A class and the symbol of its name, as in java/lang/String."""

    offset: int
    class_serial: int
    class_id: int
    trace_serial: int
    name_id: int


@dataclass(frozen=True, slots=True)
class UnloadClass:
    offset: int
    class_serial: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A stack frame. `line` is positive, or -1 unknown, -2 compiled, -3 native."""

    offset: int
    frame_id: int
    method_name_id: int
    signature_id: int
    source_file_id: int
    class_serial: int
    line: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A stack, innermost frame first."""

    offset: int
    trace_serial: int
    thread_serial: int
    frame_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StartThread:
    """HotSpot writes none into heap dumps: its threads are objects and THREAD_OBJECT roots."""

    offset: int
    thread_serial: int
    object_id: int
    trace_serial: int
    name_id: int
    group_name_id: int
    parent_group_name_id: int


@dataclass(frozen=True, slots=True)
class EndThread:
    offset: int
    thread_serial: int


@dataclass(frozen=True, slots=True)
class HeapSummary:
    offset: int
    live_bytes: int
    live_instances: int
    allocated_bytes: int
    allocated_instances: int


@dataclass(frozen=True, slots=True)
class Segment:
    """The beginning of a HEAP_DUMP or HEAP_DUMP_SEGMENT; its sub-records follow. `size_bytes` may be 0."""

    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """Any other record, HEAP_DUMP_END among them: its body is passed over."""

    offset: int
    tag: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GcRoot:
    """A root. What its kind does not have is None; `jni_ref_id` is that of the JNI handle, `frame` counts from the
    top of the stack, -1 for none."""

    offset: int
    kind: RootKind
    object_id: int
    jni_ref_id: int | None = None
    thread_serial: int | None = None
    frame: int | None = None
    trace_serial: int | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number of the constant pool; HotSpot writes none. `value` is as in the file."""

    index: int
    kind: Kind
    value: bytes
    value_offset: int


@dataclass(frozen=True, slots=True)
class StaticField:
    """`value` is as in the file: big-endian, an id for Kind.OBJECT."""

    name_id: int
    kind: Kind
    value: bytes
    value_offset: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of instances: those of a class come in this order, then those of its superclass."""

    name_id: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class ClassDump:
    """A class. `super_id` is 0 for java.lang.Object. `instance_bytes` is what the JVM says of its instances."""

    offset: int
    class_id: int
    trace_serial: int
    super_id: int
    loader_id: int
    signers_id: int
    domain_id: int
    instance_bytes: int
    constants: tuple[Constant, ...]
    statics: tuple[StaticField, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class InstanceDump:
    """An object. `content` has the values of its fields, without padding."""

    offset: int
    object_id: int
    trace_serial: int
    class_id: int
    size_bytes: int
    content: bytes | None


@dataclass(frozen=True, slots=True)
class ObjectArray:
    """`class_id` is that of the array's class; `element_ids` has 0 for null."""

    offset: int
    object_id: int
    trace_serial: int
    class_id: int
    length: int
    element_ids: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class PrimitiveArray:
    """`content` is big-endian, `length` elements of `kind`."""

    offset: int
    object_id: int
    trace_serial: int
    kind: Kind
    length: int
    size_bytes: int
    content: bytes | None


TopRecord: TypeAlias = (
    FileHeader
    | Utf8
    | LoadClass
    | UnloadClass
    | Frame
    | Trace
    | StartThread
    | EndThread
    | HeapSummary
    | Segment
    | Opaque
)
HeapRecord: TypeAlias = GcRoot | ClassDump | InstanceDump | ObjectArray | PrimitiveArray
Record: TypeAlias = TopRecord | HeapRecord


def symbol_text(content: bytes) -> str:
    """A symbol of a JVM: UTF-8 with NUL as C0 80, and with each half of a surrogate pair encoded by itself."""
    try:
        halves = content.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
