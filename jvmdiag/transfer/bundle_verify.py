"""Is this snapshot whole: every file of its manifest, in a folder or in an archive."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from jvmdiag.errors import NotADump
from jvmdiag.model import Witness
from jvmdiag.transfer.bundle import ARCHIVE_SUFFIX, MANIFEST, SCHEMA, Bundle, BundledItem
from jvmdiag.transfer.document import parse_document, read_document
from jvmdiag.transfer.manifest import manifest_path

SNAPSHOT = "snapshot"
_READ_BYTES = 1 << 20
_MANIFEST_BYTES = 16 << 20
_WHAT = "manifest of a snapshot"
Sum = tuple[int, str]


def is_bundle(place: Path) -> bool:
    """Whether it is a folder with a manifest, or an archive that begins with one."""
    if place.is_dir():
        return (place / MANIFEST).is_file()
    # A tar that was fetched has a manifest of its own beside it.
    if not place.name.endswith(ARCHIVE_SUFFIX) or not place.is_file() or manifest_path(place).exists():
        return False
    try:
        with tarfile.open(place, "r|gz") as tar:
            first = tar.next()
    except (tarfile.TarError, zlib.error, EOFError):
        return False
    return first is not None and first.name.partition("/")[2] == MANIFEST


def bundle_witnesses(
    place: Path, advance: Callable[[int], None], packed: IO[bytes] | None = None
) -> tuple[int, tuple[Witness, ...]]:
    """How many bytes were read, and a witness for each file that its manifest says was taken.

    `advance` hears of the bytes. `packed` is what is read for the archive, where that is encrypted. Raises NotADump
    where there is no such manifest, NoSuchFile where nothing can be read.
    """
    if place.is_dir():
        bundle, sums, fault = _of_folder(place, advance)
    elif packed is not None:
        bundle, sums, fault = _of_archive(place, packed, advance)
    else:
        with place.open("rb") as file:
            bundle, sums, fault = _of_archive(place, file, advance)
    sums |= {
        item.beside: found for item in bundle.held if item.beside and (found := _beside(place, item, advance))
    }
    witnesses = [_compared(item, sums.get(item.beside or item.file)) for item in bundle.held]
    if fault:
        witnesses.append(Witness("archive", False, f"it does not unpack to its end: {fault}"))
    return sum(size for size, _ in sums.values()), tuple(witnesses)


def _compared(item: BundledItem, found: Sum | None) -> Witness:
    name = item.beside or item.file
    if found is None:
        return Witness(name, False, "it is not there, and the manifest says that it was taken")
    size_bytes, sha256 = found
    if size_bytes != item.size_bytes:
        return Witness(name, False, f"{size_bytes:,} bytes, and the manifest says {item.size_bytes:,}")
    if sha256 != item.sha256:
        return Witness(name, False, f"sha256 is {sha256}, and the manifest says {item.sha256}")
    return Witness(name, True, f"{size_bytes:,} bytes, sha256 {sha256}")


def _beside(place: Path, item: BundledItem, advance: Callable[[int], None]) -> Sum | None:
    """Of a file that stands beside the archive, by its name alone."""
    file = place.parent / item.beside
    if file.name != item.beside or file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as opened:
        return _summed(opened, advance)


def _of_folder(place: Path, advance: Callable[[int], None]) -> tuple[Bundle, dict[str, Sum], str]:
    bundle = read_document(place / MANIFEST, Bundle, SCHEMA, what=_WHAT, advice="verify its files one by one")
    sums = {}
    for item in bundle.items:
        file = place / item.file
        # A manifest that leads out of its folder, or through a link, speaks of something else.
        if item.held and _is_within(place, item.file) and file.is_file():
            with file.open("rb") as opened:
                sums[item.file] = _summed(opened, advance)
    return bundle, sums, ""


def _is_within(place: Path, file: str) -> bool:
    parts = Path(file).parts
    links = any((place / Path(*parts[:n])).is_symlink() for n in range(1, len(parts) + 1))
    return bool(parts) and not links and ".." not in parts and not Path(file).is_absolute()


def _of_archive(
    place: Path, packed: IO[bytes], advance: Callable[[int], None]
) -> tuple[Bundle, dict[str, Sum], str]:
    """The last value says why it could not be unpacked to its end; empty where it could."""
    sums: dict[str, Sum] = {}
    bundle: Bundle | None = None
    try:
        with (
            _Unpacked(fileobj=packed, mode="rb") as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as tar,
        ):
            for name, opened in _files(tar):
                if name == MANIFEST and bundle is None:
                    text = opened.read(_MANIFEST_BYTES)
                    bundle = parse_document(
                        text, Bundle, SCHEMA, str(place), _WHAT, advice="unpack it, and look"
                    )
                    continue
                sums[name] = _summed(opened, advance)
            while unpacked.read(_READ_BYTES):
                pass
    except tarfile.TarError as error:
        if bundle is None:
            raise NotADump(f"{place} is no archive of a snapshot", why=str(error)) from None
        unpacked.fault = unpacked.fault or str(error)
    if bundle is None:
        raise NotADump(f"{place} is no archive of a snapshot", why=f"there is no {MANIFEST} in it")
    return bundle, sums, unpacked.fault


class _Unpacked(gzip.GzipFile):
    """Ends where nothing more can be unpacked, and `fault` says why: what is before stands.

    A tar that is opened by r|gz ends before gzip's own sum.
    """

    fault = ""

    def read(self, size: int | None = -1) -> bytes:
        try:
            # By read, what was unpacked before a fault would be lost with it.
            return b"" if self.fault else self.read1(size or -1)
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
            self.fault = str(error)
            return b""


def _files(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Name, less the folder's, and content of each regular file, in order."""
    for member in tar:
        opened = tar.extractfile(member) if member.isfile() else None
        if opened is not None:
            yield member.name.partition("/")[2], opened


def _summed(opened: IO[bytes], advance: Callable[[int], None]) -> Sum:
    total, size_bytes = hashlib.sha256(), 0
    while data := opened.read(_READ_BYTES):
        total.update(data)
        size_bytes += len(data)
        advance(len(data))
    return size_bytes, total.hexdigest()
