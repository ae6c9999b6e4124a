"""What the MBeans of a real Tomcat said: a connector with its own threads, one with an executor."""

from __future__ import annotations

from jvmdiag.jmx.jrmp import Returned
from jvmdiag.jmx.mbeans import attributes_in, names_in
from jvmdiag.metrics.jmx import Bean
from jvmdiag.metrics.tomcat_jmx import TomcatBeans, tomcat_beans
from tests.unit.jmx.answers import QUERIES, answer, reading


def recorded() -> tuple[Bean, ...]:
    queries = answer("tomcat10-names", QUERIES)
    names = [name for one in queries if isinstance(one, Returned) for name in names_in(one.value)]
    *values, _ = answer("tomcat10-attributes", reading(len(names)))
    found = [attributes_in(one.value) for one in values if isinstance(one, Returned)]
    return tuple(Bean(name, attributes) for name, attributes in zip(names, found, strict=True))


def recorded_beans() -> TomcatBeans:
    beans = tomcat_beans(recorded())
    assert isinstance(beans, TomcatBeans), beans
    return beans
