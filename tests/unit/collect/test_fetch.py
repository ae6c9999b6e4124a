"""A file that is there already: copied whole or not at all, and removed only when it is the one that was copied."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jvmdiag.collect.archived import archived, packed_in
from jvmdiag.collect.fetch import Fetched, _counted, fetch_file
from jvmdiag.collect.job import Job, Journal, Progress
from jvmdiag.collect.lies_there import Seen, look, read_file
from jvmdiag.errors import (
    BadRequest,
    ConnectionLost,
    DumpIncomplete,
    JvmdiagError,
    NoSuchFile,
    OutputExists,
    TransferCut,
    VerificationFailed,
)
from jvmdiag.hosts.local import LocalHost
from jvmdiag.hosts.place import ContainerPlace
from jvmdiag.target import LocalTarget
from jvmdiag.transfer.codec import Codec
from tests import hprof_bytes as make
from tests.fakes import Answer, FakeHost, Streamed, done
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import EngineClient, in_a_container

CONTENT = b"gc log line\n" * 20_000


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A file on the target, which is this machine, with a name that a shell would take apart."""
    file = tmp_path / "target" / "gc $(id).log"
    file.parent.mkdir()
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


def fetch(path: Path, here: Path, progress: Progress | None = None, *, remove: bool = False) -> Fetched:
    job = Job(LocalTarget(), output=here)
    return fetch_file(job, str(path), Journal(), progress or Progress(), remove=remove)


def test_a_file_comes_whole_with_its_account_and_stays_where_it_was(there: Path, here: Path) -> None:
    seen: list[int] = []
    expected: list[int] = []
    fetched = fetch(there, here, Progress(seen.append, expected.append))
    assert gzip.decompress(Path(fetched.artifact.path).read_bytes()) == CONTENT
    assert fetched.artifact.path == str(here / "gc $(id).log.gz")
    assert [w.name for w in fetched.artifact.witnesses] == ["byte count", "sha256"]
    assert (sum(seen), expected) == (len(CONTENT), [len(CONTENT)])
    assert json.loads((here / "gc $(id).log.gz.manifest.json").read_text(encoding="utf-8"))["kind"] == "file"
    assert there.read_bytes() == CONTENT


def test_what_is_packed_already_is_stored_as_it_is(there: Path, here: Path) -> None:
    packed = there.with_name("old.hprof.gz")
    packed.write_bytes(gzip.compress(make.small_dump()))
    fetched = fetch(packed, here)
    assert Path(fetched.artifact.path).name == "old.hprof.gz"
    assert Path(fetched.artifact.path).read_bytes() == packed.read_bytes()
    assert fetched.artifact.codec == Codec.NONE.value
    assert [w.name for w in fetched.artifact.witnesses] == ["byte count", "sha256", "structure"]


@pytest.mark.parametrize("path", ["heap.hprof", "tmp/heap.hprof", "-n", ""])
def test_a_path_that_does_not_begin_at_the_root_is_refused_before_anything_is_asked(
    path: str, here: Path
) -> None:
    journal = Journal()
    with pytest.raises(BadRequest, match="absolute"):
        fetch_file(Job(LocalTarget(), output=here), path, journal, Progress(), remove=False)
    assert journal.commands == []


def test_an_empty_file_is_a_file(there: Path, here: Path) -> None:
    there.write_bytes(b"")
    assert fetch(there, here).artifact.raw_bytes == 0


def test_it_is_removed_there_once_it_is_verified_here_if_that_was_asked(there: Path, here: Path) -> None:
    fetched = fetch(there, here, remove=True)
    assert not there.exists()
    assert fetched.left_behind == ()


def test_a_file_that_grows_is_taken_as_it_was_and_is_not_removed(there: Path, here: Path) -> None:
    def grow(_: int) -> None:
        with there.open("ab") as log:
            log.write(b"one more line\n")

    fetched = fetch(there, here, Progress(expect=grow), remove=True)
    assert gzip.decompress(Path(fetched.artifact.path).read_bytes()) == CONTENT
    assert there.read_bytes() == CONTENT + b"one more line\n"
    [left] = fetched.left_behind
    assert left.remove == f"rm '{there}'  (there)"


def test_a_file_that_shrinks_is_cut_and_takes_no_name(there: Path, here: Path) -> None:
    there.write_bytes(bytes(4 << 20))  # more than a pipe holds

    def rotate(_: int) -> None:
        there.write_bytes(b"rotated\n")

    with pytest.raises(TransferCut, match="of 4,194,304 bytes"):
        fetch(there, here, Progress(expect=rotate), remove=True)
    assert list(here.iterdir()) == []
    assert there.exists()


def test_a_heap_dump_that_is_whole_has_a_third_witness(there: Path, here: Path) -> None:
    there.write_bytes(make.small_dump())
    fetched = fetch(there, here)
    assert [w.name for w in fetched.artifact.witnesses] == ["byte count", "sha256", "structure"]
    assert fetched.warnings == ()


CUT = make.small_dump()[:-5]


@pytest.mark.parametrize(
    ("name", "content", "copy"),
    [
        ("old.hprof", CUT, "old.hprof.gz.partial"),
        ("old.hprof", b"", "old.hprof.gz.partial"),
        ("old.hprof", b"no dump at all", "old.hprof.gz.partial"),
        ("old.hprof.gz", gzip.compress(CUT), "old.hprof.gz.partial"),
        ("old.hprof.gz", gzip.compress(make.small_dump())[:-9], "old.hprof.gz.partial"),
        ("core.1", CUT, "core.1.gz.partial"),
    ],
    ids=["cut", "empty", "another-file", "packed-and-cut", "packed-badly", "by-its-content"],
)
def test_a_heap_dump_that_is_not_whole_there_takes_no_name_and_its_copy_stays(
    there: Path, here: Path, name: str, content: bytes, copy: str
) -> None:
    file = there.with_name(name)
    file.write_bytes(content)
    with pytest.raises(DumpIncomplete, match="not whole on the target") as caught:
        fetch(file, here, remove=True)
    assert file.read_bytes() == content
    [kept] = here.iterdir()
    assert kept.name == copy
    stored = kept.read_bytes()
    assert (stored if name.endswith(".gz") else gzip.decompress(stored)) == content
    assert f"rm -- {kept}" in caught.value.advice[1]


def test_a_heap_dump_that_is_still_being_written_says_so(there: Path, here: Path) -> None:
    dump = there.with_name("now.hprof")
    dump.write_bytes(CUT[:-5])

    def grow(_: int) -> None:
        with dump.open("ab") as file:
            file.write(b"\0")

    with pytest.raises(DumpIncomplete) as caught:
        fetch(dump, here, Progress(expect=grow))
    assert "growing" in caught.value.advice[0]


def test_a_copy_of_a_broken_dump_that_is_not_even_that_is_not_kept(there: Path, here: Path) -> None:
    dump = there.with_name("old.hprof")
    dump.write_bytes(bytes(4 << 20))  # more than a pipe holds

    def change(_: int) -> None:
        with dump.open("r+b") as file:
            file.write(b"\1" * 1000)

    with pytest.raises(VerificationFailed, match="sha256"):
        fetch(dump, here, Progress(advance=change))
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["gc.log", "old.hprof"])
def test_what_was_changed_there_meanwhile_is_not_removed(there: Path, here: Path, name: str) -> None:
    file, content = there.with_name(name), make.small_dump()
    file.write_bytes(content)
    other = bytes(len(content))

    def change(_: int) -> None:
        file.write_bytes(other)

    fetched = fetch(file, here, Progress(advance=change), remove=True)
    assert file.read_bytes() == other
    assert "no longer what was copied" in fetched.warnings[0]
    assert [left.where for left in fetched.left_behind] == [str(file)]


def test_without_a_sum_there_nothing_is_removed(
    there: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "wc", "head", "cat", "rm"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fetched = fetch(there, here, remove=True)
    assert there.read_bytes() == CONTENT
    assert "no sha256sum" in fetched.warnings[0]
    assert [left.where for left in fetched.left_behind] == [str(there)]


def test_a_name_that_is_taken_here_is_not_replaced_and_nothing_is_removed(there: Path, here: Path) -> None:
    fetch(there, here)
    with pytest.raises(OutputExists):
        fetch(there, here, remove=True)
    assert there.exists()


@pytest.mark.parametrize(
    ("name", "says"), [("none", "no /"), ("none/deeper", "no /"), (".", "is no regular file")]
)
def test_what_is_no_file_says_so(there: Path, here: Path, name: str, says: str) -> None:
    with pytest.raises(NoSuchFile, match=says):
        fetch(there.parent / name, here)


SUM = "a" * 64


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (done(f"file 12 9:7 {SUM}  -\n"), Seen(12, SUM, "9:7")),
        (done("file 12 - \n"), Seen(12, None, "-")),
        (done("", 127, "sh: not found"), None),
        (done("", 126), None),
    ],
    ids=["with-a-sum", "without-sha256sum", "no-shell", "not-allowed"],
)
def test_a_look_gives_size_and_sum_or_none_without_a_shell(answer: Answer, found: Seen | None) -> None:
    assert look(FakeHost({lambda argv: True: answer}), "/x", None, summed=True) == found


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (done("missing\n"), "no /x on"),
        (done("other\n"), "no regular file"),
        (done("closed\n"), "not for this user to read"),
        (done("", 1, "sh: I/O error"), "I/O error"),
        (done(""), "could not be looked at"),
    ],
)
def test_a_look_that_finds_no_file_says_what_it_found(answer: Answer, says: str) -> None:
    with pytest.raises(NoSuchFile, match=says):
        look(FakeHost({lambda argv: True: answer}), "/x", None, summed=True)


def test_fewer_bytes_than_there_are_is_a_copy_that_was_cut() -> None:
    assert _counted(7, 7).agrees
    assert not _counted(7, 8).agrees
    with pytest.raises(TransferCut, match="6 of 7"):
        _counted(7, 6)


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (Streamed((b"ab",), exit_code=1, stderr=b"head: read error"), TransferCut),
        (Streamed((b"ab",), exit_code=None), TransferCut),
        (Streamed((b"ab",), cut=True), ConnectionLost),
    ],
)
def test_a_stream_that_does_not_end_well_is_an_error_behind_its_last_byte(
    stream: Streamed, kind: type[JvmdiagError]
) -> None:
    host = FakeHost({lambda argv: argv[-2:] == ("/x", "-"): stream})
    with read_file(host, "/x", None, 3) as chunks:
        assert next(chunks) == b"ab"
        with pytest.raises(kind):
            next(chunks)


@pytest.mark.parametrize("size_bytes", [0, 100, len(CONTENT)])
def test_only_as_much_is_taken_as_was_there(there: Path, size_bytes: int) -> None:
    with read_file(LocalHost(), str(there), None, size_bytes) as chunks:
        assert b"".join(chunks) == CONTENT[:size_bytes]


def test_behind_a_prefix_a_file_is_found_and_no_link_is_followed(there: Path, tmp_path: Path) -> None:
    """A link of a container would lead root to a file of the engine's host."""
    (there.parent / "file link").symlink_to(there)
    (tmp_path / "directory link").symlink_to(there.parent)
    prefix, host = str(tmp_path), LocalHost()
    seen = look(host, f"/target/{there.name}", None, summed=True, prefix=prefix)
    assert seen and (seen.size_bytes, seen.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    dotted = look(host, f"//target/./{there.name}", None, summed=False, prefix=prefix)
    assert dotted and dotted.identity == seen.identity
    for path in ("/target/file link", f"/directory link/{there.name}"):
        followed = look(host, f"{prefix}{path}", None, summed=False)
        assert followed and followed.identity == seen.identity
        with pytest.raises(NoSuchFile) as refused:
            look(host, f"{prefix}{path}", None, summed=False, strict=True)
        assert refused.value.advice == (f"name what it leads to: {there}",)
        with pytest.raises(NoSuchFile, match="behind a link"):
            look(host, path, None, summed=False, prefix=prefix)


def test_what_is_read_is_the_file_that_was_looked_at_or_none(there: Path, tmp_path: Path) -> None:
    """Its user makes a link of it, or of its directory, between the look and the reading."""
    host = LocalHost()
    seen = look(host, str(there), None, summed=False, strict=True)
    assert seen
    secret = tmp_path / "secret" / there.name
    secret.parent.mkdir()
    secret.write_bytes(b"of root")
    moved = there.parent.rename(tmp_path / "moved")
    for link, leads in ((there.parent, secret.parent), (there, secret)):
        link.symlink_to(leads)
        with (
            read_file(host, str(there), None, 7, seen.identity) as chunks,
            pytest.raises(TransferCut, match="another file by now"),
        ):
            next(chunks)
        link.unlink()
        there.parent.mkdir(exist_ok=True)
    there.unlink(missing_ok=True)
    (moved / there.name).rename(there)
    with read_file(host, str(there), None, 7, seen.identity) as chunks:
        assert b"".join(chunks) == CONTENT[:7]


class Archive(EngineClient):
    """An engine that packs what it is told."""

    def __init__(self, packed: bytes) -> None:
        super().__init__()
        self.packed = packed
        self.closed = False

    def get_archive(self, _container: str, _path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        return self._chunks(), {}

    def _chunks(self) -> Iterator[bytes]:
        try:
            for at in range(0, len(self.packed), 10_000):
                yield self.packed[at : at + 10_000]
        finally:
            self.closed = True


def packed(kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("gc.log")
        member.type = kind
        member.linkname = "/elsewhere"
        member.size = len(CONTENT) if kind == tarfile.REGTYPE else 0
        tar.addfile(member, io.BytesIO(CONTENT))
    return buffer.getvalue()


def place_with(client: Archive) -> ContainerPlace:
    place = in_a_container(the_jvm_of("tomcat-inside"), client=client).place
    assert isinstance(place, ContainerPlace)
    return place


def test_a_volume_is_listed_by_its_archive_as_far_as_that_is_not_too_large() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, size in (
            ("logs", tarfile.DIRTYPE, 0),
            ("logs/a.log", tarfile.REGTYPE, 7),
            ("logs/link.log", tarfile.SYMTYPE, 0),
            ("logs/b.log", tarfile.REGTYPE, 70_000),
            ("logs/c.log", tarfile.REGTYPE, 7),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size, member.mtime = kind, size, 5
            tar.addfile(member, io.BytesIO(bytes(size)))
    for most_bytes, names, whole in ((1 << 20, "abc", True), (60_000, "ab", False)):
        client = Archive(buffer.getvalue())
        files, read = packed_in(
            place_with(client), "/srv/logs", bool, most_bytes=most_bytes, until_s=float("inf")
        )
        assert [one.path for one in files] == [f"/srv/logs/{name}.log" for name in names]
        assert (files[0].size_bytes, files[0].changed_s, read) == (7, 5.0, whole)
        assert client.closed
    cut = place_with(Archive(buffer.getvalue()[:20_000]))
    files, read = packed_in(cut, "/srv/logs", bool, most_bytes=1 << 20, until_s=float("inf"))
    assert ([one.size_bytes for one in files], read) == ([7, 70_000], False)


def test_an_archive_of_the_engine_gives_the_file_in_it() -> None:
    client = Archive(packed())
    with archived(place_with(client), "/gc.log") as source:
        assert source.size_bytes == len(CONTENT)
        assert b"".join(source.chunks) == CONTENT
    assert client.closed


def test_a_piece_of_it_waits_for_no_more_than_it_holds() -> None:
    with archived(place_with(Archive(packed())), "/gc.log", 5_000) as source:
        assert [next(source.chunks), *source.chunks][0] == CONTENT[:5_000]


def test_an_archive_that_is_cut_is_an_error_and_not_a_shorter_file() -> None:
    with (
        archived(place_with(Archive(packed()[:50_000])), "/gc.log") as source,
        pytest.raises(TransferCut, match="was cut"),
    ):
        list(source.chunks)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_an_archive_of_anything_else_is_no_file(kind: bytes) -> None:
    client = Archive(packed(kind))
    with pytest.raises(NoSuchFile, match="no regular file"), archived(place_with(client), "/gc.log"):
        pass
    assert client.closed


@pytest.mark.parametrize("data", [b"", b"not a tar at all" * 100])
def test_what_is_no_archive_is_an_error_of_ours(data: bytes) -> None:
    with pytest.raises((TransferCut, NoSuchFile)), archived(place_with(Archive(data)), "/gc.log"):
        pass


def test_an_archive_that_nobody_reads_to_its_end_is_let_go() -> None:
    client = Archive(packed())
    with archived(place_with(client), "/gc.log") as source:
        next(source.chunks)
    assert client.closed
