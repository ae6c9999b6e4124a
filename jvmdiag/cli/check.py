"""jvmdiag check: what a dump would cost, and whether it would kill."""

from __future__ import annotations

from typing import Annotated

import typer

from jvmdiag.cli import options

EXAMPLE = """\b
Examples:
  jvmdiag check web
  jvmdiag check web --max-pause 5s && jvmdiag heapdump web --yes
  jvmdiag check ssh://ops@app1 --sudo --dump-dir /data
"""


@options.shared(
    "target", "max_pause", *options.JVM, *options.SSH, *options.FILES, "timeout_s", *options.LOOKED
)
def command(
    way: options.Way,
    live: Annotated[bool, typer.Option("--live", help="Of a heap dump or histogram with --live.")] = False,
    of: Annotated[
        str, typer.Option("--of", metavar="WHAT", help="Of which capture: heapdump, histogram or locks.")
    ] = "heapdump",
    dump_dir: Annotated[
        str | None,
        typer.Option("--dump-dir", metavar="DIR", help="Where on the target the JVM would write it."),
    ] = None,
) -> None:
    """Look at what a dump would cost before taking it. Nothing is written on the target.

    One line a finding: ok, risky or refused, with its number. The exit code is 0 where it could be taken, else
    that of the first refusal.
    """
    from jvmdiag.collect.check import Capture, check
    from jvmdiag.impact.finding import refusals
    from jvmdiag.report.json import document
    from jvmdiag.report.price import checked_text

    what = options.one_of("--of", Capture, of)
    checked = check(way.job, what, way.journal, dump_dir, live=live, max_pause_s=way.terms.max_pause_s)
    refused = refusals(checked.price.findings)
    way.console.result(document("check", **vars(checked)) if way.json else checked_text(checked))
    if refused and refused[0].error:
        raise typer.Exit(refused[0].error.exit_code)
