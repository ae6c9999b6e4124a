"""What a load is made of, and what is said where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.errors import BadRequest, LoadFailed
from jvmdiag.load.outcome import Request
from jvmdiag.load.running import Follower, LoadSpec, running_load


@pytest.mark.parametrize(
    ("url", "host", "path", "here"),
    [
        ("http://web:8080/orders?x=1", "http://web:8080", "/orders?x=1", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/", True),
        ("https://[::1]/a", "https://[::1]", "/a", True),
    ],
)
def test_a_url_is_a_host_and_a_path(url: str, host: str, path: str, here: bool) -> None:
    spec = LoadSpec(url)
    assert (spec.host, spec.path, spec.is_loopback) == (host, path, here)


@pytest.mark.parametrize(
    "url", ["web:8080", "ftp://web/", "http://", "", "http://[::1", "http://h:x/", "http://joe:s3cret@h/"]
)
def test_what_is_no_url_is_refused_before_anything_starts(url: str) -> None:
    with pytest.raises(BadRequest, match="--url") as caught, running_load(LoadSpec(url)):
        pass
    assert "s3cret" not in f"{caught.value}{caught.value.advice}"


def test_a_query_is_not_shown() -> None:
    assert LoadSpec("http://h/a?token=s3cret").shown == "http://h/a?…"


@pytest.mark.parametrize("pace_s", [0.0, -1.0, float("nan"), 1e9])
def test_a_pace_that_is_none_is_refused(pace_s: float) -> None:
    with pytest.raises(BadRequest, match="--pace"):
        LoadSpec("http://h/", pace_s=pace_s).check()


@pytest.mark.parametrize("spawn_per_s", [0.0, -1.0, float("nan"), 1e9])
def test_a_spawn_rate_that_is_none_is_refused(spawn_per_s: float) -> None:
    with pytest.raises(BadRequest, match="--spawn-rate"):
        LoadSpec("http://h/", spawn_per_s=spawn_per_s).check()


def test_an_argument_that_is_no_url_is_not_called_an_option() -> None:
    with pytest.raises(BadRequest, match=r"^URL 'web'"):
        LoadSpec("web").check("URL")


def test_each_request_comes_once_and_half_a_line_the_next_time(tmp_path: Path) -> None:
    log = tmp_path / "requests"
    log.write_text('[1.0, 0.5, "GET /", false]\n[2.0, 0.5, "G')
    follower = Follower(log)
    assert follower.more() == (Request(1.0, 0.5, "GET /", False),)
    assert follower.more() == ()
    with log.open("a") as file:
        file.write('ET /", true, "503"]\n')
    assert follower.more() == (Request(2.0, 0.5, "GET /", True, "503"),)
    assert follower.more() == ()


def test_a_locustfile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    spec = LoadSpec("http://127.0.0.1:1/", locustfile=tmp_path / "none.py")
    with pytest.raises(BadRequest, match="no locustfile"), running_load(spec):
        pass


def test_locusts_own_words_are_passed_on_where_it_ends(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise ValueError('a mistake in it')\n", encoding="utf-8")
    with (
        pytest.raises(LoadFailed) as caught,
        running_load(LoadSpec("http://127.0.0.1:1/", locustfile=broken)),
    ):
        pass
    assert "a mistake in it" in caught.value.why
