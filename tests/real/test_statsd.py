"""--statsd: what a listener on UDP gets, read by the grammar that Datadog documents for DogStatsD's datagrams."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from docker.models.containers import Container

from jvmdiag.metrics.catalogue import described
from tests.real.jvmdiag import jvmdiag

# METRIC_NAME:VALUE|TYPE|@SAMPLE_RATE|#TAG,TAG
_GAUGE = re.compile(r"([A-Za-z][\w.]*):(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\|g(?:\|#([^|]+))?")
# _e{TITLE_LENGTH,TEXT_LENGTH}:TITLE|TEXT, then fields of a letter, in UTF-8 bytes; a line break is written as \n.
_EVENT = re.compile(r"_e\{(\d+),(\d+)\}:(.*)", re.DOTALL)
_FIELDS = re.compile(r"(?:\|(?:[dhkps]:[^|]*|t:(?:error|warning|info|success)|#[^|]+))*")


@dataclass
class Agent:
    """Stands where Datadog's agent does."""

    port: int
    datagrams: list[bytes] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Several metrics may share a datagram, a line each."""
        return [line for datagram in self.datagrams for line in datagram.decode().splitlines() if line]

    def gauges(self) -> dict[str, tuple[float, set[str]]]:
        found = {}
        for line in self.lines():
            if not line.startswith("_"):
                gauge = _GAUGE.fullmatch(line)
                assert gauge, line
                found[gauge[1]] = (float(gauge[2]), set((gauge[3] or "").split(",")))
        return found

    def events(self) -> list[tuple[str, str, str]]:
        found = []
        for line in self.lines():
            if line.startswith("_"):
                event = _EVENT.fullmatch(line)
                assert event, line
                said = event[3].encode()
                title, text = int(event[1]), int(event[2])
                assert said[title : title + 1] == b"|"
                rest = said[title + 1 + text :].decode()
                assert _FIELDS.fullmatch(rest), rest
                found.append((said[:title].decode(), said[title + 1 : title + 1 + text].decode(), rest))
        return found


@contextmanager
def listening() -> Iterator[Agent]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.3)
        agent, over = Agent(sock.getsockname()[1]), threading.Event()

        def listen() -> None:
            while True:
                try:
                    agent.datagrams.append(sock.recv(1 << 16))
                except TimeoutError:
                    if over.is_set():
                        return

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield agent
        finally:
            over.set()
            thread.join()


def test_figures_go_by_datadogs_names(tomcat_jre: Container, tmp_path: Path) -> None:
    with listening() as agent:
        run = jvmdiag(
            "metrics", str(tomcat_jre.name), "--json", "--statsd", f"127.0.0.1:{agent.port}", home=tmp_path
        )
        assert run.exit_code == 0, run.err
    sent = agent.gauges()
    wanted = {
        "system.cpu.user", "system.mem.usable", "system.disk.in_use", "system.net.bytes_rcvd", "jvm.heap_memory",
        "jvm.non_heap_memory", "jvm.gc.major_collection_count", "jvm.gc.minor_collection_count",
        "tomcat.threads.busy", "tomcat.threads.count",
    }  # fmt: skip
    assert wanted <= set(sent)
    assert set(sent) <= {one.datadog for one in described().values()}
    shown = {f["name"]: f["value"] for group in run.document["groups"] for f in group["figures"]}
    assert sent["jvm.heap_memory"][0] == pytest.approx(shown["jvm.heap.used"])
    assert sent["system.mem.usable"][0] == pytest.approx(shown["memory.available"] / (1 << 20))
    assert sent["tomcat.threads.count"][1] == {
        f"target:docker://{tomcat_jre.name}",
        "connector:http-nio-8080",
    }


@pytest.mark.parametrize("command", ["heapdump", "threaddump", "histogram"])
def test_a_dump_is_marked_where_it_begins_and_where_it_ends(
    tomcat_jre: Container, command: str, tmp_path: Path
) -> None:
    more = () if command == "histogram" else ("-o", str(tmp_path / "out"))
    with listening() as agent:
        statsd = ("--statsd", f"127.0.0.1:{agent.port}", "--yes")
        run = jvmdiag(command, str(tomcat_jre.name), *statsd, *more, home=tmp_path)
        assert run.exit_code == 0, run.err
    what = {"heapdump": "heap dump", "threaddump": "thread dump"}.get(command, command)
    (begun, _, _), (ended, said, fields) = agent.events()
    assert (begun, ended) == (f"jvmdiag: {what} begins", f"jvmdiag: {what} ended")
    assert "stood still" in said or "threads" in said or "pause" in said, said
    assert f"target:{tomcat_jre.name}" in fields and "t:info" in fields


def test_what_was_refused_before_it_began_marks_nothing(tomcat_jre: Container, tmp_path: Path) -> None:
    with listening() as agent:
        statsd = ("--statsd", f"127.0.0.1:{agent.port}")
        run = jvmdiag("heapdump", str(tomcat_jre.name), "--max-pause", "1ms", *statsd, home=tmp_path)
        assert run.exit_code == 71, run.err
    assert agent.datagrams == []


def test_nobody_who_listens_is_no_trouble(tomcat_jre: Container, tmp_path: Path) -> None:
    with listening() as agent:
        port = agent.port
    run = jvmdiag(
        "metrics", str(tomcat_jre.name), "--count", "2", "--statsd", f"127.0.0.1:{port}", home=tmp_path
    )
    assert run.exit_code == 0, run.err
