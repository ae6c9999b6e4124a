"""What comes before the objects of a dump: held until it is known whose each name is, and the names replaced."""

from __future__ import annotations

from collections.abc import Callable

from jvmdiag.errors import NotADump
from jvmdiag.hprof.layout import INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY, Layout, layout_of
from jvmdiag.hprof.names import MAX_HELD_BYTES, each_record, too_many_symbols
from jvmdiag.hprof.parse import parse_class
from jvmdiag.hprof.pseudonyms import Pseudonyms, is_of_jdk
from jvmdiag.hprof.stream import HeapStream
from jvmdiag.transfer.hprof import FILE_HEADER, Tag

_OBJECTS = (INSTANCE_DUMP, OBJECT_ARRAY, PRIMITIVE_ARRAY)
_FILL = b"x"


class Prologue:
    """Takes the beginning of a dump in chunks and gives nothing back until the first object; then all at once, with
    names replaced but the JDK's own. From there on chunks come back as they are.

    HotSpot writes its symbols, loaded classes and stacks, then a CLASS_DUMP for each class, then objects. Symbols that
    none of those names become a filler: most are constants of class files. Holds all of this, some 10 MB.
    Raises NotADump where a symbol follows the first object, as by HeapStream, and where it is more than any JVM has.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._members = _Members()
        self._stream = HeapStream(self._members, self._refuse_late)
        self._done = False

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes; gives back those that are done with."""
        self._stream.go_over(chunk)
        if self._done:
            return chunk
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > MAX_HELD_BYTES:
            raise too_many_symbols()
        return self.finish() if self._members.complete else b""

    def finish(self) -> bytes:
        """All that is still held."""
        self._done = True
        held = bytearray().join(self._held)
        self._held.clear()
        if len(held) >= FILE_HEADER.size:
            _Symbols(held, self._members).rename()
        return bytes(held)

    def _refuse_late(self, records: memoryview, _id_size: int) -> None:
        if self._members.complete and any(tag == Tag.UTF8 for tag, _, _ in each_record(bytes(records))):
            raise NotADump(
                "no JVM writes such a heap dump: a name follows the first object",
                advice="without --redact-names it can be redacted",
            )


class _Members:
    """A Scan that learns the names of fields by class, and goes no further than the first object."""

    def __init__(self) -> None:
        self.last = 0
        self.zeroes = False
        self.waits = False
        self.fault = ""
        self.complete = False
        self.fields: dict[int, set[int]] = {}
        self.begin(layout_of(8))

    def begin(self, layout: Layout) -> None:
        self._layout = layout

    def class_dump(self, data: bytearray, at: int, offset: int) -> None:
        dump = parse_class(data, at, self._layout.id_size, offset)
        self.fields[dump.class_id] = {one.name_id for one in dump.fields} | {
            one.name_id for one in dump.statics
        }

    def over(self, data: bytearray, at: int, end: int, limit: int) -> int:
        while not self.complete and at < end:
            self.last = at
            step = self._layout.roots[data[at]]
            if step:
                at += step
            elif data[at] in _OBJECTS:
                self.complete = True
            else:
                return at
        # What follows is not looked at here.
        return limit if self.complete else at


class _Symbols:
    """The symbols of a prologue, and what each is the name of."""

    def __init__(self, data: bytearray, members: _Members) -> None:
        self._data = data
        self._fields = members.fields
        self._id_size = FILE_HEADER.unpack_from(data)[1]
        self._pseudonyms = Pseudonyms()
        self._places: list[tuple[int, int, int]] = []  # id, begin and end of each
        self._texts: dict[int, bytes] = {}
        self._classes: dict[int, int] = {}  # its name, by the id of a class
        self._serials: dict[int, int] = {}  # the same by its serial number
        self._frames: list[tuple[int, int, int, int]] = []
        self._kept: set[int] = set()
        self._makers: dict[int, Callable[[bytes], bytes]] = {}

    def rename(self) -> None:
        """Replace them where they stand."""
        for tag, body, end in each_record(self._data, FILE_HEADER.size):
            if tag == Tag.UTF8:
                begin = min(body + self._id_size, end)
                self._places.append((self._id(body), begin, end))
                self._texts[self._id(body)] = bytes(self._data[begin:end])
            elif tag == Tag.LOAD_CLASS:
                self._load_class(body)
            elif tag == Tag.FRAME:
                at = body + self._id_size
                ids = [self._id(at + n * self._id_size) for n in range(3)]
                self._frames.append((ids[0], ids[1], ids[2], self._u4(at + 3 * self._id_size)))
        self._name_fields()
        self._name_frames()
        for symbol, begin, end in self._places:
            if symbol not in self._kept:
                self._data[begin:end] = self._renamed(symbol, bytes(self._data[begin:end]))

    def _renamed(self, symbol: int, text: bytes) -> bytes:
        maker = self._makers.get(symbol)
        return maker(text) if maker else _FILL * len(text)

    def _load_class(self, body: int) -> None:
        class_id, name = self._id(body + 4), self._id(body + 8 + self._id_size)
        self._classes[class_id] = self._serials[self._u4(body)] = name
        self._makers[name] = self._pseudonyms.of_array_or_class

    def _name_fields(self) -> None:
        for class_id, names in self._fields.items():
            if self._is_of_jdk(self._classes.get(class_id, 0)):
                self._kept |= names
            for name in names:
                self._makers.setdefault(name, self._pseudonyms.of_name)

    def _name_frames(self) -> None:
        for method, signature, source, serial in self._frames:
            if self._is_of_jdk(self._serials.get(serial, 0)):
                self._kept |= {method, source}
            self._makers.setdefault(method, self._pseudonyms.of_name)
            self._makers.setdefault(signature, self._pseudonyms.of_descriptor)
            self._makers.setdefault(source, self._pseudonyms.of_file)

    def _is_of_jdk(self, name: int) -> bool:
        return is_of_jdk(self._texts.get(name, b""))

    def _id(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + self._id_size], "big")

    def _u4(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "big")
