"""Control groups above a container's own, and those of version 2 on a machine that has version 1 for its containers."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.real.course import Course
from tests.real.fixtures import RunContainer
from tests.real.images import load
from tests.real.jvmdiag import argv, environment
from tests.real.shown import ATTEMPTS, Shown, checked, counter, metrics, pid_of

# jvmdiag where /sys/fs/cgroup is of version 2 alone, in a mount namespace that ends with it.
ALONE = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'


@contextmanager
def group_of_version_2(folder: Path) -> Iterator[Path]:
    """A new group below a new one, mounted in `folder`; who is in it goes back to the root at the end."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", str(folder)], check=True)
    outer = folder / f"jvmdiag-test-{secrets.token_hex(4)}"
    inner = outer / "inner"
    try:
        inner.mkdir(parents=True)
        yield inner
    finally:
        (outer / "cgroup.freeze").write_text("0")
        for pid in (inner / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (folder / "cgroup.procs").write_text(pid)
        for one in (inner, outer):
            one.rmdir()
        subprocess.run(["umount", str(folder)], check=True)


GROUP_CPUS = 0.3


def test_a_quota_of_the_group_above_is_the_jvms(run_container: RunContainer, tmp_path: Path) -> None:
    """As that of a pod, or of a slice: the container itself has none."""
    above = f"jvmdiagtest{secrets.token_hex(4)}.slice"
    container = run_container("jvm17", command=load("--busy"), cgroup_parent=above)
    try:
        group = _cpu_group_of(pid_of(container)).parent
        assert group.name == above
        _limit(group, GROUP_CPUS)
        for _ in range(ATTEMPTS):
            with Course(lambda: {"held up": _held_up_s(group)}) as course:
                shown = metrics(str(container.name), "--view", "host", "--interval", "3", home=tmp_path)
            held_up = course.rate("held up", shown.seconds)
            # Where others of the machine leave it less than its quota, that holds up nobody.
            if held_up.low > 0:
                break
    finally:
        container.remove(force=True)
        # systemd removes its slices itself, and whoever has none keeps what Docker made.
        root = Path("/sys/fs/cgroup")
        for left in (*root.glob(f"*/{above}"), root / above):
            with suppress(OSError):
                left.rmdir()
    checked("cpu.quota", shown.one("cpu.quota"), GROUP_CPUS, by="what the group above was given")
    checked("cpu.throttled", shown.one("cpu.throttled"), held_up, by="cpu.stat of the group above", rel=0.2)


def _cpu_group_of(pid: int) -> Path:
    """Its group of the CPU controller, as this machine has it mounted."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        group = Path(f"/sys/fs/cgroup/{controllers}{path}")
        if "cpu" in controllers.split(",") or ((group / "cpu.max").exists() and not controllers):
            return group
    raise AssertionError("no group of the CPU controller")


def _limit(group: Path, cpus: float) -> None:
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{int(cpus * 100_000)} 100000")
    else:
        (group / "cpu.cfs_quota_us").write_text(str(int(cpus * 100_000)))


def _held_up_s(group: Path) -> float:
    if (group / "cpu.max").exists():
        return counter(str(group / "cpu.stat"), "throttled_usec") / 1e6
    return counter(str(group / "cpu.stat"), "throttled_time") / 1e9


def test_a_group_of_version_2_is_found_and_says_that_it_is_frozen(
    run_container: RunContainer, tmp_path: Path
) -> None:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("control groups are of version 2 here: every other test of figures reads them")
    container = run_container("jvm17")
    pid = pid_of(container)
    command = argv("metrics", "local://", "--jvm", str(pid), "--interval", "0.5", "--json")

    def looked() -> Shown:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", ALONE, "sh", *command],
            capture_output=True,
            text=True,
            env=environment(tmp_path),
        )
        assert done.returncode == 0, done.stderr
        return Shown(json.loads(done.stdout))

    with group_of_version_2(tmp_path / "v2") as group:
        (group / "cgroup.procs").write_text(str(pid))
        at_work = looked()
        # Of the group above: its own says so too, and has not asked for it.
        (group.parent / "cgroup.freeze").write_text("1")
        until = time.monotonic() + 60
        while not counter(str(group / "cgroup.events"), "frozen"):
            assert time.monotonic() < until, "it is not frozen"
            time.sleep(0.01)
        still = looked()
        frozen = counter(str(group / "cgroup.events"), "frozen")
    assert at_work.one("jvm.frozen") == 0
    checked("jvm.frozen", still.one("jvm.frozen"), frozen, by="cgroup.events of a group of version 2")
