"""scripts/demo, as somebody runs it in a fresh checkout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from jvmdiag.transfer.verify import verify_file

ROOT = Path(__file__).parents[2]


def test_the_demo_takes_two_dumps_and_leaves_nothing_running(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache")
    checkout = Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored))
    (tmp_path / "tmp").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(Path.home()),  # pip keeps what it downloads there
        "TMPDIR": str(tmp_path / "tmp"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
    }
    with subprocess.Popen(
        [checkout / "scripts/demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    ) as demo:
        said, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, said
    assert sessions_processes(demo.pid) == []
    [results] = (tmp_path / "tmp").iterdir()
    assert str(results) in said
    dumps = [path for path in results.iterdir() if not path.name.endswith(".manifest.json")]
    kinds = sorted(re.sub(r".*-(threads|heap)-.*", r"\1", path.name) for path in dumps)
    assert kinds == ["heap", "threads"]
    assert all(verify_file(dump).ok for dump in dumps)


def sessions_processes(session: int) -> list[str]:
    """What still runs of the session that `session` began."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, fields = stat.read_text().rpartition(")")
            if int(fields.split()[3]) == session:
                found.append(name)
    return found
