"""Requests before, while and after."""

from __future__ import annotations

import pytest

from jvmdiag.load.outcome import ALL, Failure, Request, by_endpoint, parse_requests, percentile, served, steps


def test_lines_are_read_and_a_cut_one_is_left_out() -> None:
    lines = ['[12.5, 0.25, "GET /", false]', '[11.0, 0.5, "POST /x", true]', "[13.0, 0.2"]
    assert parse_requests(lines) == (Request(11.0, 0.5, "POST /x", True), Request(12.5, 0.25, "GET /", False))


def test_a_request_that_waits_for_the_dump_is_of_the_dump_and_counts_when_it_ends() -> None:
    # Ten a second until 10 s, one that waits until 12 s, and ten a second again until 14 s.
    requests = [Request(n / 10, 0.01, "GET /", False) for n in range(100)]
    requests += [Request(12.0, 2.05, "GET /", False)]
    requests += [Request(12.1 + n / 10, 0.01, "POST /", n == 0) for n in range(19)]
    both, get, post = by_endpoint(requests, 0.0, 10.0, 12.0, 14.0)
    assert (both.name, get.name, post.name) == (ALL, "GET /", "POST /")
    assert both.before.per_s == pytest.approx(10)
    assert (both.during.requests, both.during.per_s, both.during.longest_s) == (1, 0, 2.05)
    assert (both.after.requests, both.after.failures) == (19, 1)
    assert both.after.per_s == pytest.approx(10)
    assert get.after.requests == 0 and get.after.p95_s is None
    assert post.before.requests == 0


def test_a_line_that_is_no_request_is_left_out() -> None:
    lines = ["[]", "7", "[1, 2, 3, 4, 5, 6, 7]", '[2.0, 0.5, "GET /", true, "503"]']
    assert parse_requests(lines) == (Request(2.0, 0.5, "GET /", True, "503"),)


def test_a_whole_load_has_a_line_for_each_endpoint_and_says_what_failed() -> None:
    requests = [Request(n / 10, 0.01, "GET /", False) for n in range(100)]
    requests += [
        Request(n, 0.2, "POST /", True, "503" if n % 3 else "ConnectionRefusedError") for n in range(9)
    ]
    # It waited for its answer when the load was over.
    requests += [Request(10.5, 2.0, "GET /", False)]
    both, get, post = served(requests, 0.0, 10.0)
    assert (both.name, get.name, post.name) == (ALL, "GET /", "POST /")
    assert (both.figures.requests, both.figures.failures, both.figures.longest_s) == (110, 9, 2.0)
    assert both.figures.per_s == pytest.approx(10.9)
    assert (get.figures.requests, get.failed) == (101, ())
    assert post.failed == (Failure("503", 6), Failure("ConnectionRefusedError", 3))
    assert [failure.text for failure in post.failed] == ["status 503", "ConnectionRefusedError"]


def test_a_percentile_is_one_of_those_that_were_measured() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.95) == 4.0
    assert percentile([1.0], 0.5) == 1.0
    assert percentile([], 0.5) is None


def test_steps_have_a_rate_and_the_longest_that_ended_in_them() -> None:
    requests = [Request(0.1, 0.01, "a", False), Request(0.2, 0.05, "a", False), Request(0.9, 0.8, "a", False)]
    assert steps(requests, 0.0, 1.0, 0.5) == ((0.0, 4.0, 0.05), (0.5, 2.0, 0.8))
