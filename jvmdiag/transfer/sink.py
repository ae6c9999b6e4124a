"""A file that has its name only when it is whole: NAME.partial, 0600 from the first byte, then NAME."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from jvmdiag.errors import JvmdiagError, LocalDiskFull, NotWritable, OutputExists

PARTIAL_SUFFIX = ".partial"
_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_FULL = {
    errno.ENOSPC: "no space is left there",
    errno.EDQUOT: "the disk quota of this user is used up",
    errno.EFBIG: "its file system or a limit (ulimit -f) does not allow files that large",
}
# What link(2) answers on vfat (EPERM), SMB and some FUSE file systems.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)


class PartialFile:
    """DIRECTORY/NAME in the making; `commit` gives it its name, leaving without it removes it.

    Entering raises OutputExists where NAME or NAME.partial is there already, and NotWritable where
    the directory can't be written; no byte was written then and nothing was changed. With `again` NAME.partial has
    to be there (else NotWritable), and nobody may be writing it (else OutputExists); what is written goes behind
    what it holds. One that was there stays whatever happens, until `commit` or `remove`.
    Every call may raise LocalDiskFull, which says how many bytes had found room.
    """

    def __init__(self, directory: str | Path, name: str, *, again: bool = False) -> None:
        self.path = Path(directory) / name
        self._again = again
        self.partial = Path(directory) / (name + PARTIAL_SUFFIX)
        self.size_bytes = 0
        self._fd = -1
        self._mine = False

    def __enter__(self) -> PartialFile:
        if os.path.lexists(self.path):
            raise _exists(self.path)
        create = os.O_APPEND if self._again else os.O_CREAT | os.O_EXCL
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | create
        try:
            self._fd = os.open(self.partial, flags, _PRIVATE_FILE)
        except FileExistsError:
            raise _leftover(self.partial) from None
        except OSError as error:
            raise self._mapped(error) from None
        if not _lock(self._fd):
            self._close()
            raise _busy(self.partial)
        self._mine = not self._again
        self.size_bytes = os.fstat(self._fd).st_size
        # A umask of 0277 would have taken our own right to write; vfat knows no modes.
        with suppress(PermissionError):
            os.fchmod(self._fd, _PRIVATE_FILE)
        return self

    def fileno(self) -> int:
        """Of the open NAME.partial."""
        return self._fd

    def write(self, data: bytes) -> None:
        """Append `data`, all of it."""
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._fd, view)
            except OSError as error:
                raise self._mapped(error) from None
            self.size_bytes += written
            view = view[written:]

    def cut(self, size_bytes: int) -> None:
        """Drop what lies behind the first `size_bytes`."""
        os.ftruncate(self._fd, size_bytes)
        self.size_bytes = size_bytes

    def remove(self) -> None:
        """Remove NAME.partial when the context is left, also one that was there."""
        self._mine = True

    def commit(self) -> Path:
        """Put the bytes on the disk, then take the final name, and return it. Never overwrites.

        Raises OutputExists where somebody took the name meanwhile; NAME.partial, which is whole, stays.
        """
        try:
            self._settle(take_name, self.path)
        except FileExistsError:
            self._mine = False
            raise _taken(self.path, self.partial) from None
        return self.path

    def keep_partial(self) -> Path:
        """Put the bytes on the disk and leave them under NAME.partial, which is returned: they are all there is."""
        self._mine = False
        self.sync()
        return self.partial

    def sync(self) -> None:
        """Put the bytes on the disk: they outlive a power cut."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._mapped(error) from None

    def replace(self, final: Path) -> None:
        """Put the bytes on the disk, then take the name `final` in the same directory from what has it."""
        self._settle(os.replace, final)

    def _settle(self, take: Callable[[Path, Path], None], final: Path) -> None:
        try:
            os.fsync(self._fd)
            self._close()
            take(self.partial, final)
        except FileExistsError:
            raise
        except OSError as error:
            raise self._mapped(error) from None
        self._mine = False
        sync_directory(final.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # NFS reports a full disk at close; there is nothing left to tell it to.
        with suppress(OSError):
            self._close()
        if self._mine:
            self._mine = False
            with suppress(FileNotFoundError):
                self.partial.unlink()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _mapped(self, error: OSError) -> JvmdiagError:
        return no_room(self.path, error, self.size_bytes)


def _lock(fd: int) -> bool:
    """Whether the file is ours alone now: until it is closed, however this process ends. Where the file system
    knows no locks it is taken to be."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def take_name(partial: Path, final: Path, link: Callable[[Path, Path], None] = os.link) -> None:
    """Rename `partial` to `final`, unless that is taken: then FileExistsError, and nothing has changed.

    `link` is given where a test plays a file system without hard links.
    """
    try:
        link(partial, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # O_EXCL claims the name; the rename then replaces nothing but this empty file of ours.
        os.close(os.open(final, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE_FILE))
        try:
            partial.replace(final)
        except OSError:
            final.unlink()  # an empty file under a name that means "verified"
            raise
    else:
        partial.unlink()


def sync_directory(directory: Path) -> None:
    """Make a new name in `directory` outlive a power cut, where the file system knows how."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # SMB and some FUSE file systems refuse it
            os.fsync(fd)
    finally:
        os.close(fd)


def free_bytes(directory: str | Path) -> int:
    """What this user may still write to the file system that holds `directory`, or will hold it."""
    place = Path(directory).absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def private_directory(path: str | Path) -> Path:
    """The directory `path`; made 0700, its parents too, where it is not there. Raises NotWritable.

    One that is there keeps its mode.
    """
    directory = Path(path)
    for place in reversed((directory, *directory.parents)):
        try:
            place.mkdir(mode=_PRIVATE_DIRECTORY)
        except OSError as error:
            if not place.is_dir():
                raise not_writable(directory, error) from None
    return directory


def not_writable(directory: Path, error: OSError) -> NotWritable:
    """The NotWritable that says why nothing can be written to `directory`."""
    reason = {
        errno.ENOENT: "there is no such directory",
        errno.ENOTDIR: "it is no directory, or a part of its path is none",
        errno.EEXIST: "a file of that name is there",
        errno.EROFS: "its file system is mounted read-only",
    }.get(error.errno or 0, (error.strerror or str(error)).lower())
    return NotWritable(
        f"can't write to {directory}",
        why=reason,
        advice="choose another directory of this machine with -o",
    )


def no_room(path: Path, error: OSError, written_bytes: int) -> JvmdiagError:
    """Why `path` could not be written, as LocalDiskFull or NotWritable."""
    if error.errno not in _FULL:
        return not_writable(path.parent, error)
    return LocalDiskFull(
        f"this machine has no room for {path}",
        why=f"{_FULL[error.errno or 0]}, after {written_bytes:,} bytes were written",
        advice=(f"make room (df -h {shlex.quote(str(path.parent))}) or choose another directory with -o",),
    )


def _exists(path: Path) -> OutputExists:
    return OutputExists(
        f"{path} is there already",
        why="nothing is ever overwritten",
        advice="choose another name with -o, or move that file away",
    )


def _leftover(partial: Path) -> OutputExists:
    return OutputExists(
        f"{partial} is there already",
        why="another jvmdiag is writing it, or one was killed and left it",
        advice=(
            f"if no jvmdiag is running, it is an unfinished copy: rm -- {shlex.quote(str(partial))}",
            "or choose another name with -o",
        ),
    )


def _busy(partial: Path) -> OutputExists:
    return OutputExists(
        f"{partial} is being written", why="another jvmdiag is at it", advice="wait for that one to end"
    )


def _taken(path: Path, partial: Path) -> OutputExists:
    return OutputExists(
        f"{path} came into being while its dump was written",
        why=f"nothing is ever overwritten; the verified dump is {partial}",
        advice=f"give it a name of its own: mv -n -- {shlex.quote(str(partial))} NEW-NAME",
    )
