"""The options about Tomcat and Apache, and what they mean together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from jvmdiag.cli import options

if TYPE_CHECKING:
    from jvmdiag.collect.servers import ServersRequest
    from jvmdiag.metrics.http import Credentials

PASSWORD_VARIABLE = "JVMDIAG_TOMCAT_PASSWORD"  # noqa: S105 - its name
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
        help="Where its manager is not asked, tell Tomcat's busy threads by a thread dump.",
    ),
]


def request_of(
    way: options.Way, apache: str | None, tomcat: str | None, user: str | None, *, threads: bool
) -> ServersRequest:
    """Raises BadRequest for URLs that are none, and where a password is wanted and nobody can be asked."""
    from jvmdiag.collect.servers import ServersRequest
    from jvmdiag.errors import BadRequest
    from jvmdiag.impact.prober import check_url

    for option, url in (("--apache", apache), ("--tomcat", tomcat)):
        if url:
            check_url(url, option)
    if tomcat and not user:
        raise BadRequest("Tomcat's manager asks for a user", advice="--tomcat-user NAME")
    credentials = _credentials(way, user) if user else None
    return ServersRequest(apache, tomcat, credentials, threads)


def _credentials(way: options.Way, user: str) -> Credentials:
    from jvmdiag.errors import BadRequest
    from jvmdiag.metrics.http import Credentials

    password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and way.console.ask:
        password = way.console.ask(f"password of {user} at Tomcat's manager:")
    if password is None:
        raise BadRequest(f"no password for {user}", advice=f"put it into {PASSWORD_VARIABLE}")
    return Credentials(user, password)
