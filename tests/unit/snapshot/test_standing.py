"""What is said of a container that stands still: by its engine, masked, and by the kernel of its threads."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path

import pytest

from jvmdiag.attach.rung import Reach
from jvmdiag.errors import CommandRefused
from jvmdiag.hosts.local import LocalHost
from jvmdiag.snapshot.inspected import shown
from jvmdiag.snapshot.kernel import run_script

here = pytest.mark.skipif(sys.platform != "linux", reason="the scripts are for targets, which run Linux")
HERE = Reach(LocalHost(), "", None)
SECRET = "hunter2"
SAID = {
    "Id": "c0ffee",
    "Args": [
        "hunter2",
        "-Xmx1g -Dapp.password=hunter2 hunter2",
        "-Xmx1g",
        "--password=hunter2",
        "hunter2",
        "run",
    ],
    "State": {
        "ExitCode": 137,
        "OOMKilled": True,
        "Health": {"Status": "healthy", "Log": [{"Output": SECRET}]},
    },
    "Config": {
        "Env": [
            "DB_PASSWORD=hunter2",
            "TOMCAT_PASSWORD=hunter2",
            "CATALINA_DB_PASSWORD=hunter2",
            "CATALINA_BASE=/srv",
            "JAVA_OPTS=-Xmx1g -Dapp.key=hunter2 hunter2",
            "JAVA_TOOL_OPTIONS=-javaagent:/a.jar=hunter2",
        ],
        "Cmd": ["hunter2", "-c", "/opt/java -Dp=hunter2 Main"],
        "Entrypoint": ["/entry.sh"],
        "Labels": {"token": SECRET},
    },
    "HostConfig": {
        "Memory": 7,
        "Mounts": [{"VolumeOptions": {"DriverConfig": {"Options": {"o": "password=hunter2"}}}}],
        "LogConfig": {"Type": "splunk", "Config": {"splunk-token": SECRET}},
    },
    "NetworkSettings": {"Ports": {"8080/tcp": None}, "Networks": {"front": {"MacAddress": SECRET}}},
}


def test_of_what_an_engine_says_no_value_is_shown_that_may_be_a_secret() -> None:
    found = shown(SAID)
    assert SECRET not in json.dumps(found)
    assert found["State"]["ExitCode"] == 137 and found["State"]["OOMKilled"] is True
    assert found["Config"]["Env"] == [
        "DB_PASSWORD=***",
        "TOMCAT_PASSWORD=***",
        "CATALINA_DB_PASSWORD=***",
        "CATALINA_BASE=/srv",
        "JAVA_OPTS=-Xmx1g -Dapp.key=*** ***",
        "JAVA_TOOL_OPTIONS=-javaagent:/a.jar=***",
    ]
    # Behind an entrypoint the first word is an argument.
    assert found["Config"]["Cmd"] == ["***", "-c", "***"]
    assert found["Args"] == ["***", "-Xmx1g -Dapp.password=*** ***", "-Xmx1g", "***", "***", "run"]
    assert found["Config"]["Entrypoint"] == ["/entry.sh"]
    assert found["HostConfig"]["Memory"] == 7
    assert shown({})["Config"]["Cmd"] == []
    assert shown({"Config": {"Cmd": ["catalina.sh", "run"]}})["Config"]["Cmd"] == ["catalina.sh", "run"]
    assert shown({"Config": {"Cmd": ["/srv/start", "it"]}})["Config"]["Cmd"] == ["/srv/start", "***"]


@here
def test_each_thread_is_told_with_its_state_by_one_shell() -> None:
    over = threading.Event()
    waits = threading.Thread(target=over.wait)
    waits.start()
    try:
        text = run_script(HERE, "threads.sh", (str(os.getpid()),), 10).decode()
    finally:
        over.set()
        waits.join()
    threads = re.findall(
        r'^(\d+) ".*" state ([A-Z]), (\d+) \+ (\d+) ticks, waits in (\S+), system call', text, re.M
    )
    assert {str(os.getpid())} < {one[0] for one in threads}
    assert "S" in {one[1] for one in threads}


@here
def test_the_end_of_a_log_is_of_the_file_that_has_that_path(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "logs").mkdir(parents=True)
    outside.mkdir()
    (root / "logs/a b.log").write_text("0123456789")
    (outside / "a b.log").write_text("of the host")
    assert run_script(HERE, "tail.sh", (str(root), "/logs/a b.log", "4"), 10) == b"6789"
    # A walker of links that was right a moment ago.
    script = (Path(__file__).parents[3] / "jvmdiag/jvm/real.sh").read_bytes()
    exchange = b"""
prefix=$1
real "/logs/a b.log"
mv "$prefix/logs" "$prefix/moved"
ln -s "$2" "$prefix/logs"
open_real "$real" && cat <&3
"""
    done = LocalHost().run(["sh", "-s", "--", str(root), str(outside)], stdin=script + exchange)
    assert (done.stdout, done.complaint) == (b"", "it was exchanged while it was opened")
    with pytest.raises(CommandRefused):
        run_script(HERE, "tail.sh", (str(root), "/logs/none.log", "4"), 10)
