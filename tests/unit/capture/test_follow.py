"""The follower on the far side, as a script of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jvmdiag.capture import heap

SCRIPT = Path(heap.__file__).with_name("follow.sh").read_text(encoding="utf-8")


# A child that is left would hold its output open for ever.
pytestmark = pytest.mark.timeout(30)


def follow(path: Path, skip: int = 0, stdin: bytes = b"\n") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", SCRIPT, "sh", str(path), str(skip)], input=stdin, capture_output=True, timeout=10
    )


@pytest.mark.parametrize("skip", [0, 1, 5_000, 9_999, 10_000])
def test_what_is_left_is_copied_when_the_writer_is_done(tmp_path: Path, skip: int) -> None:
    file = tmp_path / "a b$x"
    file.write_bytes(bytes(range(250)) * 40)
    done = follow(file, skip)
    assert (done.returncode, done.stdout, done.stderr) == (0, file.read_bytes()[skip:], b"")


@pytest.mark.parametrize("skip", [0, 7])
@pytest.mark.parametrize("there", [True, False])
def test_where_nobody_listens_any_more_it_ends_by_itself_and_says_so(
    tmp_path: Path, there: bool, skip: int
) -> None:
    file = tmp_path / "x"
    if there:
        file.write_bytes(b"so far")
    assert follow(file, skip, stdin=b"").returncode == 143


def test_a_file_that_never_came_is_66(tmp_path: Path) -> None:
    assert follow(tmp_path / "none").returncode == 66


def test_what_cannot_be_read_is_68_and_not_an_empty_file(tmp_path: Path) -> None:
    done = follow(tmp_path)
    assert (done.returncode, done.stdout) == (68, b"")


@pytest.mark.parametrize("skip", [0, 7])
def test_a_link_in_its_place_leads_to_no_other_file(tmp_path: Path, skip: int) -> None:
    """Behind /proc/PID/root it would lead out of there."""
    (secret := tmp_path / "shadow").write_text("for root alone")
    (tmp_path / "x").symlink_to(secret)
    done = follow(tmp_path / "x", skip)
    assert (done.returncode, done.stdout) == (67, b"")


def test_a_follower_that_fails_leaves_no_process_that_holds_its_output_open(tmp_path: Path) -> None:
    # Its stdin stays open: who would wait for a line there, waits for ever.
    argv = ["sh", "-c", SCRIPT, "sh", str(tmp_path), "0"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.wait(5) == 68
