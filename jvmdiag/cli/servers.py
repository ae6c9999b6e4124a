"""The options about Tomcat and Apache, and what they mean together."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jvmdiag.cli.options import Way
    from jvmdiag.collect.servers import ServersRequest
    from jvmdiag.metrics.http import Credentials

PASSWORD_VARIABLE = "JVMDIAG_TOMCAT_PASSWORD"  # noqa: S105 - its name
JMX_VARIABLE = "JVMDIAG_JMX_PASSWORD"
Apache = Annotated[
    str | None,
    typer.Option(
        "--apache",
        metavar="URL",
        help="Apache's status page, as seen from the target.",
        show_default="http://127.0.0.1/server-status?auto, where httpd runs",
    ),
]
Tomcat = Annotated[
    str | None,
    typer.Option(
        "--tomcat",
        metavar="URL",
        help="The status page of Tomcat's manager, as seen from the target.",
        show_default="http://127.0.0.1:PORT/manager/status?XML=true, PORT that of a connector, or 8080",
    ),
]
TomcatUser = Annotated[
    str | None,
    typer.Option(
        "--tomcat-user",
        metavar="NAME",
        help=f"Ask Tomcat's manager; the password is in {PASSWORD_VARIABLE}, or asked.",
    ),
]
Threads = Annotated[
    bool,
    typer.Option(
        "--threads/--no-threads",
        help="Where Tomcat's manager is not asked, ask the JVM: by JMX where an agent runs, else by a thread dump.",
    ),
]
Jmx = Annotated[
    str | None,
    typer.Option(
        "--jmx",
        metavar="[HOST:]PORT",
        help="The JVM's management agent, as seen from the target.",
        show_default="the one that the JVM says it runs",
    ),
]
JmxUser = Annotated[
    str | None,
    typer.Option(
        "--jmx-user",
        metavar="NAME",
        help=f"The agent's user, where it asks for one; the password is in {JMX_VARIABLE}, or asked.",
    ),
]


def request_of(way: Way) -> ServersRequest:
    """Raises BadRequest for URLs that are none, and where a password is wanted and nobody can be asked."""
    from jvmdiag.collect.servers import ServersRequest
    from jvmdiag.errors import BadRequest
    from jvmdiag.impact.prober import check_url

    for option, url in (("--apache", way.apache), ("--tomcat", way.tomcat)):
        if url:
            check_url(url, option)
    if way.tomcat and not way.tomcat_user:
        raise BadRequest("Tomcat's manager asks for a user", advice="--tomcat-user NAME")
    return ServersRequest(
        way.apache,
        way.tomcat,
        _credentials(way, way.tomcat_user, PASSWORD_VARIABLE, "Tomcat's manager"),
        way.threads,
        _address(way.jmx) if way.jmx else None,
        _credentials(way, way.jmx_user, JMX_VARIABLE, "the management agent"),
    )


def _address(text: str) -> tuple[str, int]:
    from jvmdiag.errors import BadRequest

    host, _, port = text.rpartition(":")
    if (
        not port.isascii()
        or not port.isdigit()
        or not 0 < int(port) < 1 << 16
        or re.search(r"[\s/@]|^-", host)
    ):
        raise BadRequest(f"--jmx {text!r} is no PORT and no HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _is_text(given: str) -> bool:
    """Whether it has no bytes of which Python could not make characters."""
    return given.encode("utf-8", "replace").decode() == given


def _credentials(way: Way, user: str | None, variable: str, where: str) -> Credentials | None:
    from jvmdiag.errors import BadRequest
    from jvmdiag.metrics.http import Credentials

    if not user:
        return None
    password = os.environ.get(variable)
    if password is None and way.console.ask:
        password = way.console.ask(f"password of {user} at {where}:")
    if password is None:
        raise BadRequest(f"no password for {user}", advice=f"put it into {variable}")
    # The bytes of a terminal or environment with another encoding.
    if not _is_text(user) or not _is_text(password):
        raise BadRequest(f"user or password for {where} is not in UTF-8")
    return Credentials(user, password)
