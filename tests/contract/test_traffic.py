"""The sampler, on this very process: what it sees, how it ends, and what it costs nobody when it breaks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import ConnectionLost
from jvmdiag.hosts.local import LocalHost
from jvmdiag.impact.traffic import Sampler
from tests.fakes import Answer, FakeHost, Streamed, done

SCRIPT = Path(__file__).parents[2] / "jvmdiag/impact/sample.sh"


def until(is_so: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline = time.monotonic() + within_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()


def test_it_samples_and_follows_the_open_access_log_and_says_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "localhost_access_log.2026-03-01.txt"
    with path.open("ab", buffering=0) as log:
        log.write(b'x - - [01/Mar/2026:11:59:59 +0000] "GET /old HTTP/1.1" 200 3\n')
        began = time.monotonic()
        with Sampler(Reach(LocalHost(), "", None), os.getpid()) as sampler:
            assert until(lambda: bool(sampler.timed))
            log.write(b'x - - [01/Mar/2026:12:00:00 +0000] "GET /new HTTP/1.1" 503 3\n')
            assert until(lambda: sum(sampler.log.requests.values()) == 2)
            now = time.monotonic()
            took = now - began + 0.1
            assert sampler.timed[-1].at_s == pytest.approx(now, abs=took)
            assert sampler.unix_s(now) == pytest.approx(time.time(), abs=took)
    assert sampler.log_path == str(path)
    assert sum(sampler.log.errors.values()) == 1
    assert sampler.shares_network is True
    assert sampler.own_cpu_s is not None
    assert sampler.timed[-1].sample.cpu_s > 0


@pytest.mark.parametrize("last", [b"", b"end\n"])
def test_the_script_ends_with_its_stdin_or_when_it_is_told(last: bytes) -> None:
    argv = ["sh", str(SCRIPT), "T", str(os.getpid())]
    ended = subprocess.run(argv, input=b"sample\n" + last, capture_output=True, timeout=60)
    assert ended.returncode == 0
    assert ended.stdout.count(b"\n@@T end\n") == (3 if last else 2)


def test_a_process_that_is_not_there_gives_no_sample() -> None:
    with Sampler(Reach(LocalHost(), "", None), 1 << 30) as sampler:
        assert until(lambda: sampler._over.is_set())
    assert sampler.timed == ()


@pytest.mark.parametrize(
    "answer",
    [ConnectionLost("gone"), done(exit_code=127), Streamed((b"\n@@",), cut=True), RuntimeError("no thread")],
)
def test_a_sampler_that_breaks_raises_nothing(answer: Answer) -> None:
    host = FakeHost({(lambda argv: argv[0] == "sh"): answer})
    with Sampler(Reach(host, "", None), 17) as sampler:
        pass
    assert sampler.timed == ()
    assert sampler.own_cpu_s is None


def test_a_pipe_that_is_called_a_log_keeps_what_its_reader_is_to_get(tmp_path: Path) -> None:
    pipe = tmp_path / "access.log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pipe.open("wb", buffering=0) as log:
        log.write(b"a line\n")
        with Sampler(Reach(LocalHost(), "", None), os.getpid()) as sampler:
            assert until(lambda: len(sampler.timed) > 2)
        assert sampler.log_path is None
        assert os.read(reader, 100) == b"a line\n"
    os.close(reader)


def test_a_mark_is_a_look_at_once() -> None:
    with Sampler(Reach(LocalHost(), "", None), os.getpid()) as sampler:
        assert until(lambda: bool(sampler.timed))
        before = len(sampler.timed)
        sampler.mark()
        assert until(lambda: any(one.marked for one in sampler.timed))
        [at] = [n for n, one in enumerate(sampler.timed) if one.marked]
        # One that was under way may come before it.
        assert at - before <= 1
