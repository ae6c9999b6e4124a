"""A load as text."""

from __future__ import annotations

from jvmdiag.collect.load import Ended, LoadMade
from jvmdiag.load.outcome import Request, served
from jvmdiag.report.load import load_text


def made(requests: list[Request], spawn_per_s: float | None = None) -> LoadMade:
    return LoadMade(
        url="http://web/x?…",
        scenario="mixed",
        users=20,
        spawn_per_s=spawn_per_s,
        pace_s=0.1,
        started_at="2026-03-01T12:00:00.000Z",
        lasted_s=10.0,
        ended=Ended.TIME,
        trouble="",
        endpoints=served(requests, 0.0, 10.0),
    )


def test_each_endpoint_is_a_line_and_each_kind_of_failure_another() -> None:
    requests = [Request(n / 10, 0.012, "GET /x?…", False) for n in range(100)]
    requests += [Request(n, 0.5, "POST /x?…", True, "503") for n in range(10)]
    head, columns, both, get, post, failed = load_text(made(requests)).splitlines()
    assert head == "20 callers (mixed) of http://web/x?…, for 10.0 s"
    assert columns.split() == [
        "ENDPOINT",
        "REQUESTS",
        "FAILED",
        "PER",
        "SECOND",
        "P50",
        "P95",
        "P99",
        "LONGEST",
    ]
    assert both.split()[:4] == ["all", "110", "10", "11.0"]
    assert " ".join(get.split()) == "GET /x?… 100 0 10.0 12 ms 12 ms 12 ms 12 ms"
    assert post.split()[2:5] == ["10", "10", "1.0"]
    assert failed == "  10 failed: status 503"


def test_callers_that_begin_one_after_another_are_said_to() -> None:
    text = load_text(made([Request(1.0, 0.1, "GET /", False)], spawn_per_s=2.5))
    assert "2.5 more a second" in text.splitlines()[0]
