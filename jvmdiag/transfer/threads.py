"""Whether the text of a thread dump has its closing part, found while the bytes pass."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Looked for first: substrings are found ten times as fast.
_WORDS = (b"Full thread dump ", b"JNI global ref", b"Found ")
# "JNI global references: 275" is 8, "JNI global refs: 15, weak refs: 0" is 11 and later. Deadlocks, where
# found, follow it. A quotation mark before the words is a thread's name.
_LANDMARK = re.compile(
    rb'^[^"\n]*(?P<begin>Full thread dump )'
    rb"|^(?P<jni>JNI global ref\w*: *\d+)"
    rb"|^(?P<deadlock>Found (?:one|\d+) Java-level deadlocks?:)"
    rb"|^(?P<sentence>Found \d+ deadlocks?\.)",
    re.MULTILINE,
)
# Landmarks are shorter than any of a thread dump's lines may be; of a longer line the beginning counts.
_LINE_BYTES = 64 << 10


@dataclass(frozen=True)
class ThreadDumps:
    """How many thread dumps the text holds, and whether each is closed; `detail` says which is not."""

    dumps: int
    complete: bool
    detail: str


class ThreadDumpWalk:
    """Follows the landmarks of thread dumps over chunks split anywhere; memory does not grow with the text.

    A dump is closed by its line "JNI global refs" and, where it names a deadlock after that, by the
    sentence that counts the deadlocks.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._dumps = 0
        self._missing = ""  # of the dump the walk is in
        self._first_fault = ""

    def feed(self, chunk: bytes) -> None:
        """Walk over the next bytes of the text."""
        data = self._rest + chunk
        whole = data.rfind(b"\n") + 1
        if len(data) - whole > _LINE_BYTES:
            whole = len(data)
        self._rest = data[whole:]
        self._scan(data[:whole])

    def finish(self) -> ThreadDumps:
        """The verdict, once the last byte was fed."""
        self._scan(self._rest)
        self._rest = b""
        self._leave()
        if not self._dumps:
            return ThreadDumps(0, False, "there is no thread dump in it")
        if self._first_fault:
            return ThreadDumps(self._dumps, False, self._first_fault)
        count = "one thread dump" if self._dumps == 1 else f"{self._dumps} thread dumps"
        return ThreadDumps(self._dumps, True, f"{count}, closed by JNI global refs")

    def _scan(self, text: bytes) -> None:
        if any(word in text for word in _WORDS):
            for found in _LANDMARK.finditer(text):
                self._pass(found.lastgroup or "")

    def _pass(self, landmark: str) -> None:
        if landmark == "begin":
            self._leave()
            self._dumps += 1
            self._missing = "its closing line, JNI global refs"
        elif landmark == "deadlock":
            self._missing = "the end of its deadlocks"
        else:
            self._missing = ""

    def _leave(self) -> None:
        if self._dumps and self._missing:
            fault = f"thread dump {self._dumps} lacks {self._missing}"
            self._first_fault = self._first_fault or fault
