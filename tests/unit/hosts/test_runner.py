"""A run is its process on its machine: alive, gone, or not to be seen from here."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from jvmdiag.hosts.runner import Life, Runner, life_of, parse_runner, this_run


def test_this_run_is_alive_and_its_text_says_who_it_is() -> None:
    assert life_of(this_run()) is Life.ALIVE
    assert parse_runner(str(this_run())) == this_run()


@pytest.mark.parametrize("text", ["", "a/b/c/d/e", "a/b/c/1", "a/b/c/1/2/3"])
def test_a_text_that_names_no_run_names_none(text: str) -> None:
    assert parse_runner(text) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="without /proc the pid alone must do")
def test_a_pid_that_is_another_process_now_is_a_run_that_is_gone() -> None:
    assert life_of(replace(this_run(), start_ticks=this_run().start_ticks - 1)) is Life.GONE


def test_a_process_that_ended_is_gone() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    assert life_of(replace(this_run(), pid=ended.pid)) is Life.GONE


def test_a_run_before_the_machine_was_booted_is_gone() -> None:
    assert life_of(replace(this_run(), boot="another")) is Life.GONE


@pytest.mark.parametrize("strange", [{"machine": "another"}, {"pid_ns": "another"}])
def test_a_run_of_another_machine_or_namespace_is_not_seen(strange: dict[str, str]) -> None:
    assert life_of(replace(this_run(), **strange)) is Life.UNSEEN  # type: ignore[arg-type]


def test_without_proc_the_pid_alone_must_do() -> None:
    mac = Runner("mac", "", "", this_run().pid, 0)
    assert life_of(mac, mac) is Life.ALIVE
    with subprocess.Popen(["true"]) as ended:
        pass
    assert life_of(replace(mac, pid=ended.pid), mac) is Life.GONE
