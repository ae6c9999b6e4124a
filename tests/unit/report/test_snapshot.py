"""The pages of a snapshot: what they show, and that text of others is never markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from jvmdiag.capture.histogram import ClassCount
from jvmdiag.collect.snapshot_request import SnapshotTaken
from jvmdiag.jvm.stacks import Stack
from jvmdiag.metrics.figure import Group, Level, Metrics, Verdict, figure
from jvmdiag.model import Pause
from jvmdiag.report.snapshot_html import page
from jvmdiag.report.snapshot_md import code, plain, summary
from jvmdiag.report.snapshot_rows import missing, taken_line
from jvmdiag.snapshot.busy import CpuTimes
from jvmdiag.snapshot.digest import Digest, same_top
from jvmdiag.transfer.bundle import FAILED, PARTIAL, SKIPPED, TAKEN, Bundle, BundledItem
from tests.unit.transfer.test_bundle import a_bundle

EVIL = '<script>alert("1")</script>|`*_[x](javascript:y)\n# "\'&'


def a_digest(name: str = "http-nio-8080-exec-1") -> Digest:
    dump = (
        Stack(name, 7, "RUNNABLE", (f"java.lang.{name}()", f"own.{name}()")),
        Stack(f"{name}1", 8, "WAITING"),
        Stack(f"{name}2", 9, "WAITING"),
    )
    groups = (
        Group("cpu", (figure("load.1m", 0.4),), (), Verdict(Level.TROUBLE, f"load {name}", f"do {name}")),
    )
    metrics = Metrics(name, "2026-03-01T12:00:00.000Z", 1.0, groups)
    digest = Digest(metrics, metrics, classes=(ClassCount(name, 3, 4_000_000, None),))
    digest.dumps += [dump, dump]
    digest.times += [CpuTimes(10.0, {7: 1.0}), CpuTimes(20.0, {7: 10.0})]
    return digest


def a_whole(name: str = "x") -> Bundle:
    items = (
        BundledItem(
            name="thread dump 1", risk="light", status=TAKEN, file=f"logs/{name}.txt", size_bytes=5, sha256="ab" * 32,
            began_s=1.0, took_s=0.5, note=name, pause=Pause(0.0123, 0.0, 2, True),
        ),
        BundledItem(name=f"histogram {name}", risk="default", status=FAILED, why=f"refused {name}"),
        BundledItem(name="locks", risk="full", status=SKIPPED, why="only with --full"),
        BundledItem(name="metaspace", risk="full", status=SKIPPED, why="only with --full"),
        BundledItem(name="page", status=TAKEN, file="index.html"),
    )  # fmt: skip
    return replace(
        a_bundle(*items), method="direct", method_detail=name, started_at="2026-03-01T12:00:00.250Z"
    )


class Reader(HTMLParser):
    """Tags that were opened, their attributes, text, and whether each was closed in order."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def test_the_page_shows_what_somebody_wants_to_see_first() -> None:
    digest = a_digest()
    digest.deadlock = True
    read = Reader(page(a_whole(), digest))
    assert read.open == []
    words = "docker://web|DEADLOCK|90 %|http-nio-8080-exec-1|own.http|in every dump|trouble|load http|12 ms|refused x"
    for word in (*words.split("|"), "http-nio-8080-exec-*", "4.0 MB"):
        assert word in read.text, word
    assert ("href", "logs/x.txt") in read.attributes


def test_the_page_runs_nothing_and_asks_nobody() -> None:
    text = page(a_whole(EVIL), a_digest(EVIL))
    read = Reader(text)
    assert read.open == []
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & {*read.tags}
    assert not [key for key, _ in read.attributes if key.startswith("on") or key == "src"]
    assert all(re.match(r"[\w%./-]+\Z", value) for key, value in read.attributes if key == "href")
    assert "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text
    assert "<script>" in read.text


def test_a_summary_holds_no_markup_but_its_own() -> None:
    text = summary(a_whole(EVIL), a_digest(EVIL))
    outside = re.sub(r"`[^`]*`", "", re.sub(r"\\.", "", text))
    assert "<" not in outside and "](" not in outside and "`" not in outside
    # A cell more would be one that came out of a text.
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert len([line for line in text.splitlines() if line.startswith("#")]) == text.count("\n## ") + 1


def test_a_summary_says_what_when_which_and_what_is_missing() -> None:
    text = summary(a_whole(), a_digest())
    for words in (
        "# Snapshot of docker://web, 2026-03-01T12:00:00.250Z",
        "no deadlock, 3 threads",
        "| cpu | trouble |",
        "| 90 % | `http-nio-8080-exec-1` |",
        "| locks, metaspace | skipped | only with --full |",
        "12 ms",
    ):
        assert words in text, words


def test_of_nothing_there_is_still_a_page_and_a_summary() -> None:
    empty = a_bundle(BundledItem(name="thread dump 1", risk="light", status=FAILED, why="no way"))
    assert "no way" in summary(empty, Digest())
    read = Reader(page(replace(empty, interrupted=True), Digest()))
    assert read.open == [] and "no way" in read.text and "interrupted" in read.text


def test_its_own_pages_do_not_count() -> None:
    assert taken_line(a_whole()).startswith("1 items in 1.0 s, by direct (x); 1 failed, 2 skipped")


def test_what_failed_comes_before_what_was_skipped() -> None:
    assert [status for _, status, _ in missing(a_whole())] == [FAILED, SKIPPED]


def test_what_is_not_whole_is_linked_and_said_with_what_it_lacks() -> None:
    log = BundledItem(
        name="tomcat log a", risk="light", status=PARTIAL, why="its end", file="logs/a", size_bytes=5
    )
    bundle = a_bundle(log, BundledItem(name="limits", risk="light", status=FAILED, why="no"))
    read = Reader(page(bundle, Digest()))
    assert ("href", "logs/a") in read.attributes and "its end" in read.text
    # Not the grey of what nobody wanted.
    assert re.search(r"\.partial \{ background: var\(--amber\)", page(bundle, Digest()))
    assert "| tomcat log a | partial | its end |" in summary(bundle, Digest())
    assert "0 items in 1.0 s" in taken_line(bundle) and "1 failed, 1 partial" in taken_line(bundle)
    fault = SnapshotTaken(Path("snap"), None, bundle, Digest()).fault
    assert fault is not None and fault.why == "failed: limits; partial: tomcat log a"


def test_a_thread_that_stands_is_told_from_one_that_moves() -> None:
    there, gone = Stack("a", 1, "RUNNABLE", ("a.b()",)), Stack("a", 1, "RUNNABLE", ("a.c()",))
    assert same_top([[there], [there]], 1)
    assert not same_top([[there], [gone]], 1)
    assert not same_top([[there]], 1)


def test_text_stays_on_its_line() -> None:
    assert plain("a\n| b *c*") == "a \\| b \\*c\\*"
    assert code("a`|\nb") == "`a'\\| b`"


def test_a_dump_beside_the_archive_is_named_and_no_link() -> None:
    heap = BundledItem(name="heap dump", status=TAKEN, beside="it.hprof.gz.age", size_bytes=5, sha256="ab")
    found = Reader(page(a_bundle(heap), Digest()))
    assert "it.hprof.gz.age, beside the archive" in found.text
    assert ("href", "") not in found.attributes


def test_threads_that_nobody_looked_at_are_not_said_to_be_idle() -> None:
    text = Reader(page(a_whole(), Digest())).text
    assert "could not be looked at: it takes thread dumps" in text
    assert "No thread was seen to be busy" not in text and "over 0 ms" not in text
