"""The command line as a user meets it: help, mistakes, exit codes, signals, completion."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jvmdiag import __version__
from jvmdiag.cli.main import app
from tests import hprof_bytes as make

ROOT = Path(__file__).parents[3]
COMMANDS = ("ps", "threaddump", "heapdump", "histogram", "jcmd", "verify", "fetch")
WITH_TARGET = ("ps", "threaddump", "heapdump", "histogram")
# Where Python keeps what it has compiled, and whether.
BYTECODE = ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")
# As the installed script does it: the name of the program decides how completion is asked for.
PROGRAM = "import sys; sys.argv[0] = 'jvmdiag'; from jvmdiag.cli.start import main; main()"


def environment(tmp_path: Path) -> dict[str, str]:
    """No engine, no config of the user who runs the tests, no terminal of a certain width."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
        "TERM": "dumb",
        "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path))),
        **{name: os.environ[name] for name in BYTECODE if name in os.environ},
    }


def jvmdiag(
    tmp_path: Path, *words: str, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        cwd=tmp_path,
        env={**environment(tmp_path), **(more or {})},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example_of_it(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    example = shown.output[shown.output.index("Examples:") :]
    assert f"jvmdiag {command} " in " ".join(example.split()) + " "


def test_the_help_lists_every_command_and_where_to_begin() -> None:
    shown = CliRunner().invoke(app, ["-h"])
    assert shown.exit_code == 0
    assert all(f"\n  {command} " in shown.output for command in COMMANDS)
    assert "At three in the morning" in shown.output


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = jvmdiag(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"jvmdiag {__version__}\n")


def test_no_words_at_all_are_the_help_and_a_mistake(tmp_path: Path) -> None:
    done = jvmdiag(tmp_path)
    assert done.returncode == 2
    assert "Usage: jvmdiag" in done.stdout + done.stderr


@pytest.mark.parametrize("command", WITH_TARGET)
def test_a_bad_target_is_a_mistake_with_a_way_out_and_no_traceback(tmp_path: Path, command: str) -> None:
    done = jvmdiag(tmp_path, command, "k8s://web")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jvmdiag: not a target: 'k8s://web'\n  why: no such kind of target")
    assert "docker://NAME" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dump", "web"), "No such command 'dump'"),
        (("ps", "--nonsense"), "No such option: --nonsense"),
        (("heapdump",), "Missing argument 'TARGET'"),
        (("threaddump", "web", "--count", "many"), "--count"),
        (("threaddump", "web", "--compress", "rar"), "--compress 'rar' is none"),
        (("jcmd", "web", "--verbose", "help"), "options of jvmdiag come before TARGET"),
        (("jcmd", "web", "VM.info", "--redact"), "options of jvmdiag come before TARGET"),
        (("redact", "x.hprof", "--redact", "keep:("), "no regular expression"),
        (("redact", "x.hprof", "--redact", "some"), "strings, all, keep:REGEX"),
        (("jcmd", "ssh://ops:hunter2@app1", "help"), "a password does not belong"),
    ],
)
def test_a_mistake_is_said_in_a_line_and_ends_with_2(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    done = jvmdiag(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_an_engine_that_is_not_there_is_20_and_says_where_it_was_looked_for(tmp_path: Path) -> None:
    done = jvmdiag(tmp_path, "ps", "web")
    assert done.returncode == 20
    assert "no-engine.sock" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_json_an_error_is_one_document_on_stdout(tmp_path: Path) -> None:
    done = jvmdiag(tmp_path, "threaddump", "web", "--json")
    said = json.loads(done.stdout)
    assert (said["schema"], said["error"], said["exit_code"]) == (
        "jvmdiag.error/1",
        "EngineUnreachable",
        20,
    )
    assert done.returncode == 20


@pytest.mark.parametrize(
    "words",
    [("dump", "web"), ("ps", "--nonsense"), ("heapdump",), ("threaddump", "web", "--count", "many")],
)
def test_with_json_a_mistake_of_the_command_line_is_that_document_too(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = jvmdiag(tmp_path, *words, "--json")
    said = json.loads(done.stdout)
    assert (said["schema"], said["error"], said["exit_code"]) == ("jvmdiag.error/1", "BadRequest", 2)
    assert said["advice"][0].startswith("see: jvmdiag")
    assert done.returncode == 2


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "web.hprof.gz"
    path.write_bytes(gzip.compress(make.small_dump()))
    return path


def test_a_whole_dump_is_verified_with_0(tmp_path: Path, dump: Path) -> None:
    done = jvmdiag(tmp_path, "verify", str(dump))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{dump}: whole (heap dump, gzip" in done.stdout


def test_a_cut_dump_is_62_and_a_missing_one_63(tmp_path: Path, dump: Path) -> None:
    dump.write_bytes(gzip.compress(make.small_dump()[:-4]))
    assert jvmdiag(tmp_path, "verify", str(dump)).returncode == 62
    assert jvmdiag(tmp_path, "verify", str(tmp_path / "none.hprof")).returncode == 63


def test_several_files_are_all_looked_at_and_one_bad_one_is_enough(tmp_path: Path, dump: Path) -> None:
    done = jvmdiag(tmp_path, "verify", str(tmp_path / "none.hprof"), str(dump))
    assert done.returncode == 62
    assert f"{dump}: whole" in done.stdout
    assert "1 of 2 files" in done.stderr


def test_with_json_a_verdict_is_one_document_also_where_it_is_bad(tmp_path: Path, dump: Path) -> None:
    dump.write_bytes(gzip.compress(make.small_dump()[:-4]))
    done = jvmdiag(tmp_path, "verify", "--json", str(dump))
    said = json.loads(done.stdout)
    assert (said["schema"], said["files"][0]["ok"], done.returncode) == ("jvmdiag.verify/1", False, 62)


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path, dump: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "verify", str(dump)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=30,
            env=environment(tmp_path),
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_of_this_machine_is_fetched_its_path_on_stdout_the_rest_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "gc.log").write_bytes(b"x\n" * 1000)
    done = jvmdiag(tmp_path, "fetch", "local://", str(tmp_path / "gc.log"), "-o", "out", "--verbose")
    assert (done.returncode, done.stdout) == (0, "out/gc.log.gz\n")
    assert "sha256" in done.stderr
    assert "[local://]" in done.stderr
    again = jvmdiag(tmp_path, "fetch", "local://", str(tmp_path / "gc.log"), "-o", "out", "--quiet")
    assert (again.returncode, again.stdout) == (54, "")


@pytest.mark.parametrize(
    ("number", "code", "says"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_it_at_once_with_its_own_code(
    tmp_path: Path, number: signal.Signals, code: int, says: str
) -> None:
    # The target's shell hangs: what is asked of it never comes to an end.
    shell = tmp_path / "bin" / "sh"
    shell.parent.mkdir()
    shell.write_text(f'#!/bin/bash\necho $$ >"{tmp_path}/started.$$"\nexec sleep 60\n', encoding="utf-8")
    shell.chmod(0o755)
    path = f"{shell.parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "ps", "local://"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(tmp_path), "PATH": path},
    ) as process:
        started = shell_of(process, tmp_path)
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert process.returncode == code
    assert f"jvmdiag: {says}" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


@pytest.mark.parametrize(("number", "code", "says"), [(2, 130, "interrupted"), (15, 143, "terminated")])
def test_a_signal_while_it_still_loads_is_no_traceback(
    number: int, code: int, says: str, tmp_path: Path
) -> None:
    slow = f"import os, time\nos.kill(os.getpid(), {number})\ntime.sleep(60)\n"
    (tmp_path / "typer.py").write_text(slow, encoding="utf-8")
    ended = jvmdiag(tmp_path, "ps", more={"PYTHONPATH": str(tmp_path)})
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", f"jvmdiag: {says}\n")


def shell_of(process: subprocess.Popen[str], directory: Path) -> int:
    """The pid of the shell that hangs, once it has started."""
    while process.poll() is None:
        for file in directory.glob("started.*"):
            if text := file.read_text(encoding="utf-8").strip():
                return int(text)
        signal.sigtimedwait([], 0.01)
    raise AssertionError(f"it ended before it was stopped: {process.communicate()[1]}")


def completed(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return jvmdiag(
        tmp_path,
        more={
            "_JVMDIAG_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(("jvmdiag", *words)),
            "COMP_CWORD": str(len(words)),
        },
    )


def test_completion_knows_commands_and_options(tmp_path: Path) -> None:
    assert completed(tmp_path, "thr").stdout.split() == ["threaddump"]
    assert "--dump-dir" in completed(tmp_path, "heapdump", "--du").stdout.split()


def test_completion_of_a_target_is_silent_where_no_engine_answers(tmp_path: Path) -> None:
    done = completed(tmp_path, "heapdump", "w")
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_shells_completion_can_be_had(tmp_path: Path) -> None:
    done = jvmdiag(tmp_path, more={"_JVMDIAG_COMPLETE": "source_bash"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "_JVMDIAG_COMPLETE=complete_bash" in done.stdout
