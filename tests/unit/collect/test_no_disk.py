"""Whether a JVM can be dumped without disk is asked first, and who vouches for what came depends on how it came."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach, Speaker
from jvmdiag.capture.heap import HeapDump, JvmSays
from jvmdiag.capture.piped import PipedDump
from jvmdiag.collect.heap import HeapDumpRequest
from jvmdiag.collect.no_disk import account_witness, require_pipe
from jvmdiag.errors import BadRequest, CommandRefused
from jvmdiag.model import Owner
from jvmdiag.transfer.aside import AsideFile
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.sink import PartialFile
from tests.fakes import FakeHost
from tests.hprof_bytes import heap_dump
from tests.unit.jvm.probe_case import the_jvm_of

TOMCAT = the_jvm_of("tomcat-inside")


class Says(Speaker):
    """Gives that answer, or raises it."""

    method = "pretended"
    detail = "by a test"
    reach = Reach(FakeHost(), "", None)

    def __init__(self, answer: bytes | Exception = b"") -> None:
        self._answer = answer

    def ask(self, line: str, timeout_s: float) -> bytes:
        assert line == "help GC.heap_dump"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(("version", "options"), [("17.0.9", b""), ("25.0.2", b"-parallel :")])
def test_a_jvm_that_overwrites_can(version: str, options: bytes) -> None:
    jvm = replace(TOMCAT, version=version)
    require_pipe(Says(b"Options:\n\t-all :\n\t-overwrite : [optional]\n" + options), jvm, 10)


@pytest.mark.parametrize(
    ("version", "options"), [("17.0.9", b"-parallel :"), ("25.0.2", b""), (None, b"-parallel :")]
)
def test_one_that_may_write_parts_which_nobody_expects_is_refused(
    version: str | None, options: bytes
) -> None:
    with pytest.raises(CommandRefused, match="in parts"):
        require_pipe(Says(b"-overwrite :" + options), replace(TOMCAT, version=version), 10)


@pytest.mark.parametrize("answer", [b"Options:\n\t-all :\n", CommandRefused("no tool there can ask for it")])
def test_one_that_does_not_or_cannot_be_asked_is_refused_beforehand(answer: bytes | Exception) -> None:
    with pytest.raises(CommandRefused, match="-overwrite"):
        require_pipe(Says(answer), TOMCAT, 10)


def test_what_is_not_written_cannot_be_kept() -> None:
    with pytest.raises(BadRequest):
        HeapDumpRequest(keep=True, no_disk=True)
    HeapDumpRequest(keep=False, no_disk=True)


def piped(partial: PartialFile | None) -> PipedDump:
    return PipedDump(
        Says(),
        Owner(0, 0),
        "/dev/shm/x",
        live=False,
        timeout_s=1,
        reopen=lambda: Says.reach,
        spool_bytes=1,
        aside=AsideFile(partial, Codec.NONE) if partial else None,
    )


def test_a_dump_that_came_as_one_is_vouched_for_by_the_jvms_count(tmp_path: Path) -> None:
    plain = HeapDump(Says(), "/x", live=False, timeout_s=1, reopen=lambda: Says.reach)
    for dump in (plain, piped(None)):
        assert account_witness(dump, JvmSays(5, 0.1), 5, tmp_path).agrees
        assert not account_witness(dump, JvmSays(5, 0.1), 6, tmp_path).agrees


def test_one_that_was_put_together_is_counted_object_by_object(tmp_path: Path) -> None:
    stored = tmp_path / "x.hprof"
    with PartialFile(tmp_path, "x.p0") as partial:
        dump = piped(partial)
        whole = heap_dump(8)
        stored.write_bytes(whole)
        witness = account_witness(dump, JvmSays(1, 0.1), len(whole), stored)
        assert (witness.name, witness.agrees) == ("objects", True), witness
        stored.write_bytes(whole[:-9])
        assert not account_witness(dump, JvmSays(1, 0.1), len(whole), stored).agrees
