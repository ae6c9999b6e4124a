"""Encryption at rest, with age: sealed for its recipients before a byte is written, opened while it is read."""

from __future__ import annotations

import io
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from jvmdiag.errors import BadRequest, MissingExtra, TransferCut, VerificationFailed

if TYPE_CHECKING:
    from jvmdiag.transfer.codec import Compressor

SUFFIX = ".age"
MAGIC = b"age-encryption.org/v1\n"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Seal:
    """For whom: public keys, `age1…` or lines `ssh-ed25519 …` and `ssh-rsa …`."""

    recipients: tuple[str, ...]


def seal_for(words: tuple[str, ...]) -> Seal:
    """The seal for `words`: recipients, or files that hold one a line.

    Raises BadRequest for a word that is neither, MissingExtra where pyrage is not installed.
    """
    recipients = tuple(dict.fromkeys(one for word in words for one in _recipients_of(word)))
    for recipient in recipients:
        _recipient(recipient)
    return Seal(recipients)


def _recipients_of(word: str) -> Iterator[str]:
    if _is_recipient(word):
        yield word.strip()
        return
    try:
        with Path(word).open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadRequest(
            f"--encrypt-to {word!r} is no recipient, and no file of recipients",
            why=str(error),
            advice="a recipient begins with age1 or ssh-; age-keygen -y KEYFILE prints that of a key",
        ) from None
    found = [line for raw in text.splitlines() if (line := raw.strip()) and not line.startswith("#")]
    if not found:
        raise BadRequest(f"the file {word} names no recipient")
    for line in found:
        if not _is_recipient(line):
            # It may be somebody's private key, and is not shown.
            raise BadRequest(f"a line of {word} is no recipient", why="one begins with age1 or ssh-")
        yield line


def _is_recipient(word: str) -> bool:
    return word.strip().startswith(("age1", "ssh-"))


def _recipient(text: str) -> Any:
    pyrage = _pyrage()
    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BadRequest(f"no recipient that can be encrypted to: {text!r}", why=str(error)) from None


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError:
        raise MissingExtra(
            "encryption takes the package pyrage, which is not installed",
            advice="pip install 'jvmdiag[encrypt]'",
        ) from None
    return pyrage


def sealed(inner: Compressor, seal: Seal | None) -> Compressor:
    """`inner` itself, or around it a Compressor whose output is one age file. Costs a thread while it is used."""
    return _Sealer(inner, seal) if seal else inner


def sealed_bytes(data: bytes, seal: Seal) -> bytes:
    """One age file of `data`."""
    return bytes(_pyrage().encrypt(data, [_recipient(one) for one in seal.recipients]))


def fresh_key() -> tuple[Any, str]:
    """A key of this process, for `opened`, and its recipient."""
    key = _pyrage().x25519.Identity.generate()
    return key, str(key.to_public())


class _Sealer:
    """pyrage pulls what it encrypts, so it does in a thread of its own, from a pipe: that bounds what is under way.

    One that is dropped in midstream closes the pipe, and its thread ends.
    """

    def __init__(self, inner: Compressor, seal: Seal) -> None:
        self._inner = inner
        recipients = [_recipient(one) for one in seal.recipients]
        reader, self._pipe = os.pipe()
        self._ready = _Ready()
        self._closing = weakref.finalize(self, os.close, self._pipe)
        self._thread = _Thread(_encrypt, reader, self._ready, recipients)
        self._thread.start()

    def compress(self, data: bytes, /) -> bytes:
        self._put(self._inner.compress(data))
        return self._ready.take()

    def flush(self) -> bytes:
        self._put(self._inner.flush())
        self._closing()
        self._thread.join()
        if self._thread.failure:
            raise self._thread.failure
        return self._ready.take()

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._pipe, view) :]
            except BrokenPipeError:
                # Its thread ended, and has the reason.
                self._thread.join()
                raise self._thread.failure or VerificationFailed("the encryption ended early") from None


class _Ready:
    """What was encrypted and not yet taken, as a file that pyrage writes to."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        return b"".join(self._pieces.popleft() for _ in range(len(self._pieces)))


class _Thread(threading.Thread):
    """Runs `work(*words)`, and keeps what it raised."""

    def __init__(self, work: Callable[..., None], *words: Any) -> None:
        super().__init__(name=work.__name__, daemon=True)
        self.failure: Exception | None = None
        self._work = work
        self._words = words

    def run(self) -> None:
        try:
            self._work(*self._words)
        except Exception as error:  # noqa: BLE001 - it is raised again by the thread that reads or writes
            self.failure = error


def _encrypt(reader: int, ready: _Ready, recipients: list[Any]) -> None:
    with os.fdopen(reader, "rb", buffering=0) as file:
        _pyrage().encrypt_io(file, ready, recipients)


def is_sealed(start: bytes) -> bool:
    """Whether a file that begins so is an age file."""
    return start.startswith(MAGIC)


def keys_of(files: tuple[Path, ...]) -> tuple[Any, ...]:
    """The keys in `files`: of age-keygen, or a private SSH key without a passphrase.

    Raises BadRequest for a file that holds none, MissingExtra.
    """
    return tuple(key for file in files for key in _keys_in(file))


def _keys_in(file: Path) -> Iterator[Any]:
    pyrage = _pyrage()
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
        if b"-----BEGIN" in content:
            yield pyrage.ssh.Identity.from_buffer(content)
            return
        lines = [line.strip() for line in content.decode("utf-8").splitlines()]
        keys = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
        yield from [pyrage.x25519.Identity.from_str(key) for key in keys]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise BadRequest(f"--identity {file} holds no key that can be used", why=str(error)) from None
    if not keys:
        raise BadRequest(
            f"--identity {file} holds no key that can be used",
            why="no line begins with AGE-SECRET-KEY-, and it is no private SSH key",
            advice="one with a passphrase is opened first: age -d KEY.age >KEY, on a disk that forgets",
        )


@contextmanager
def opened(file: BinaryIO, keys: tuple[Any, ...], name: str) -> Iterator[io.BufferedReader]:
    """What is in an age file, as a file that is read once from its beginning. Costs a thread.

    Reading it raises BadRequest where no key opens it, TransferCut or VerificationFailed where it is cut or damaged:
    what was read before that was authentic.
    """
    reader, writer = os.pipe()
    thread = _Thread(_decrypt, file, writer, keys)
    raw = _Opened(reader, thread, name)
    thread.start()
    try:
        yield io.BufferedReader(raw, 1 << 20)
    finally:
        with suppress(OSError):
            raw.close()
        thread.join()


def _decrypt(file: BinaryIO, writer: int, keys: tuple[Any, ...]) -> None:
    with os.fdopen(writer, "wb", buffering=0) as plain:
        _pyrage().decrypt_io(file, plain, list(keys))


class _Opened(io.RawIOBase):
    def __init__(self, reader: int, thread: _Thread, name: str) -> None:
        self._reader = os.fdopen(reader, "rb", buffering=0)
        self._thread = thread
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._reader.readinto(buffer) or 0
        if not size:
            self._thread.join()
            if self._thread.failure:
                raise _fault(self._thread.failure, self._name)
        return size

    def close(self) -> None:
        self._reader.close()
        super().close()


def _fault(error: Exception, name: str) -> Exception:
    if "No matching keys" in str(error):
        return BadRequest(
            f"no key of --identity opens {name}",
            why="it was encrypted to others",
            advice="its manifest says to whom",
        )
    if "fill whole buffer" in str(error):
        return TransferCut(f"{name} is cut", why="it ends within its first 64 KiB")
    return VerificationFailed(
        f"{name} is cut or damaged",
        why=f"a block of 64 KiB fails its authentication ({error})",
        advice="copy it again from where it came from, or take the dump again",
    )
