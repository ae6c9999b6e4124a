"""One or several thread dumps: whole ones only, each under its own number."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Speaker
from jvmdiag.collect.job import Job, Journal
from jvmdiag.collect.threads import ThreadDump, ThreadDumpRequest, _Sampler
from jvmdiag.errors import AttachRefused, DumpIncomplete
from jvmdiag.target import DockerTarget
from jvmdiag.transfer.manifest import manifest_path, read_manifest
from jvmdiag.transfer.verify import verify_file
from tests.unit.capture.test_threads import DUMPS
from tests.unit.jvm.probe_case import the_jvm_of
from tests.unit.scenes import in_a_container

WHOLE = b'Full thread dump OpenJDK\n\n"main" #1\n\nJNI global refs: 15, weak refs: 0\n'
DEADLOCK = b'\nFound one Java-level deadlock:\n=====\n"a":\n  waiting to lock\n\nFound 1 deadlock.\n'


class Scripted(Speaker):
    """Answers one after the other; an exception is raised."""

    reach = None
    detail = "by a test"

    def __init__(self, method: str, answers: Sequence[bytes | Exception]) -> None:
        self.method = method
        self._answers = list(answers)

    def ask(self, line: str, timeout_s: float) -> bytes:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def sampler(output: Path, count: int = 1, *, redact: bool = False) -> tuple[_Sampler, list[ThreadDump]]:
    heard: list[ThreadDump] = []
    job = Job(DockerTarget("web"), output=output)
    request = ThreadDumpRequest(count, 0, redact=redact)
    scene = in_a_container(the_jvm_of("tomcat-inside"))
    return _Sampler(job, request, Journal(), heard.append, scene, print), heard


@pytest.mark.parametrize("dump", DUMPS)
def test_a_real_dump_is_kept_and_verified_by_the_same_rule(tmp_path: Path, dump: bytes) -> None:
    [taken] = sampler(tmp_path)[0].all_of(Scripted("direct", [dump]))
    assert taken.deadlock
    assert verify_file(taken.artifact.path).ok


@pytest.mark.parametrize("dump", DUMPS)
def test_a_real_dump_that_is_cut_before_its_last_line_takes_no_name(tmp_path: Path, dump: bytes) -> None:
    lines = dump[: dump.index(b"JNI global ref")].splitlines(keepends=True)
    for count in range(0, len(lines) + 1, 10):
        with pytest.raises(DumpIncomplete):
            sampler(tmp_path)[0].all_of(Scripted("direct", [b"".join(lines[:count])]))
    assert list(tmp_path.iterdir()) == []


def test_a_dump_that_is_cut_within_its_deadlocks_takes_no_name(tmp_path: Path) -> None:
    with pytest.raises(DumpIncomplete, match="the end of its deadlocks"):
        sampler(tmp_path)[0].all_of(Scripted("direct", [WHOLE + DEADLOCK[:-20]]))
    assert list(tmp_path.iterdir()) == []
    sampler(tmp_path)[0].all_of(Scripted("direct", [WHOLE + DEADLOCK]))


@pytest.mark.parametrize("text", [b"", b"1234\n", b"Unable to open socket file\n", b"JNI global refs: 15\n"])
def test_what_is_no_dump_is_told_from_one_that_is_cut(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DumpIncomplete, match="no thread dump"):
        sampler(tmp_path)[0].all_of(Scripted("direct", [text]))


def test_the_next_rung_goes_on_where_the_one_before_was_refused(tmp_path: Path) -> None:
    samples, heard = sampler(tmp_path, count=3)
    with pytest.raises(AttachRefused):
        samples.all_of(Scripted("direct", [WHOLE, AttachRefused("its /tmp was cleaned")]))
    dumps = samples.all_of(Scripted("tools", [WHOLE, WHOLE]))
    assert [dump.method for dump in dumps] == ["direct", "tools", "tools"]
    numbers = [Path(dump.artifact.path).name.rpartition("-")[2] for dump in dumps]
    assert numbers == ["1.txt.gz", "2.txt.gz", "3.txt.gz"]
    assert tuple(heard) == dumps


def test_what_was_taken_before_all_rungs_were_refused_stays(tmp_path: Path) -> None:
    samples, heard = sampler(tmp_path, count=3)
    with pytest.raises(AttachRefused):
        samples.all_of(Scripted("direct", [WHOLE, AttachRefused("its /tmp was cleaned")]))
    [kept] = heard
    assert verify_file(kept.artifact.path).ok


def test_names_of_threads_are_the_same_ones_in_all_samples(tmp_path: Path) -> None:
    heads = [b'"secret-1" #7 prio=5\n"other" #8 prio=5\n', b'"other" #8 prio=5\n"secret-1" #7 prio=5\n']
    dumps = [WHOLE.replace(b"\n\nJNI", b"\n" + head + b"\nJNI") for head in heads]
    taken = sampler(tmp_path, 2, redact=True)[0].all_of(Scripted("direct", dumps))
    texts = [gzip.decompress(Path(one.artifact.path).read_bytes()) for one in taken]
    assert b"secret" not in b"".join(texts)
    assert [text.count(b'"group-1-1" #7') for text in texts] == [1, 1]
    assert [text.count(b'"group-2-1" #8') for text in texts] == [1, 1]
    notes = read_manifest(manifest_path(taken[0].artifact.path)).notes
    assert any(note.startswith("redacted: names of threads") for note in notes)
