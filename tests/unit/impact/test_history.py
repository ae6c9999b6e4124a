"""What was measured is kept here, and a file that cannot be read or written costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jvmdiag.impact.history import History, Measured, default_path

ONE = Measured(1.0, "docker://web", "Main", "heap dump", False, 7, 0.5, 0.1, 0.9)


def test_what_is_added_is_found_by_target_and_main_class_the_latest_last(tmp_path: Path) -> None:
    history = History(tmp_path / "a" / "history.jsonl")
    for one in (ONE, replace(ONE, main="Other"), replace(ONE, at_s=2.0), replace(ONE, target="local://")):
        history.add(one)
    assert history.of("docker://web", "Main") == (ONE, replace(ONE, at_s=2.0))
    assert (tmp_path / "a" / "history.jsonl").stat().st_mode & 0o777 == 0o600


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(b'{"at_s": 1}\n[]\n\xff\xfe\nnull\n{"future": true')
    assert History(path).of("docker://web", "Main") == ()


def test_a_file_that_grew_long_is_cut_to_its_latest_lines(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(("x" * 999 + "\n") * 5000)
    History(path).add(ONE)
    assert len(path.read_bytes().splitlines()) == 1001
    assert History(path).of("docker://web", "Main") == (ONE,)


def test_a_home_that_takes_no_files_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    history = History(tmp_path / "file" / "history.jsonl")
    history.add(ONE)
    assert history.of("docker://web", "Main") == ()


def test_it_lies_where_the_user_keeps_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_path() == Path("/state/jvmdiag/history.jsonl")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_path() == Path("/home/me/.local/state/jvmdiag/history.jsonl")
