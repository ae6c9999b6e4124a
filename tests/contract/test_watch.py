"""The watch over this very process: a baseline before, an end after, and nothing that raises."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact.watch import UNWATCHED, Watch, Watching
from tests.fakes import FakeHost

HERE = Reach(LocalHost(), "", None)
SHORT = Watching(sample=True, baseline_s=0.3)


def test_there_is_a_baseline_before_and_a_cost_after() -> None:
    with Watch(HERE, os.getpid(), SHORT, own_network=False) as over:
        over.begin()
        asked = time.monotonic()
        answered = asked + 0.1
        over.settle(asked, answered)
        over.close()
        cost = over.cost(asked, answered)
    assert cost is not None
    assert cost.samples[0].at_s <= -0.2
    assert cost.samples[-1].at_s >= 0.1
    assert cost.cpu_before is not None
    assert cost.sampling_cpu_s is not None
    assert cost.took_s == answered - asked


def test_what_is_not_watched_costs_no_time_and_has_no_cost() -> None:
    with Watch(HERE, os.getpid(), UNWATCHED, own_network=False) as over:
        over.begin()
        over.settle(0.0, time.monotonic())
        over.wait_for_log(0.0, time.monotonic())
        assert over.cost(0.0, time.monotonic()) is None
    assert threading.active_count() == 1 or not [t for t in threading.enumerate() if t.name == "sampler"]


def test_a_target_that_cannot_be_sampled_holds_nothing_up() -> None:
    host = FakeHost({(lambda argv: argv[0] == "sh"): ConnectionLost("gone")})
    with Watch(Reach(host, "", None), 17, SHORT, own_network=False) as over:
        over.begin()
        over.settle(0.0, time.monotonic())
        assert over.cost(0.0, time.monotonic()) is None


def test_a_log_in_use_is_waited_for_and_one_that_sleeps_is_not(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    old = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() - 3600))
    for written, waits in ((stamp, True), (old, False)):
        path.write_text(f'x - - [{written}] "GET / HTTP/1.1" 200 3\n', encoding="utf-8")
        with path.open("ab"), Watch(HERE, os.getpid(), SHORT, own_network=False) as over:
            over.begin()
            assert bool(over.expected_wait_s(time.monotonic())) is waits
