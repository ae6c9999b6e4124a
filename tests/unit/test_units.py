"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from jvmdiag.units import duration, size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (7, "7 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345, "12 kB"),
        (640_000_000, "640 MB"),
        (1_234_000_000, "1.2 GB"),
        (9_949_999, "9.9 MB"),
        (32_000_000_000, "32 GB"),
        (1_500_000_000_000, "1,500 GB"),
    ],
)
def test_sizes_are_powers_of_a_thousand_with_two_or_three_digits(size_bytes: float, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(9_950_000, "10 MB"), (9_999_999, "10 MB"), (999_999, "1.0 MB"), (999_600_000, "1.0 GB")],
)
def test_rounding_goes_over_to_the_next_form(size_bytes: float, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9994, "999 ms"),
        (1, "1.0 s"),
        (4.21, "4.2 s"),
        (59.94, "59.9 s"),
        (80, "1m 20s"),
        (3600, "1h 0m"),
        (7_500, "2h 5m"),
        (86_399, "23h 59m"),
        (273_600, "3d 4h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.9996, "1.0 s"), (59.96, "1m 0s"), (119.7, "1m 59s")])
def test_a_duration_never_shows_a_thousand_milliseconds_or_sixty_seconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text
