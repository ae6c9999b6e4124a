"""Names replaced by others of the same length, the same one by the same one: pure."""

from __future__ import annotations

import re

from jvmdiag.errors import NotADump

# The packages of the JDK's own modules; java.* is reserved by the class loaders.
_JDK = re.compile(
    rb"\[*L?(?:java|jdk|sun|com/sun|apple/laf|netscape/javascript|org/(?:ietf/jgss|w3c/dom|xml/sax|jcp/xml/dsig)"
    rb"|javax/(?:accessibility|annotation/processing|crypto|imageio|lang/model|management|naming|net|print|rmi|script"
    rb"|security|smartcardio|sound|sql|swing|tools|transaction/xa|xml))/"
)
_PRIMITIVE_ARRAY = re.compile(rb"\[+[ZBCSIJFD]\Z")
# An object type within a descriptor or signature.
_OBJECT_TYPE = re.compile(rb"L([^;<>()\[:]+)(?=[;<])")
# What names are made of: what lies between are separators.
_TOKEN = re.compile(rb"[^/.$;<>()\[\]+,: -]{3,}")
# A name's end that says what kind of file it was.
_SUFFIX = re.compile(rb"\.(?:java|kt|kts|scala|groovy|clj)\Z")
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"


class Pseudonyms:
    """Made as they are asked for: each package, class and member has one, wherever it stands.

    What is shorter than 3 bytes stays, and so do numbers and the separators of names, by which an inner class is known.
    """

    def __init__(self) -> None:
        self._made: dict[bytes, bytes] = {}
        self._counts: dict[int, int] = {}

    def of_name(self, name: bytes) -> bytes:
        """Of a class, as in com/acme/Order$Line, and of a method or field."""
        if name.startswith(b"<") or is_of_jdk(name):  # <init>
            return name
        return _TOKEN.sub(lambda found: self._token(found[0]), name)

    def of_array_or_class(self, name: bytes) -> bytes:
        """Of a class as LOAD_CLASS names it: arrays as in [Lcom/acme/Order;"""
        return self.of_descriptor(name) if name.startswith(b"[") else self.of_name(name)

    def of_descriptor(self, descriptor: bytes) -> bytes:
        """Of a method or type: (Lcom/acme/Order;I)V"""
        return _OBJECT_TYPE.sub(lambda found: b"L" + self.of_name(found[1]), descriptor)

    def of_file(self, name: bytes) -> bytes:
        """Of a source file: the name of the class that it is of, and its suffix."""
        suffix = _SUFFIX.search(name)
        stem = name[: suffix.start()] if suffix else name
        return self.of_name(stem) + name[len(stem) :]

    def _token(self, token: bytes) -> bytes:
        if token.isdigit():
            return token
        if token not in self._made:
            size = len(token)
            number = self._counts[size] = self._counts.get(size, -1) + 1
            self._made[token] = _numbered(number, size)
        return self._made[token]


def is_of_jdk(name: bytes) -> bool:
    """Whether a class of that name, an array of such or a primitive one is the JDK's own."""
    return bool(_JDK.match(name) or _PRIMITIVE_ARRAY.match(name))


def _numbered(number: int, size: int) -> bytes:
    """aaaaaaaa, aaaaaaab, ...: as many as there are words of that size."""
    letters = bytearray()
    rest = number
    while rest:
        rest, digit = divmod(rest, len(_LETTERS))
        letters.append(_LETTERS[digit])
    if len(letters) > size:
        raise NotADump(
            "this is no heap dump of a JVM", why=f"it has more than {number:,} names of {size} bytes"
        )
    return bytes(letters[::-1]).rjust(size, _LETTERS[:1])
