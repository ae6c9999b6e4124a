"""The ends of logs: which are taken, and under which names."""

from __future__ import annotations

from jvmdiag.attach.rung import Reach
from jvmdiag.hosts.local import LocalHost
from jvmdiag.snapshot.found import Found, Kind
from jvmdiag.snapshot.logs import end_of, log_items

HERE = Reach(LocalHost(), "", None)


def files_of(*names: str) -> list[str]:
    found = [Found(Kind.LOG, f"/logs/{name}", 7, 1.0) for name in names]
    return [item.file for item in log_items(found, HERE, 10, of="tomcat")]


def test_the_name_of_a_log_is_one_that_every_file_system_takes() -> None:
    assert files_of("a b.log", "a'b.log", "ü.log") == [
        "logs/tomcat-a_b.log",
        "logs/tomcat-2-a_b.log",
        "logs/tomcat-_.log",
    ]
    [long] = files_of("x" * 251 + ".log")
    assert len(long) < 200 and long.endswith("xxx.log")


def test_of_a_long_log_its_end_alone_is_held() -> None:
    pieces = [bytes([65 + n]) * 10 for n in range(20)]
    assert end_of(pieces, 25) == b"".join(pieces)[-25:]
    assert end_of(pieces, 1000) == b"".join(pieces)
    assert end_of([], 5) == b""
