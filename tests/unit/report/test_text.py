"""Results as text: what stands in them, and in which line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.capture.histogram import ClassCount, Histogram
from jvmdiag.collect.dry_run import DryRun, Planned
from jvmdiag.collect.fetch import Fetched
from jvmdiag.collect.heap_request import HeapDumpTaken
from jvmdiag.collect.listing import Listed, Listing
from jvmdiag.collect.redact import Redacted
from jvmdiag.collect.threads import ThreadDump
from jvmdiag.model import Artifact, Forecast, LeftBehind, Vm, Witness
from jvmdiag.report.text import (
    dry_run_text,
    fetched_text,
    heap_dump_text,
    histogram_text,
    jvms_table,
    redacted_text,
    table,
    thread_dump_text,
    verdict_text,
    why_not,
)
from jvmdiag.transfer.codec import Codec
from jvmdiag.transfer.verify import Verdict
from tests.unit.jvm.probe_case import the_jvm_of

TOMCAT = the_jvm_of("tomcat-inside")
WITNESSES = (Witness("byte count", True, "7 there, 7 here"), Witness("structure", True, "whole"))
KEPT = Artifact("web.hprof.gz", "heap dump", "gzip", 900_000_000, 300_000_000, "a" * 64, "b" * 64, WITNESSES)
LEFT = LeftBehind("heap dump", "/tmp/x", "rm -f /tmp/x  (there)")


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_flush_right() -> None:
    rows = [("NAME", "N", "X"), ("a", "10", "x"), ("longer name", "7", "")]
    assert table(rows, right=frozenset({1})).splitlines() == [
        "NAME          N  X",
        "a            10  x",
        "longer name   7",
    ]


READY = (("direct", ""), ("tools", "no jcmd"), ("jdk-image", "no image"), ("quit", ""))


def test_a_jvm_is_one_line_with_the_methods_that_would_work() -> None:
    listing = Listing((Listed("docker://web", TOMCAT, READY, 1),))
    head, line = jvms_table(listing).splitlines()
    assert head.split() == ["TARGET", "PID", "USER", "VM", "UP", "HEAP", "THREADS", "METHODS", "MAIN"]
    assert " ".join(line.split()) == (
        "web 1 tomcat HotSpot 17.0.21.1 7m 10s 188 MB / 6.3 GB 37 direct,quit "
        "org.apache.catalina.startup.Bootstrap"
    )


def test_what_is_not_known_of_a_jvm_is_said_to_be_so() -> None:
    jvm = replace(TOMCAT, heap=None, version=None, vm=Vm.UNKNOWN, main="")
    line = jvms_table(Listing((Listed("local://", jvm, (("direct", "no"),), 4711),))).splitlines()[1]
    assert " JVM " in line
    assert " ? " in line
    assert " none " in line
    assert line.endswith("/bin/java")


def test_places_that_could_not_be_looked_at_are_named_below() -> None:
    text = jvms_table(Listing((), (("docker://api", "no shell"),)))
    assert text.splitlines() == ["no JVM found", "not looked at: docker://api: no shell"]


def test_each_method_that_would_not_work_says_why() -> None:
    text = why_not(Listing((Listed("docker://web", TOMCAT, READY, 1),)))
    assert text.splitlines() == [
        "docker://web pid 1: tools: no jcmd",
        "docker://web pid 1: jdk-image: no image",
    ]


@pytest.mark.parametrize("deadlock", [True, False])
def test_a_deadlock_stands_out_in_the_line_of_its_dump(deadlock: bool) -> None:
    line = thread_dump_text(ThreadDump(KEPT, 42, deadlock, "direct", "by perl", 0.0124))
    assert line.startswith("42 threads, 12 ms, direct (by perl)")
    assert ("DEADLOCK" in line) is deadlock


FORECAST = Forecast(1.5, 3.0, "by a test")


ASKED = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def test_a_dump_that_was_taken_shows_its_price_and_its_witnesses() -> None:
    taken = HeapDumpTaken(
        KEPT, JvmSays(900_000_000, 2.5), "direct", "by perl", 6.02, ASKED, 2.6, 4.0, 0, (), FORECAST
    )
    first, *witnesses = heap_dump_text(taken).splitlines()
    for part in ("900 MB", "2.5 s", "6.0 s", "300 MB (gzip, 3.0 x)"):
        assert part in first
    expected = ["  byte count: 7 there, 7 here", "  structure: whole", "  disk +900 MB for 4.0 s, now clean"]
    assert witnesses == expected


def test_a_dump_that_was_cut_or_left_something_behind_says_so() -> None:
    taken = HeapDumpTaken(
        KEPT, JvmSays(9, 2.5), "direct", "by perl", 6.0, ASKED, 2.6, 4.0, 2, (LEFT,), FORECAST
    )
    text = heap_dump_text(taken)
    assert "continued 2 times" in text
    assert "left behind: /tmp/x; remove it with: rm -f /tmp/x  (there)" in text


def test_what_was_redacted_is_said() -> None:
    taken = HeapDumpTaken(KEPT, JvmSays(9, 2.5), "direct", "by perl", 6.0, ASKED, 2.6, 4.0, 2, (), FORECAST)
    assert "redacted" not in heap_dump_text(taken)
    assert (
        "  redacted: byte[] zeroed" in heap_dump_text(replace(taken, redacted="byte[] zeroed")).splitlines()
    )


def test_an_empty_dump_has_no_ratio_to_divide_by() -> None:
    empty = replace(KEPT, raw_bytes=0, stored_bytes=0)
    assert "1.0 x" in heap_dump_text(
        HeapDumpTaken(empty, JvmSays(0, 0.1), "d", "", 1.0, ASKED, 0.1, 0.5, 0, (), FORECAST)
    )


CLASSES = tuple(ClassCount(f"c.C{n}", 100 - n, 1_000_000 - n, None) for n in range(5))
HISTOGRAM = Histogram(CLASSES, 490, 4_999_990)


def test_a_histogram_shows_the_largest_and_how_many_more_there_are() -> None:
    lines = histogram_text(HISTOGRAM, 2).splitlines()
    assert [line.split()[-1] for line in lines[:3]] == ["CLASS", "c.C0", "c.C1"]
    assert lines[1].split() == ["100", "1,000,000", "c.C0"]
    assert lines[3:] == ["(+3 classes: --top 0 shows all)", "490 instances, 5.0 MB"]


@pytest.mark.parametrize("top", [0, 5, 99])
def test_a_histogram_that_is_shown_whole_promises_no_more(top: int) -> None:
    lines = histogram_text(HISTOGRAM, top).splitlines()
    assert len(lines) == 7
    assert "--top" not in lines[-2]


def test_a_dry_run_shows_every_command_with_its_risk_and_why_not_the_others() -> None:
    dry = DryRun("direct", (Planned("a command", "a risk"), Planned("rm x", "none")), (("tools", "no jcmd"),))
    assert dry_run_text(dry).splitlines() == [
        "by direct; would run:",
        "  a command",
        "      risk: a risk",
        "  rm x",
        "      risk: none",
        "not by tools: no jcmd",
    ]


@pytest.mark.parametrize(("ok", "state"), [(True, ": whole"), (False, ": NOT WHOLE")])
def test_a_verdict_says_whole_or_not_and_by_whom(ok: bool, state: str) -> None:
    witnesses = (Witness("codec", True, "gzip to its end"), Witness("structure", ok, "72 records"))
    verdict = Verdict("x.hprof.gz", ok, "heap dump", Codec.GZIP, 1000, 300, witnesses)
    first, *rest = verdict_text(verdict).splitlines()
    assert state in first
    assert rest == ["  ok  codec: gzip to its end", f"  {'ok ' if ok else 'BAD'} structure: 72 records"]


def test_a_fetched_file_shows_what_was_noticed() -> None:
    text = fetched_text(Fetched(KEPT, "stream", ("the heap dump is not whole on the target",), (LEFT,)))
    assert text.splitlines()[1:] == [
        "warning: the heap dump is not whole on the target",
        "left behind: /tmp/x; remove it with: rm -f /tmp/x  (there)",
    ]


def test_of_a_redacted_dump_is_said_what_went_and_what_did_not() -> None:
    redacted = Redacted(KEPT, "web.hprof", "c" * 64, "all", True, False, "all arrays zeroed", 2.5)
    zeroed, kept = redacted_text(redacted).splitlines()
    assert "all arrays zeroed; 900 MB, stored as 300 MB (gzip) in 2.5 s" in zeroed
    assert "string constants" in kept
    assert "string constants" not in redacted_text(replace(redacted, names=True))
    threads = replace(redacted, artifact=replace(KEPT, kind="thread dump"))
    assert "not hidden: names of classes" in redacted_text(threads)
