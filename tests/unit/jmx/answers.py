"""Answers of real agents, and the calls that they are to."""

from __future__ import annotations

from pathlib import Path

from jvmdiag.jmx.jrmp import Call, RemoteRef, Returned, Thrown, answers
from jvmdiag.jmx.mbeans import close, get_attributes, lookup, new_client, query_names

DATA = Path(__file__).parents[2] / "data/jmx"
JDKS = ("jdk11", "jdk17", "jdk21", "jdk25")
ANYONE = RemoteRef("127.0.0.1", 1, bytes(22))
POOLS = 3
QUERIES = [query_names(ANYONE, "*:*")] * 3
CONNECT = [new_client(ANYONE, None, None)]
LOOKUP = [lookup()]
MISSING = [get_attributes(ANYONE, "nobody:type=x", ["A"])]


def reading(beans: int) -> list[Call]:
    """The calls of a reading of so many MBeans."""
    return [*[get_attributes(ANYONE, "a:b=c", ["A"])] * beans, close(ANYONE)]


def recorded(name: str) -> bytes:
    return (DATA / f"{name}.bin").read_bytes()


def answer(name: str, calls: list[Call]) -> tuple[Returned | Thrown, ...]:
    return answers(recorded(name), calls)


# Each kind of answer, and what it answers.
KINDS = {
    "jdk17-connect": CONNECT,
    "jdk17-names": QUERIES,
    "jdk11-attributes": reading(9),
    "jdk25-attributes": reading(9),
    "jdk21-missing": MISSING,
    "jdk17-lookup": LOOKUP,
    "refused": CONNECT,
    "tomcat10-names": QUERIES,
    "tomcat10-attributes": reading(5),
}
