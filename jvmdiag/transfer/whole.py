"""A small file that is whole or not there: it has no name before, so a run that is killed leaves nothing of it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from jvmdiag.transfer.sink import PARTIAL_SUFFIX, PartialFile, no_room, sync_directory

_PRIVATE_FILE = 0o600
# What a file system answers that knows no files without a name: NFS, vfat, overlayfs before Linux 6.1.
_NO_NAMELESS = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EISDIR, errno.EINVAL, errno.ENOSYS})
_NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.ENOENT, errno.EACCES, errno.EMLINK})


def write_whole(final: Path, data: bytes) -> None:
    """Store `data` as `final`, 0600, in place of an older one. Raises LocalDiskFull, NotWritable."""
    if not _nameless(final, data):
        with PartialFile(final.parent, stem_of(final, os.getpid())) as file:
            file.write(data)
            file.replace(final)


def stem_of(final: Path, pid: int) -> str:
    """What process `pid` calls `final` until it is whole, less .partial; a leftover of another is not in the way."""
    return f".{final.name}.{pid}"


def _nameless(final: Path, data: bytes) -> bool:
    """The same by a file without a name; False where the file system has no such."""
    flags = getattr(os, "O_TMPFILE", 0) | os.O_WRONLY | os.O_CLOEXEC
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        fd = os.open(final.parent, flags, _PRIVATE_FILE)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return False
        raise no_room(final, error, 0) from None
    try:
        with suppress(PermissionError):
            os.fchmod(fd, _PRIVATE_FILE)
        try:
            _write(fd, data)
        except OSError as error:
            raise no_room(final, error, 0) from None
        return _named(fd, final)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.fsync(fd)


def _named(fd: int, final: Path) -> bool:
    """Give it its name; for a moment another where that is taken, as no link replaces anything."""
    beside = final.with_name(stem_of(final, os.getpid()) + PARTIAL_SUFFIX)
    try:
        try:
            _link(fd, final)
        except FileExistsError:
            with suppress(FileNotFoundError):
                beside.unlink()
            _link(fd, beside)
            beside.replace(final)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise no_room(final, error, 0) from None
    sync_directory(final.parent)
    return True


def _link(fd: int, name: Path) -> None:
    directory = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a descriptor given, os.link follows the link of /proc; without, it does not.
        os.link(f"/proc/self/fd/{fd}", name.name, dst_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)
