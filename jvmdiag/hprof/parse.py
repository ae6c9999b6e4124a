"""The bytes of one whole record, read: pure."""

from __future__ import annotations

import struct

from jvmdiag.hprof.layout import Kind, RootKind, layout_of, wrong
from jvmdiag.hprof.records import (
    ClassDump,
    Constant,
    EndThread,
    Field,
    Frame,
    GcRoot,
    HeapSummary,
    LoadClass,
    StartThread,
    StaticField,
    TopRecord,
    Trace,
    UnloadClass,
)
from jvmdiag.transfer.hprof import Tag

# i stands for an id.
_BODIES = {
    Tag.LOAD_CLASS: "IiIi",
    Tag.UNLOAD_CLASS: "I",
    Tag.FRAME: "iiiiIl",
    Tag.TRACE: "III",
    Tag.START_THREAD: "IiIiii",
    Tag.END_THREAD: "I",
    Tag.HEAP_SUMMARY: "IIQQ",
}


def _format(letters: str, id_size: int) -> str:
    return ">" + letters.replace("i", "Q" if id_size == 8 else "I")


def parse_record(tag: Tag, body: bytes, offset: int, id_size: int) -> TopRecord:
    """The top-level record of which `body` is all behind the header. Raises NotADump where that is too short."""
    form = _format(_BODIES[tag], id_size)
    if len(body) < struct.calcsize(form):
        raise wrong(offset, f"a {tag.name} of {len(body):,} bytes, which is too short")
    values = struct.unpack_from(form, body)
    if tag == Tag.TRACE:
        return _trace(values, body, offset, id_size)
    kinds: dict[Tag, type[LoadClass | UnloadClass | Frame | StartThread | EndThread | HeapSummary]] = {
        Tag.LOAD_CLASS: LoadClass,
        Tag.UNLOAD_CLASS: UnloadClass,
        Tag.FRAME: Frame,
        Tag.START_THREAD: StartThread,
        Tag.END_THREAD: EndThread,
        Tag.HEAP_SUMMARY: HeapSummary,
    }
    return kinds[tag](offset, *values)


def _trace(values: tuple[int, ...], body: bytes, offset: int, id_size: int) -> Trace:
    serial, thread, frames = values
    if len(body) < 12 + frames * id_size:
        raise wrong(offset, f"a TRACE of {frames:,} frames in {len(body):,} bytes")
    return Trace(offset, serial, thread, struct.unpack_from(_format("i" * frames, id_size), body, 12))


def parse_root(kind: RootKind, data: bytes, offset: int, id_size: int) -> GcRoot:
    """A root, from its tag on."""
    object_id = int.from_bytes(data[1 : 1 + id_size], "big")
    rest = data[1 + id_size :]
    if kind is RootKind.JNI_GLOBAL:
        return GcRoot(offset, kind, object_id, jni_ref_id=int.from_bytes(rest, "big"))
    if kind in (RootKind.JNI_LOCAL, RootKind.JAVA_FRAME):
        thread, frame = struct.unpack(">Ii", rest)
        return GcRoot(offset, kind, object_id, thread_serial=thread, frame=frame)
    if kind is RootKind.THREAD_OBJECT:
        thread, trace = struct.unpack(">II", rest)
        return GcRoot(offset, kind, object_id, thread_serial=thread, trace_serial=trace)
    if kind in (RootKind.NATIVE_STACK, RootKind.THREAD_BLOCK):
        return GcRoot(offset, kind, object_id, thread_serial=int.from_bytes(rest, "big"))
    return GcRoot(offset, kind, object_id)


def parse_class(data: bytes | bytearray, at: int, id_size: int, offset: int) -> ClassDump:
    """The CLASS_DUMP whose tag stands at `at`, and at `offset` of the file; `class_size` found it sound."""
    head = struct.unpack_from(_format("BiIiiiiiiI", id_size), data, at)
    _tag, class_id, trace, super_id, loader, signers, domain, _, _, instance_bytes = head
    values = _Values(data, at + layout_of(id_size).class_head, id_size, offset - at)
    constants = tuple(Constant(values.number(2), *values.typed()) for _ in range(values.number(2)))
    statics = tuple(StaticField(values.number(id_size), *values.typed()) for _ in range(values.number(2)))
    fields = tuple(Field(values.number(id_size), values.kind()) for _ in range(values.number(2)))
    return ClassDump(
        offset,
        class_id,
        trace,
        super_id,
        loader,
        signers,
        domain,
        instance_bytes,
        constants,
        statics,
        fields,
    )


class _Values:
    """Numbers and values, one behind the other."""

    def __init__(self, data: bytes | bytearray, at: int, id_size: int, shift: int) -> None:
        self._data = data
        self._at = at
        self._widths = layout_of(id_size).widths
        self._shift = shift

    def number(self, size: int) -> int:
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def kind(self) -> Kind:
        number = self.number(1)
        if not self._widths[number]:
            raise wrong(self._at - 1 + self._shift, f"a field of type {number}, which does not exist")
        return Kind(number)

    def typed(self) -> tuple[Kind, bytes, int]:
        """Kind, value, and the offset of the value in the file."""
        kind = self.kind()
        at = self._at
        self._at += self._widths[kind]
        return kind, bytes(self._data[at : self._at]), at + self._shift
