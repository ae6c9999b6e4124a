"""The journal of a dump while it is written."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.capture.heap_command import JvmSays
from jvmdiag.collect.ledger import Ledger
from jvmdiag.transfer.unfinished import read_unfinished
from tests.unit.transfer.test_unfinished import UNFINISHED


def test_it_says_what_is_known_at_each_moment(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "web.hprof.gz", UNFINISHED)
    ledger.begin()
    [file] = tmp_path.iterdir()
    assert read_unfinished(file) == UNFINISHED
    ledger.told(JvmSays(7, 0.5))
    ledger.reclaims(3)
    said = read_unfinished(file)
    assert (said.manifest.jvm_reported_bytes, said.reclaimed_bytes) == (7, 3)
    assert said.manifest.durations_s == {"dump": 0.5}


def test_what_the_jvm_did_not_say_is_not_written_as_its_word(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "web.hprof.gz", UNFINISHED)
    ledger.begin()
    ledger.told(JvmSays(7, 0.0, told=False))
    [file] = tmp_path.iterdir()
    assert read_unfinished(file).manifest.jvm_reported_bytes is None


def test_an_answer_that_comes_behind_the_end_brings_nothing_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "web.hprof.gz", UNFINISHED)
    ledger.begin()
    ledger.end()
    ledger.told(JvmSays(7, 0.5))
    ledger.end()
    assert list(tmp_path.iterdir()) == []
