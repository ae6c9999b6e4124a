"""What a command was asked for, and what its files are called."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from jvmdiag.collect.job import Journal, file_name, now
from jvmdiag.model import CommandRecord
from jvmdiag.target import DockerTarget, SshDockerTarget, SshTarget

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_999, tzinfo=timezone.utc)


def test_a_name_says_where_from_what_and_when_to_the_millisecond() -> None:
    assert (
        file_name(DockerTarget("web"), "heap", NOON, ".hprof.gz") == "web-heap-20260301T120000.250Z.hprof.gz"
    )


def test_a_name_has_no_character_to_quote_whatever_the_target_is() -> None:
    target = SshDockerTarget(SshTarget("fe80::1%eth0", "ops", 22), "web")
    assert re.fullmatch(r"[\w.-]+", file_name(target, "threads", NOON, "-1.txt"))


def test_names_sort_by_time() -> None:
    moments = [NOON + timedelta(milliseconds=step) for step in (0, 1, 749, 750, 60_000, 86_400_000)]
    names = [file_name(DockerTarget("web"), "heap", moment, ".hprof") for moment in moments]
    assert names == sorted(set(names))


def test_now_is_utc() -> None:
    assert now().utcoffset() == timedelta(0)


def test_a_journal_keeps_every_command_in_order_and_shows_each() -> None:
    seen: list[CommandRecord] = []
    journal = Journal(seen.append)
    records = [CommandRecord("local://", ("true",), None, code, 0.1) for code in (0, 1)]
    for record in records:
        journal(record)
    assert journal.commands == seen == records
