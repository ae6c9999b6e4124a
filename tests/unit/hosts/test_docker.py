"""What the docker adapter can be asked without an engine."""

from __future__ import annotations

from typing import Any

import pytest

from jvmdiag.errors import EngineUnreachable, NoSuchFile, TargetNotRunning
from jvmdiag.hosts.docker import ContainerFacts, Engine, _keeps_log, host_process, parse_stamp
from tests.fakes import FakeHost, done

FACTS = ContainerFacts("c0ffee", "web", "tomcat:10", True, False, "running", 4711, False, "json-file", ())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-01T12:00:00Z", 1772366400.0),
        ("2026-03-01T12:00:00.5Z", 1772366400.5),
        ("2026-03-01T12:00:00.123456789Z", 1772366400.123456789),
        ("1970-01-01T00:00:01.000000001Z", 1.000000001),
        ("2026-03-01T14:30:00.5+02:30", 1772366400.5),
        ("", 0.0),
        ("yesterday", 0.0),
        ("2026-13-01T12:00:00Z", 0.0),
    ],
)
def test_a_stamp_of_the_engine_is_unix_seconds_with_its_fraction(text: str, seconds: float) -> None:
    assert parse_stamp(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("driver", "options", "kept"),
    [
        ("json-file", {}, True),
        ("local", None, True),
        ("journald", {"cache-disabled": "true"}, True),
        ("syslog", {"syslog-address": "udp://127.0.0.1:514"}, True),
        ("gelf", {"cache-disabled": "False"}, True),
        ("fluentd", {"cache-disabled": "true"}, False),
        ("syslog", {"cache-disabled": "perhaps"}, False),
        ("none", {}, False),
    ],
)
def test_a_log_is_kept_by_its_driver_or_by_the_engines_own_copy(
    driver: str, options: dict[str, str] | None, kept: bool
) -> None:
    assert _keeps_log({"Type": driver, "Config": options}) is kept


def test_a_container_on_this_machine_is_known_by_its_pid_1_and_its_id() -> None:
    host = FakeHost({lambda argv: argv[-2:] == ("4711", "c0ffee"): b""})
    assert host_process(host, FACTS) == 4711


def test_a_process_of_that_pid_that_is_another_is_not_the_container() -> None:
    assert host_process(FakeHost({lambda argv: True: done(exit_code=1)}), FACTS) is None


def test_a_container_without_a_process_is_looked_for_nowhere() -> None:
    host = FakeHost()
    stopped = ContainerFacts("c0ffee", "web", "x", False, False, "exited", 0, False, "json-file", ())
    assert host_process(host, stopped) is None
    assert host.asked == []


def test_an_engine_behind_ssh_is_named_as_a_target_and_not_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://ops@app1")
    with pytest.raises(EngineUnreachable) as caught:
        Engine().containers()
    assert any("ssh://" in line and "/docker/NAME" in line for line in caught.value.advice)


class OneContainer:
    """Stands where docker-py's APIClient does."""

    def __init__(self, status: str, exit_code: int, *, running: bool) -> None:
        self.state = {
            "Status": status,
            "Running": running,
            "Restarting": status == "restarting",
            "ExitCode": exit_code,
            "Pid": 0,
        }

    def inspect_container(self, name: str) -> dict[str, Any]:
        config = {"Image": "tomcat:10", "Tty": False}
        host = {"LogConfig": {"Type": "json-file"}}
        return {"Id": "c0ffee", "Name": f"/{name}", "State": self.state, "Config": config, "HostConfig": host}


@pytest.mark.parametrize(
    ("status", "exit_code", "running", "says"),
    [
        # It is waited with before it is started again, and Running meanwhile.
        ("restarting", 1, True, "exit code 1"),
        ("exited", 137, False, "exit code 137"),
        ("created", 0, False, None),
        ("created", 127, False, "exit code 127"),
    ],
)
def test_a_container_whose_program_does_not_run_says_how_it_ended(
    status: str, exit_code: int, running: bool, says: str | None
) -> None:
    engine = Engine("unix:///nowhere")
    engine.client = OneContainer(status, exit_code, running=running)
    assert engine.how_it_ended("web") == says
    with pytest.raises(
        TargetNotRunning, match=r"the container web (is restarting|has exited|was never started)"
    ):
        engine.running("web")


def test_a_file_that_no_engine_can_name_is_told_so_and_not_asked_for() -> None:
    engine = Engine("unix:///nowhere")
    engine.client = OneContainer("exited", 1, running=False)
    for call in (engine.archive, engine.archive_stat):
        with pytest.raises(NoSuchFile, match=r"/data/a\\xff\.hprof: its name is no UTF-8"):
            call("c0ffee", "/data/a\udcff.hprof")
