"""Thread dumps without the names of threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from jvmdiag.jvm.thread_names import ThreadNames, mask_thread_dump
from jvmdiag.transfer.threads import ThreadDumpWalk

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "threads").glob("*.txt"))
SECRETS = ("waiting-", "parked-", "sleeping-", "holding-", "blocked-", "deadlock-", "ready on port")
END = "\nJNI global refs: 15, weak refs: 0\n"


def masked(text: str) -> str:
    return mask_thread_dump(text, ThreadNames())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_names_go_from_real_dumps_and_everything_else_stays(path: Path) -> None:
    plain = path.read_text()
    out = masked(plain)
    for secret in SECRETS:
        assert secret not in out
    assert len(out.splitlines()) == len(plain.splitlines())
    changed = [line for line, was in zip(out.splitlines(), plain.splitlines(), strict=True) if line != was]
    assert all(line == "***" or '"group-' in line for line in changed)
    assert changed.count("***") == plain.count("ready on port")
    assert out.count("which is held by") == plain.count("which is held by")
    walk = ThreadDumpWalk()
    walk.feed(out.encode())
    assert walk.finish().complete


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        'a "secret" name',
        "secret\nsecret",
        'secret" #1 secret',
        "secret\n\n\tat secret.Name",
        "user@secret (10.0.0.1)",
        '"',
        "",
    ],
)
def test_a_name_may_hold_anything(name: str) -> None:
    head = f'"{name}" #12 [42] daemon prio=5 os_prio=0 cpu=1.0ms tid=0x00 nid=42 runnable  [0x00]\n'
    state = "   java.lang.Thread.State: RUNNABLE\n\tat com.acme.Main.run(Main.java:1)\n"
    deadlock = f'Found one Java-level deadlock:\n=====\n"{name}":\n  which is held by "{name}"\n\nFound 1 deadlock.\n'
    out = masked(f"Full thread dump OpenJDK 64-Bit Server VM (17):\n\n{head}{state}{END}{deadlock}")
    assert "secret" not in out
    assert f'"group-1-1" #12 [42] daemon prio=5{head.partition("prio=5")[2]}{state}' in out
    assert '\n"group-1-1":\n  which is held by "group-1-1"\n' in out


def test_a_group_is_what_differs_in_its_number_alone() -> None:
    names = ThreadNames()
    given = [names.of(name) for name in ("http-8080-exec-7", "http-8080-exec-12", "cron", "http-8080-exec-7")]
    assert given == ["group-1-1", "group-1-2", "group-2-1", "group-1-1"]


@pytest.mark.parametrize("name", ["main", "Finalizer", "C2 CompilerThread0", "pool-3-thread-12", "Thread-7"])
def test_names_that_the_jdk_gives_stay(name: str) -> None:
    assert ThreadNames().of(name) == name
    assert ThreadNames().of(f"{name} of customer 7") != name


def test_names_that_are_to_be_kept_stay() -> None:
    names = ThreadNames(lambda name: name.startswith("http-"))
    assert names.of("http-1") == "http-1"
    assert names.of("customer-1") == "group-1-1"


def test_a_line_that_is_of_no_thread_dump_is_hidden() -> None:
    text = 'INFO login of secret\nFull thread dump X:\n"secret\nno end\n' + END
    assert "secret" not in masked(text)
    assert masked(text).startswith("***\nFull thread dump X:\n***\n***\n")
